"""The catalogue in memory, and the items' statistics at a moment.

An item is its position here. Positions follow a seeded hash of the ids, so that a position carries
no information and breaking ties by position is breaking them by seeded hash.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import VersionMismatchError
from recsys.arrays import PAD, Bools, Floats, Ints
from recsys.errors import ArtifactError
from recsys.tables import read_array, read_json, read_table


def _codes(values: Sequence[str | None]) -> tuple[Ints, list[str]]:
    """Code per value and the name per code; an absent value has the code -1."""
    names = sorted({v for v in values if v})
    code = {name: position for position, name in enumerate(names)}
    return np.fromiter((code.get(v or "", PAD) for v in values), np.int32, len(values)), names


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All items, aligned: position i is one item in every field."""

    item_ids: Sequence[str]
    titles: Sequence[str]
    categories: Sequence[tuple[str, ...]]  # path from broad to narrow
    brands: Sequence[str | None]
    prices: Floats  # (I,), nan where unknown
    vectors: Floats  # (I, D), L2-normalised
    encoder: str  # version of what made the vectors

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def index(self) -> dict[str, int]:
        """Position by id."""
        return {item: position for position, item in enumerate(self.item_ids)}

    @cached_property
    def fingerprint(self) -> str:
        """Changes when an item comes, goes or moves: what positions are bound to."""
        return hashlib.sha256("\n".join(self.item_ids).encode()).hexdigest()

    @cached_property
    def leaves(self) -> tuple[Ints, list[str]]:
        """Code of each item's narrowest category (-1: none) and the category per code."""
        return _codes([" > ".join(path) if path else None for path in self.categories])

    @cached_property
    def parent_codes(self) -> Ints:
        """Code of the category above each item's narrowest one; -1: none."""
        return _codes([" > ".join(path[:-1]) or None for path in self.categories])[0]

    @cached_property
    def makers(self) -> tuple[Ints, list[str]]:
        """Code of each item's brand (-1: none) and the brand per code."""
        return _codes(self.brands)

    def in_category(self, name: str) -> Bools:
        """Which items (I,) have a category of that name anywhere on their path."""
        members = np.zeros(len(self), bool)
        members[self._by_category.get(name, [])] = True
        return members

    @cached_property
    def _by_category(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for item, path in enumerate(self.categories):
            for name in set(path):
                found.setdefault(name, []).append(item)
        return found

    @property
    def leaf_codes(self) -> Ints:
        """Code of each item's narrowest category; -1: none."""
        return self.leaves[0]

    @property
    def brand_codes(self) -> Ints:
        """Code of each item's brand; -1: none."""
        return self.makers[0]

    @cached_property
    def group_codes(self) -> Ints:
        """Codes of category, parent category and brand (3, I)."""
        return np.stack((self.leaf_codes, self.parent_codes, self.brand_codes))

    def positions(self, ids: Iterable[str]) -> Ints:
        """Positions of ids; -1 for an id that is not in the catalogue."""
        return np.fromiter((self.index.get(item, PAD) for item in ids), np.int32)

    def label(self, item: int) -> str:
        """Name an item before a person."""
        return self.titles[item] or f"item {self.item_ids[item]}"

    @classmethod
    def load(cls, items: Path, embeddings: Path) -> "Catalogue":
        """Read the canonical items in the order of their embeddings; refuse what doesn't match."""
        card = read_json(embeddings / "encoder.json")
        vectors = read_array(embeddings / "items.npy")
        ids = read_table(embeddings / "item_ids.parquet", ["item_id"])["item_id"].to_pylist()
        _check_vectors(vectors, ids, card, embeddings)
        rows = {row["item_id"]: row for row in read_table(items, _COLUMNS).to_pylist()}
        _check_same_items(set(ids), set(rows), items, embeddings)
        ordered = [rows[item] for item in ids]
        return cls(
            item_ids=ids,
            titles=[row["title"] or "" for row in ordered],
            categories=[tuple(row["categories"] or ()) for row in ordered],
            brands=[row["brand"] for row in ordered],
            prices=np.array([row["price"] for row in ordered], dtype=np.float32),
            vectors=np.asarray(vectors),  # still mapped, without the cost of the subclass
            encoder=card["encoder"],
        )


_COLUMNS = ("item_id", "title", "categories", "brand", "price")


def _check_vectors(vectors: Floats, ids: list[str], card: Any, where: Path) -> None:
    if not isinstance(card, dict) or not {"encoder", "dim"} <= card.keys():
        raise ArtifactError("encoder.json names no encoder or dim", where=str(where))
    expected = (len(ids), card["dim"])
    if vectors.shape != expected or vectors.dtype != np.float32:
        raise ArtifactError(
            f"items.npy is {vectors.dtype} {vectors.shape}, its ids and encoder say {expected}",
            where=str(where),
            fix="build the embeddings again",
        )


def _check_same_items(embedded: set[str], listed: set[str], items: Path, embeddings: Path) -> None:
    if embedded != listed:
        raise VersionMismatchError(
            f"{len(listed - embedded)} items have no embedding, "
            f"{len(embedded - listed)} embeddings have no item",
            where=f"{items} and {embeddings}",
            fix="build the embeddings from this item table",
        )


@dataclass(frozen=True, eq=False)
class ItemStats:
    """Item statistics at a moment, aligned to the catalogue.

    An item that was never sold has counts of zero; what can't be known of it is nan.
    """

    purchases: Floats
    buyers: Floats
    purchases_30d: Floats
    purchases_90d: Floats
    mean_rating: Floats
    age_days: Floats
    price_level: Floats

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "ItemStats":
        """Read the view `item_stats`."""
        names = [field.name for field in fields(cls)]
        table = read_table(folder, ["item_id", *names])
        positions = catalogue.positions(table["item_id"].to_pylist())
        known = positions != PAD
        columns: dict[str, Floats] = {}
        for name in names:
            column = np.full(len(catalogue), np.nan if name in _UNKNOWABLE else 0, np.float32)
            column[positions[known]] = table[name].to_numpy()[known]
            columns[name] = column
        return cls(**columns)


_UNKNOWABLE = {"mean_rating", "age_days", "price_level"}
