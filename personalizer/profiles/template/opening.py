"""The first sentence: what a shopper buys, in the form that fits the shape of the basket.

Each form is a function of the facts; several fit a shape, and which one is taken follows from the
facts themselves, so that the same history always reads the same.
"""

from collections.abc import Callable, Sequence

from personalizer.profiles.template.facts import Facts
from personalizer.profiles.template.words import capital, listed, number

__all__ = ["opening"]

Form = Callable[[Facts], str]


def opening(facts: Facts, pick: int) -> str:
    """The sentence, with its full stop."""
    forms = _shape(facts)
    return forms[pick % len(forms)](facts)


def _shape(facts: Facts) -> Sequence[Form]:
    first = facts.aisles[0][1] / facts.purchases
    if len(facts.labels) == 1:
        return _ONLY
    if facts.top_share >= 0.5 and facts.labels[0][1] >= 3:
        return _ONE_KIND if facts.top_share >= 0.7 else _ONE_OF_SEVERAL
    if len(facts.aisles) == 1 or (first >= 0.65 and len(facts.labels_of[facts.aisles[0][0]]) > 1):
        return _ONE_AISLE
    second = facts.aisles[1][1] / facts.purchases
    if first + second >= 0.75 and second >= 0.25 and facts.purchases >= 4:
        return _TWO_AISLES
    return _BROAD if len(facts.aisles) > 2 else _TWO_AISLES


def _who(facts: Facts) -> str:
    return "these shoppers" if facts.many else "this shopper"


def _s(facts: Facts) -> str:
    """The ending of the verb after `_who`."""
    return "" if facts.many else "s"


def _top(facts: Facts, count: int, start: int = 0) -> list[str]:
    return [label for label, _ in facts.labels[start : start + count]]


def _times(facts: Facts) -> str:
    """How much of the whole the first kind is."""
    count, whole = facts.labels[0][1], facts.purchases
    if facts.many:
        return "most purchases" if count * 2 > whole else "half the purchases"
    if count == whole - 1 and count > 2:
        return "all but one purchase"
    return f"{number(count)} of {number(whole)} purchases"


def _also(facts: Facts, start: int, most: int = 3) -> str:
    return listed(_top(facts, most, start))


def _only_1(f: Facts) -> str:
    return f"Comes for one thing so far: {f.labels[0][0]}."


def _only_2(f: Facts) -> str:
    return f"{capital(f.labels[0][0])}, and nothing else so far."


def _one_kind_1(f: Facts) -> str:
    return f"{capital(f.labels[0][0])} above all ({_times(f)}), with {_also(f, 1)} on the side."


def _one_kind_2(f: Facts) -> str:
    who, s, rest = capital(_who(f)), _s(f), _also(f, 1)
    return f"{who} come{s} for {f.labels[0][0]} ({_times(f)}) and add{s} {rest} now and then."


def _one_kind_3(f: Facts) -> str:
    return f"Specialises in {f.labels[0][0]}: {_times(f)}, next to some {_also(f, 1, 2)}."


def _one_kind_4(f: Facts) -> str:
    return f"Buys little but {f.labels[0][0]}: {_times(f)}, apart from {_also(f, 1, 2)}."


def _one_kind_5(f: Facts) -> str:
    rest = _also(f, 1, 4)
    return f"One interest stands out, {f.labels[0][0]} ({_times(f)}); the rest: {rest}."


def _inside(f: Facts, most: int = 3) -> list[str]:
    """The kinds of the first aisle that differ from its name."""
    aisle = f.aisles[0][0]
    return [label for label in f.labels_of[aisle] if label != aisle][:most] or [aisle]


def _outside(f: Facts) -> str:
    main = set(f.labels_of[f.aisles[0][0]])
    return listed([label for label, _ in f.labels if label not in main][:2])


def _rest(f: Facts) -> str:
    outside = _outside(f)
    return f"; outside it only {outside}" if outside else ""


def _one_aisle_1(f: Facts) -> str:
    return f"Keeps to {f.aisles[0][0]}, mostly {listed(_inside(f))}{_rest(f)}."


def _one_aisle_2(f: Facts) -> str:
    outside = _outside(f)
    tail = f", plus some {outside}" if outside else ""
    return f"{capital(f.aisles[0][0])} comes first for {_who(f)}: {listed(_inside(f, 4))}{tail}."


def _one_aisle_3(f: Facts) -> str:
    kinds = _inside(f, 4)
    if len(kinds) < 2:
        return _one_aisle_1(f)
    body = f"from {kinds[0]} to {kinds[1]}"
    body += f", by way of {listed(kinds[2:])}" if len(kinds) > 2 else ""
    return f"Covers {f.aisles[0][0]} broadly, {body}{_rest(f)}."


def _one_aisle_4(f: Facts) -> str:
    outside = _outside(f)
    tail = f"; {outside} only now and then" if outside else ""
    who, core = capital(_who(f)), listed(_inside(f))
    return f"{who} shop{_s(f)} mainly for {f.aisles[0][0]}, with {core} at the core{tail}."


def _aisle(f: Facts, nth: int, most: int, such: str) -> str:
    """An aisle with examples of what was bought there, unless the name says it all."""
    name = f.aisles[nth][0]
    kinds = [label for label in f.labels_of[name] if label != name][:most]
    return f"{name}{such}{listed(kinds)}" if kinds else name


def _two_1(f: Facts) -> str:
    return f"Divides purchases between {_bracketed(f, 0, 2)} and {_bracketed(f, 1, 2)}."


def _bracketed(f: Facts, nth: int, most: int) -> str:
    said = _aisle(f, nth, most, " (")
    return f"{said})" if "(" in said else said


def _two_2(f: Facts) -> str:
    first, second = _aisle(f, 0, 3, ", chiefly "), _aisle(f, 1, 3, ", chiefly ")
    return f"Two interests side by side: {first}; and {second}."


def _two_3(f: Facts) -> str:
    first, second = _aisle(f, 0, 3, " such as "), _aisle(f, 1, 2, " such as ")
    return f"First of all {first}, followed by {second}."


def _two_4(f: Facts) -> str:
    first, second = _aisle(f, 0, 3, " such as "), _aisle(f, 1, 2, " such as ")
    return f"{capital(_who(f))} combine{_s(f)} {first} with {second}."


def _extras(f: Facts, start: int, most: int) -> str:
    """What else there is, by its first kind: says more than the names of the aisles."""
    return listed([f.labels_of[name][0] for name, _ in f.aisles[start : start + most]])


def _broad_1(f: Facts) -> str:
    first, second = _aisle(f, 0, 2, " such as "), _aisle(f, 1, 2, " such as ")
    return f"A varied basket: {first}, along with {second}, and some {_extras(f, 2, 4)}."


def _broad_2(f: Facts) -> str:
    first, second = _aisle(f, 0, 3, " such as "), _aisle(f, 1, 2, " such as ")
    who, s, rest = capital(_who(f)), _s(f), _extras(f, 2, 4)
    return f"{who} combine{s} {first} with {second}, and pick{s} up {rest} along the way."


def _broad_3(f: Facts) -> str:
    areas = f"{f.aisles[0][0]} to {f.aisles[-1][0]}"
    return f"Shops widely, in {number(len(f.aisles))} areas from {areas}: {listed(_top(f, 4))}."


def _broad_4(f: Facts) -> str:
    rest = _extras(f, 1, 5)
    return f"Leans towards {_bracketed(f, 0, 3)} but looks well beyond it, to {rest}."


_ONLY: Sequence[Form] = (_only_1, _only_2)
_ONE_KIND: Sequence[Form] = (_one_kind_1, _one_kind_2, _one_kind_3, _one_kind_4)
_ONE_OF_SEVERAL: Sequence[Form] = (_one_kind_1, _one_kind_2, _one_kind_5)
_ONE_AISLE: Sequence[Form] = (_one_aisle_1, _one_aisle_2, _one_aisle_3, _one_aisle_4)
_TWO_AISLES: Sequence[Form] = (_two_1, _two_2, _two_3, _two_4)
_BROAD: Sequence[Form] = (_broad_1, _broad_2, _broad_3, _broad_4)
