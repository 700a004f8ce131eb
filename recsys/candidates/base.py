"""What a candidate source is, what it is built from, and the list of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from recsys.arrays import Floats, Ints
from recsys.catalogue import Catalogue, ItemStats
from recsys.errors import SettingsError
from recsys.shoppers import Shoppers

if TYPE_CHECKING:
    from recsys.candidates.faiss_index import ItemIndex
    from recsys.candidates.neighbours import Transitions


@dataclass(frozen=True)
class Parts:
    """All that sources are built from."""

    catalogue: Catalogue
    item_stats: ItemStats
    index: "ItemIndex"
    transitions: "Transitions"


class CandidateSource(ABC):
    """Proposes items to shoppers, best first.

    A row depends on its own shopper alone, holds no item twice, and is padded with -1 and -inf.
    Ties break by catalogue position. Who gives a source nothing to go by gets nothing.
    """

    name: ClassVar[str]
    personal: ClassVar[bool] = True  # False: the same for everyone

    @classmethod
    @abstractmethod
    def build(cls, parts: Parts) -> Self:
        """Make the source from the parts of a release."""

    @abstractmethod
    def candidates(self, shoppers: Shoppers, k: int) -> tuple[Ints, Floats]:
        """Find the best k items of each shopper and their scores: both (U, k)."""

    @abstractmethod
    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Why this source proposes the item to the shopper, in words that are true; None: no."""


SOURCES: dict[str, type[CandidateSource]] = {}
Source = TypeVar("Source", bound=CandidateSource)


def register(source: type[Source]) -> type[Source]:
    """Add a source to those that `build_sources` knows."""
    SOURCES[source.name] = source
    return source


# the order of the round-robin blend: what knows the shopper best comes first
DEFAULT = (
    "repeat",
    "neighbours",
    "similar_to_last",
    "similar_to_taste",
    "favourites",
    "popular",
)


def build_sources(parts: Parts, names: Sequence[str] = DEFAULT) -> list[CandidateSource]:
    """Build the named sources, in that order."""
    unknown = [name for name in names if name not in SOURCES]
    if unknown:
        raise SettingsError(
            f"unknown candidate source {unknown[0]!r}", fix=f"known: {', '.join(sorted(SOURCES))}"
        )
    return [SOURCES[name].build(parts) for name in names]
