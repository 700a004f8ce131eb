"""The words of the shop, read from `vocabulary.json`: departments, types, brands, seasons."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FollowUp:
    """What a purchase of one type often leads to."""

    type: str
    chance: float
    days: float


@dataclass(frozen=True)
class ProductType:
    """A kind of product: its place in the shop and how it sells."""

    name: str
    group: str
    noun: str
    price: float
    materials: tuple[str, ...]
    sizes: tuple[str, ...]
    options: str | None
    notes: tuple[str, ...]
    demand: float = 1.0
    season: str = "all year"
    every_days: float = 0.0
    fits: str | None = None
    then: tuple[FollowUp, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """All words, and the numbers that go with them as arrays over types."""

    departments: tuple[str, ...]
    brands: tuple[str, ...]
    types: tuple[ProductType, ...]
    type_department: NDArray[np.int64]  # (T,)
    brand_department: NDArray[np.int64]  # (B,)
    brand_tier: NDArray[np.int64]  # (B,)
    season: NDArray[np.float64]  # (12, T)
    tiers: tuple[float, ...]
    styles: tuple[str, ...]
    options: dict[str, list[list[str]]]
    perks: tuple[str, ...]
    series: tuple[str, ...]
    reviews: dict[str, dict[str, list[str]]]

    def index(self, name: str) -> int:
        """Look up the number of a type."""
        return next(i for i, kind in enumerate(self.types) if kind.name == name)

    def path(self, kind: int) -> list[str]:
        """Category path of a type, from broad to narrow."""
        return [
            self.departments[self.type_department[kind]],
            self.types[kind].group,
            self.types[kind].name,
        ]

    @property
    def demand(self) -> NDArray[np.float64]:
        """How often shoppers look for each type, all else equal; sums to 1."""
        demand = np.array([kind.demand for kind in self.types])
        share: NDArray[np.float64] = demand / demand.sum()
        return share

    @property
    def every_days(self) -> NDArray[np.float64]:
        """Typical days until a type is used up; 0: never."""
        return np.array([kind.every_days for kind in self.types])


def _product_type(entry: dict[str, Any]) -> ProductType:
    lists = {key: tuple(entry[key]) for key in ("materials", "sizes", "notes")}
    then = tuple(FollowUp(**follow) for follow in entry.get("then", ()))
    return ProductType(**(entry | lists | {"then": then}))


@cache
def load() -> Vocabulary:
    """Read the vocabulary."""
    raw = json.loads(Path(__file__).with_name("vocabulary.json").read_text(encoding="utf-8"))
    departments = raw["departments"]
    types = [(d, _product_type(t)) for d, part in enumerate(departments) for t in part["types"]]
    brands = [(d, *b) for d, part in enumerate(departments) for b in part["brands"].items()]
    return Vocabulary(
        departments=tuple(part["name"] for part in departments),
        brands=tuple(name for _, name, _ in brands),
        types=tuple(kind for _, kind in types),
        type_department=np.array([d for d, _ in types]),
        brand_department=np.array([d for d, _, _ in brands]),
        brand_tier=np.array([tier for _, _, tier in brands]),
        season=np.array([raw["seasons"][kind.season] for _, kind in types], float).T,
        tiers=tuple(raw["tiers"]),
        styles=tuple(raw["styles"]),
        options=raw["options"],
        perks=tuple(raw["perks"]),
        series=tuple(raw["series"]),
        reviews=raw["reviews"],
    )
