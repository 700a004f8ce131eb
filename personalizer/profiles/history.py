"""What a profile is made of: purchases in their order, or texts that a person wrote."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

__all__ = ["History", "Item", "Purchase"]


@dataclass(frozen=True, eq=False)
class Item:
    """One product of the catalogue; every purchase of it points to the same object."""

    item_id: str
    title: str
    categories: tuple[str, ...] = ()  # from broad to narrow
    brand: str = ""
    price_level: float | None = None  # 0..1 within its category


class Purchase(NamedTuple):
    """One purchase."""

    item: Item
    seconds: int  # since 1970, UTC; 0 where unknown


@dataclass(frozen=True)
class History:
    """One person up to a moment, oldest first; `digest` tells two histories apart."""

    user_id: str
    purchases: tuple[Purchase, ...] = ()
    texts: tuple[str, ...] = ()
    digest: str = ""
    many: int = 0  # of how many shoppers the purchases are, where not of one

    def since(self, known: int) -> "History":
        """The purchases after the first `known`."""
        return replace(self, purchases=self.purchases[known:])

    @property
    def last_seconds(self) -> int:
        """When the last purchase was made; 0 where there is none."""
        return self.purchases[-1].seconds if self.purchases else 0

    @classmethod
    def of_titles(cls, titles: Sequence[str], user_id: str = "") -> "History":
        """A history known by its titles alone; nobody knows when they were bought."""
        return cls(user_id, tuple(Purchase(Item(f"{n}", t), 0) for n, t in enumerate(titles)))
