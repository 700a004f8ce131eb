"""How a shopper buys, as clauses: a verb and what follows, with how much it stands out."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from personalizer.profiles.template.facts import Facts
from personalizer.profiles.template.words import every, listed, number

__all__ = ["Clause", "clauses"]


class Clause(NamedTuple):
    """A clause without its subject."""

    strength: float
    verb: str
    rest: str

    def said(self, *, third: bool) -> str:
        """The clause after "this shopper" (third) or "they"."""
        ending = ("es" if self.verb.endswith(("ch", "sh", "x")) else "s") if third else ""
        return f"{self.verb}{ending} {self.rest}"


def clauses(facts: Facts, pick: int) -> list[Clause]:
    """What stands out, strongest first."""
    found = [clause for part in _PARTS for clause in part(facts, pick)]
    return sorted(found, key=lambda clause: -clause.strength)


def _brand(f: Facts, pick: int) -> Iterator[Clause]:
    if f.branded < 3:
        return
    brand, count = f.brands[0]
    share, kinds = count / f.branded, len(f.brand_labels[brand])
    second = f.brands[1] if len(f.brands) > 1 else ("", 0)
    if count >= 2 and count == second[1] and 2 * count >= f.branded * 0.6:
        yield Clause(0.75, "favour", f"{brand} and {second[0]}")
    elif count >= 3 and share >= 0.3 and kinds > 1:
        wide = (
            listed(sorted(f.brand_labels[brand])[:2])
            if kinds == 2
            else f"{number(kinds)} kinds of products"
        )
        forms = (
            ("trust", f"{brand} across {wide}"),
            ("return", f"to {brand} for {wide}"),
            ("buy", f"{brand} for {wide}"),
        )
        yield Clause(0.5 + share, *forms[pick % 3])
    elif count >= 3 and share >= 0.3:
        forms = (
            ("stay", f"with {brand}"),
            ("return", f"to {brand} again and again"),
            ("prefer", brand),
        )
        yield Clause(0.5 + share, *forms[pick % 3])
    elif count == 1 and f.branded >= 5 and not f.many:
        yield (
            Clause(0.45, "choose", "a different brand every time")
            if pick % 2
            else Clause(0.45, "follow", "no brand in particular")
        )


def _price(f: Facts, pick: int) -> Iterator[Clause]:
    if f.price is None or f.purchases < 3:
        return
    if f.price >= 0.66:
        forms = (
            ("pick", "from the upper end of the price range"),
            ("pay", "more than most for the same kind of product"),
            ("choose", "the dearer option more often than not"),
        )
        yield Clause(0.2 + f.price, *forms[pick // 3 % 3])
    elif f.price <= 0.34:
        forms = (
            ("keep", "to the low end of the price range"),
            ("look", "for the cheaper choice"),
            ("spend", "little per item"),
        )
        yield Clause(1.2 - f.price, *forms[pick // 3 % 3])
    elif f.price_spread >= 0.33 and f.purchases >= 6:
        yield Clause(0.4, "mix", "bargains with some of the dearest in their category")
    elif f.price_spread <= 0.18 and f.purchases >= 5:
        yield Clause(0.35, "stay", "in the middle of the price range")


def _again(f: Facts, pick: int) -> Iterator[Clause]:
    if f.many:
        return
    if f.reorders >= 2:
        often = "" if f.reorders == 2 else f", {number(f.reorders)} times so far"
        verb, back = (("reorder", ""), ("come", "back for "))[pick // 2 % 2]
        yield Clause(0.55 + 0.1 * f.reorders, verb, f"{back}the same {f.reordered}{often}")
    elif f.variety >= 0.9 and f.purchases >= 6 and len(f.aisles) > 1:
        yield Clause(0.4, "buy", "hardly anything of the same kind twice")


def _rhythm(f: Facts, pick: int) -> Iterator[Clause]:
    r = f.rhythm
    if f.many or f.purchases < 4 or not r.days:
        return
    if f.purchases / r.days >= 1.9:
        per = f.purchases / r.days
        size = "a whole basket" if per >= 4 else f"{number(round(per))} or more items"
        if r.days == 1:
            yield Clause(0.6, "order", "everything in one go")
        else:
            forms = (("order", f"{size} at a time"), ("place", f"few orders, each of {size}"))
            yield Clause(0.6, *forms[pick // 5 % 2])
    elif r.days >= 4 and r.unrest <= 0.6 and r.gap < 240:
        forms = (("order", f"steadily, {every(r.gap)}"), ("come", f"back {every(r.gap)}"))
        yield Clause(0.85 - r.unrest / 2, *forms[pick // 5 % 2])
    elif r.days >= 5 and r.unrest >= 1.4 and r.span > 180:
        yield Clause(0.5, "buy", "in bursts with long pauses between")


_PARTS: tuple[Callable[[Facts, int], Iterator[Clause]], ...] = (_brand, _price, _again, _rhythm)
