"""What others bought next: transition neighbours of the shopper's last purchases."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from features.errors import VersionMismatchError
from recsys.arrays import PAD, Floats, Ints, Longs, spans, top_per_row
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError
from recsys.shoppers import Shoppers
from recsys.tables import read_array, read_json, read_table

CARD = "neighbours.json"


@dataclass(frozen=True, eq=False)
class Transitions:
    """Neighbours of item i: `items[indptr[i]:indptr[i + 1]]` and their weights."""

    indptr: Longs  # (I + 1,)
    items: Ints
    weights: Floats
    fingerprint: str  # of the catalogue whose positions these are

    @classmethod
    def build(cls, table: Path, catalogue: Catalogue) -> "Transitions":
        """Read the table `transitions`; items that are not in the catalogue are left out."""
        rows = read_table(table, ["item_id", "neighbour_id", "weight"])
        sources = catalogue.positions(rows["item_id"].to_pylist())
        items = catalogue.positions(rows["neighbour_id"].to_pylist())
        weights = np.asarray(rows["weight"].to_numpy(), np.float32)
        known = (sources != PAD) & (items != PAD)
        sources, items, weights = sources[known], items[known], weights[known]
        order = np.lexsort((items, -weights, sources))
        counts = np.bincount(sources, minlength=len(catalogue))
        indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return cls(indptr, items[order], weights[order], catalogue.fingerprint)

    def save(self, out: Path) -> None:
        """Write the arrays and what they are bound to into a folder."""
        out.mkdir(parents=True, exist_ok=True)
        for name in ("indptr", "items", "weights"):
            np.save(out / f"{name}.npy", getattr(self, name))
        card = json.dumps({"items": self.fingerprint})
        (out / CARD).write_text(card, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Transitions":
        """Open the arrays by memory map; those of another catalogue are refused."""
        if read_json(folder / CARD) != {"items": catalogue.fingerprint}:
            raise VersionMismatchError(
                "neighbours of another catalogue",
                where=str(folder),
                fix="build the neighbours again",
            )
        indptr, items, weights = (
            read_array(folder / f"{name}.npy") for name in ("indptr", "items", "weights")
        )
        whole = len(indptr) == len(catalogue) + 1 and indptr[-1] == len(items) == len(weights)
        if not whole:
            raise ArtifactError("arrays of different lengths", where=str(folder))
        return cls(indptr, items, weights, catalogue.fingerprint)

    def weight(self, source: int, item: int) -> float:
        """How often `item` follows `source`; 0 where it never does."""
        span = slice(self.indptr[source], self.indptr[source + 1])
        return float(self.weights[span][self.items[span] == item].sum())


@register
@dataclass(frozen=True)
class Neighbours(CandidateSource):
    """Sum of the transition weights of the last few purchases; an older purchase counts less."""

    name: ClassVar[str] = "neighbours"
    transitions: Transitions
    catalogue: Catalogue
    depth: int = 5
    decay: float = 0.7

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Use the transitions of the release."""
        return cls(parts.transitions, parts.catalogue)

    def candidates(self, shoppers: Shoppers, k: int) -> tuple[Ints, Floats]:
        """Follow every one of the last items to its neighbours and add up."""
        last = shoppers.recent(self.depth)[0]  # (U, n)
        rows, ages = np.nonzero(last != PAD)
        sources = last[rows, ages]
        starts = self.transitions.indptr[sources]
        counts = self.transitions.indptr[sources + 1] - starts
        at = spans(starts, counts)
        faded = np.repeat(np.float32(self.decay) ** ages, counts)
        scores = self.transitions.weights[at] * faded.astype(np.float32)
        owner = np.repeat(rows, counts)
        return top_per_row(owner, self.transitions.items[at], scores, (len(shoppers), k))

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the purchase that leads to the item most."""
        past = shoppers.history(row)[::-1][: self.depth]
        pull = [
            self.transitions.weight(int(p), item) * self.decay**age if p != item else 0.0
            for age, p in enumerate(past)
        ]
        if not any(pull):
            return None
        return f"often bought after {self.catalogue.label(int(past[np.argmax(pull)]))}"
