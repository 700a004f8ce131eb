"""Distractor laws: where the wrong options of a question come from.

Four options chosen at will prove little: each law takes away one way to guess. A law only says
which products may stand beside an answer; which of them do is drawn.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import PAD, Bools, Ints, Longs
from recsys.catalogue import Catalogue
from recsys.errors import SettingsError
from recsys.evaluation.preference.answers import category_codes

NEAREST = 50  # items that read most like the answer
CLOSE = 5  # times as many as are drawn count as equally popular

Answer = Literal["hidden", "next"]


@dataclass(frozen=True, eq=False)
class Stock:
    """What a law may know of the catalogue; purchases are counted without the answers."""

    catalogue: Catalogue
    bought: NDArray[np.int64]  # (I,) how often
    level: int | str

    @cached_property
    def codes(self) -> Ints:
        """Category of each item at the level (I,); -1: none."""
        return category_codes(self.catalogue.categories, self.level)


@dataclass(frozen=True, eq=False)
class Asked:
    """One shopper and the answer."""

    stock: Stock
    answer: int
    hers: Longs  # all that she ever bought, the answer too

    @cached_property
    def new(self) -> Bools:
        """Which items she never bought (I,)."""
        never = np.ones(len(self.stock.codes), bool)
        never[self.hers] = False
        return never

    @property
    def strange(self) -> Bools:
        """Which items are of categories that she never bought from (I,)."""
        codes = self.stock.codes
        here: Bools = self.new & (codes != PAD) & ~np.isin(codes, np.unique(codes[self.hers]))
        return here

    @property
    def beside(self) -> Bools:
        """Which items, new to her, are of the answer's category (I,)."""
        codes = self.stock.codes
        here: Bools = self.new & (codes != PAD) & (codes == codes[self.answer])
        return here


class Law(ABC):
    """Which items may stand beside an answer."""

    name: ClassVar[str]
    answer: ClassVar[Answer] = "hidden"  # or the purchase that came next
    told: ClassVar[str]  # in a few words, for reports

    @abstractmethod
    def allowed(self, asked: Asked, many: int, rng: np.random.Generator) -> Longs:
        """Items that `many` distractors may be drawn from."""

    def draw(self, asked: Asked, many: int, rng: np.random.Generator) -> Ints | None:
        """Distractors of one question, all different; None where there are too few."""
        allowed = self.allowed(asked, many, rng)
        if len(allowed) < many:
            return None
        return rng.choice(allowed, many, replace=False).astype(np.int32)


LAWS: dict[str, Law] = {}


def register(law: type[Law]) -> type[Law]:
    """Add a law to those that `law_named` knows."""
    LAWS[law.name] = law()
    return law


def law_named(name: str) -> Law:
    """A law by its name."""
    if name not in LAWS:
        raise SettingsError(
            f"no distractor law {name!r}", where="preference", fix=f"one of {', '.join(LAWS)}"
        )
    return LAWS[name]


def as_popular(asked: Asked, inside: Bools, many: int, rng: np.random.Generator) -> Longs:
    """Of some items, those bought about as often as the answer."""
    items = np.flatnonzero(inside)
    sold = np.log1p(asked.stock.bought.astype(np.float64))
    far = np.abs(sold[items] - sold[asked.answer])
    order = np.lexsort((rng.random(len(items)), far))  # of equals, any
    nearest: Longs = items[order[: many * CLOSE]]
    return nearest


@register
class Uniform(Law):
    """The paper's: any items of categories she never bought from."""

    name = "uniform"
    told = "from categories never bought"

    def allowed(self, asked: Asked, many: int, rng: np.random.Generator) -> Longs:  # noqa: ARG002
        """All of them alike."""
        return np.flatnonzero(asked.strange)


@register
class Popularity(Law):
    """From categories she never bought from, bought about as often as the answer."""

    name = "popularity"
    told = "from categories never bought, as popular as the answer"

    def allowed(self, asked: Asked, many: int, rng: np.random.Generator) -> Longs:
        """The nearest by purchases."""
        return as_popular(asked, asked.strange, many, rng)


@register
class SameCategory(Law):
    """Never bought, of the answer's own category."""

    name = "same-category"
    told = "from the answer's category"

    def allowed(self, asked: Asked, many: int, rng: np.random.Generator) -> Longs:  # noqa: ARG002
        """All of them alike."""
        return np.flatnonzero(asked.beside)


@register
class Similar(Law):
    """Never bought, among the items that read most like the answer."""

    name = "similar"
    told = f"among the {NEAREST} that read most like the answer"

    def allowed(self, asked: Asked, many: int, rng: np.random.Generator) -> Longs:  # noqa: ARG002
        """The nearest by the text encoder."""
        vectors = asked.stock.catalogue.vectors
        near = np.where(asked.new, vectors @ vectors[asked.answer], -np.inf)
        most = min(NEAREST, int(asked.new.sum()))
        if not most:
            return np.empty(0, np.int64)
        return np.argpartition(-near, most - 1)[:most]


@register
class Hard(Law):
    """Of the answer's category and about as popular: neither gives it away."""

    name = "hard"
    told = "from the answer's category, as popular as the answer"

    def allowed(self, asked: Asked, many: int, rng: np.random.Generator) -> Longs:
        """The nearest by purchases within the category."""
        return as_popular(asked, asked.beside, many, rng)


class _Next:
    """The answer is what she bought next, and everything stands as it did before that."""

    answer: ClassVar[Answer] = "next"


@register
class Next(_Next, SameCategory):
    """What she bought next, beside others of its category."""

    name = "next"


@register
class NextUniform(_Next, Uniform):
    """What she bought next, beside items of categories she never bought from."""

    name = "next-uniform"


@register
class NextPopularity(_Next, Popularity):
    """What she bought next, beside items as popular, of categories she never bought from."""

    name = "next-popularity"


@register
class NextSimilar(_Next, Similar):
    """What she bought next, beside items that read like it."""

    name = "next-similar"


@register
class NextHard(_Next, Hard):
    """What she bought next, beside items of its category and popularity."""

    name = "next-hard"
