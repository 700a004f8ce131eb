"""What a candidate source is, what it is built from, and the list of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, TypeVar

from recsys.arrays import Floats, Ints
from recsys.catalogue import Catalogue, ItemStats
from recsys.errors import SettingsError
from recsys.sales import Sales
from recsys.shoppers import Shoppers

if TYPE_CHECKING:
    from recsys.candidates.collaborative import Collaborative
    from recsys.candidates.faiss_index import ItemIndex
    from recsys.candidates.matrices import ItemMatrix

DEPTH = 200  # a source's proposals that are heard


@dataclass(frozen=True)
class Parts:
    """All that sources are built from."""

    catalogue: Catalogue
    item_stats: ItemStats
    sales: Sales
    index: "ItemIndex"
    collaborative: "Collaborative"
    matrices: Mapping[str, "ItemMatrix"]  # by name: `recsys.candidates.MATRICES`


class Proposal(Protocol):
    """What a source says of some shoppers: its best items, and how it scores any items."""

    def top(self, k: int) -> tuple[Ints, Floats]:
        """Find the best k items of each shopper and their scores: both (U, k).

        No item stands twice in a row; rows are padded with -1 and -inf; ties break by position.
        """
        ...

    def at(self, items: Ints) -> Floats:
        """Scores of the items (U, P), proposed or not; 0 where the source has nothing to say."""
        ...


class CandidateSource(ABC):
    """Proposes items to shoppers and scores them; a row depends on its own shopper alone.

    Who gives a source nothing to go by gets nothing.
    """

    name: ClassVar[str]
    personal: ClassVar[bool] = True  # False: the same for everyone
    vote: ClassVar[float] = 1.0  # weight in the pool; 0: it proposes nothing and only scores
    embedding: ClassVar[str] = ""  # what it goes by, `text` or `collaborative`; "": neither
    turn: ClassVar[int] = 2  # 0: asked first, as its search goes on beside what the others do

    @classmethod
    @abstractmethod
    def build(cls, parts: Parts) -> Self:
        """Make the source from the parts of a release."""

    @abstractmethod
    def ask(self, shoppers: Shoppers) -> Proposal:
        """Ask for what it has to say of some shoppers."""

    @abstractmethod
    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Why this source proposes the item to the shopper, in words that are true; None: no."""

    def candidates(self, shoppers: Shoppers, k: int) -> tuple[Ints, Floats]:
        """Find the best k items of each shopper and their scores: both (U, k)."""
        return self.ask(shoppers).top(k)


SOURCES: dict[str, type[CandidateSource]] = {}
Source = TypeVar("Source", bound=CandidateSource)


def register(source: type[Source]) -> type[Source]:
    """Add a source to those that `build_sources` knows."""
    SOURCES[source.name] = source
    return source


# left out: `fused`; whether it adds recall to its two halves was not measured
DEFAULT = (
    "repeat",
    "neighbours",
    "neighbours_of_neighbours",
    "co_purchases",
    "wording",
    "collaborative",
    "similar_to_last",
    "similar_to_taste",
    "favourites",
    "fresh",
    "popular",
    "neighbours_of_last",
    "neighbours_of_all",
    "neighbours_of_neighbours_of_last",
    "co_purchases_of_last",
    "co_purchases_of_all",
    "together",
    "together_with_last",
    "wording_of_last",
    "wording_of_all",
)


def build_sources(parts: Parts, names: Sequence[str] = DEFAULT) -> list[CandidateSource]:
    """Build the named sources, in that order."""
    unknown = [name for name in names if name not in SOURCES]
    if unknown:
        raise SettingsError(
            f"unknown candidate source {unknown[0]!r}", fix=f"known: {', '.join(sorted(SOURCES))}"
        )
    return [SOURCES[name].build(parts) for name in names]
