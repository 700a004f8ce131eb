"""Facts as a digestion, a profile, and a profile of behaviour alone."""

import zlib
from collections.abc import Sequence

from personalizer.profiles.template.facts import Facts
from personalizer.profiles.template.opening import opening
from personalizer.profiles.template.traits import Clause, clauses
from personalizer.profiles.template.words import capital, every, listed, title_case

__all__ = ["behaviour", "digest", "profile"]

_MOST_KINDS = 24
_CLAUSES = 3
# an opening without a subject goes on without one
_VERBS = ("Keeps", "Covers", "Shops", "Buys", "Comes", "Divides", "Leans", "Specialises")


def digest(labels: Sequence[str]) -> str:
    """The kinds of products one by one, in the order they were first bought."""
    return ", ".join(title_case(label) for label in list(dict.fromkeys(labels))[-_MOST_KINDS:])


def profile(facts: Facts) -> str:
    """What this person buys and how, in two or three sentences."""
    pick = _pick(facts)
    first = opening(facts, pick)
    second = _how(clauses(facts, pick)[:_CLAUSES], first, facts)
    return " ".join(part for part in (first, second, _turn(facts, pick)) if part)


def _how(found: Sequence[Clause], before: str, facts: Facts) -> str:
    if not found:
        return ""
    if facts.many or "his shopper" in before:  # named already
        return f"They {listed([clause.said(third=False) for clause in found])}."
    told = [clause.said(third=True) for clause in found]
    if before.startswith(_VERBS):
        return f"{capital(listed(told))}."
    return f"This shopper {listed(told)}."


def _turn(facts: Facts, pick: int) -> str:
    old, new = facts.turn
    if not new or facts.many:
        return ""
    forms = (
        f"Lately the interest has moved from {old} to {new}.",
        f"The latest purchases are almost all {new}, after {old} before.",
        f"Recently turned from {old} to {new}.",
    )
    return forms[pick % len(forms)]


def _pick(facts: Facts) -> int:
    """A number that follows from the facts: equal histories read alike, others differ."""
    return zlib.crc32(repr((facts.labels, facts.brands, facts.rhythm.days)).encode())


def behaviour(facts: Facts) -> str:
    """How this person decides, with no product, category or brand named."""
    every_part = (_range(facts), _loyalty(facts), _spending(facts), _pace(facts))
    told = sorted((part for part in every_part if part), key=lambda part: -part[0])
    parts = [text for _, text in told[:3]]
    if not parts:
        return "Too few purchases to tell how this shopper decides."
    first, rest = parts[0], parts[1:]
    who = "These shoppers" if facts.many else "This shopper"
    third = not facts.many
    sentence = f"{who} {_verb(first, third)}."
    if rest:
        sentence += f" They {listed([_verb(part, third=False) for part in rest])}."
    changed = " Interests have shifted recently rather than stayed put." if facts.turn[1] else ""
    return sentence + ("" if facts.many else changed)


def _verb(text: str, third: bool) -> str:
    """A phrase after "this shopper" (third): every verb in it that a | marks gets its ending."""
    return text.replace("|", "s" if third else "")


def _range(f: Facts) -> tuple[float, str] | None:
    if f.top_share >= 0.6 and f.purchases >= 4:
        return (
            0.9,
            "know| exactly what they want and keep| to it"
            if f.many
            else "settle| on one kind of product and keep| to it",
        )
    if f.variety >= 0.85 and f.purchases >= 5:
        return 0.8, "explore|, choosing something of another kind nearly every time"
    if len(f.aisles) == 1 or f.aisles[0][1] / f.purchases >= 0.7:
        return 0.5, "stay| within one area and change| products inside it"
    return 0.3, "divide| attention between a few areas"


def _loyalty(f: Facts) -> tuple[float, str] | None:
    if f.reorders >= 2 and not f.many:
        return 0.85, "rebuy| what worked before"
    if f.branded < 3:
        return None
    share = f.brands[0][1] / f.branded
    if share >= 0.4 and f.brands[0][1] >= 3:
        return 0.75, "let| a trusted brand decide"
    return (0.6, "judge| each product by itself rather than by its brand") if share < 0.25 else None


def _spending(f: Facts) -> tuple[float, str] | None:
    if f.price is None:
        return None
    if f.price >= 0.66:
        return 0.7, "accept| higher prices than most for the same kind of product"
    if f.price <= 0.34:
        return 0.7, "look| for the cheaper choice"
    if f.price_spread >= 0.33:
        return 0.45, "save| on some purchases and splurge| on others"
    return (0.3, "stay| close to the usual price") if f.price_spread <= 0.2 else None


def _pace(f: Facts) -> tuple[float, str] | None:
    r = f.rhythm
    if f.many or f.purchases < 4 or not r.days:
        return None
    if f.purchases / r.days >= 1.9:
        return 0.65, "gather| several items into one order"
    if r.unrest <= 0.6 and r.days >= 4 and r.gap < 240:
        return 0.65, f"return| at a steady pace, {every(r.gap)}"
    return (0.4, "buy| in bursts with pauses between") if r.unrest >= 1.2 and r.span > 180 else None
