"""How items lead to items: sparse matrices, opened by memory map, bound to their catalogue."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import VersionMismatchError
from recsys.arrays import PAD, Floats, Ints, spans
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError, extra
from recsys.sparse import Links, matrix, pruned, top_of_rows
from recsys.tables import read_array, read_json, read_table

with extra("recsys"):
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer

CARD = "matrix.json"
ARRAYS = ("indptr", "items", "weights")
WIDTH = 100  # items kept around an item, where a matrix is made here
BRANCH = 50  # neighbours followed at each of two steps
BLOCK = 1024
# a word in more than this share of the catalogue tells items apart badly and costs most
COMMON = 0.1


@dataclass(frozen=True, eq=False)
class ItemMatrix:
    """Row i holds the items that item i leads to, and how strongly."""

    rows: Any  # scipy CSR (I, I), indices sorted
    fingerprint: str  # of the catalogue whose positions these are

    @classmethod
    def from_table(cls, table: Path, catalogue: Catalogue, weight: str = "weight") -> "ItemMatrix":
        """Read a table of pairs; items that are not in the catalogue are left out."""
        pairs = read_table(table, ["item_id", "neighbour_id", weight])
        sources = catalogue.positions(pairs["item_id"].to_pylist())
        items = catalogue.positions(pairs["neighbour_id"].to_pylist())
        known = (sources != PAD) & (items != PAD)
        weights = np.asarray(pairs[weight].to_numpy(), np.float32)[known]
        size = len(catalogue)
        return cls(
            matrix(sources[known], items[known], weights, (size, size)), catalogue.fingerprint
        )

    @cached_property
    def read(self) -> Links:
        """The same, as it is followed."""
        return Links.of(self.rows)

    def save(self, out: Path) -> None:
        """Write the arrays and what they are bound to into a folder."""
        out.mkdir(parents=True, exist_ok=True)
        parts = (self.rows.indptr, self.rows.indices, self.rows.data)
        for name, part in zip(ARRAYS, parts, strict=True):
            np.save(out / f"{name}.npy", part)
        (out / CARD).write_text(json.dumps({"items": self.fingerprint}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "ItemMatrix":
        """Open the arrays by memory map; those of another catalogue are refused."""
        if read_json(folder / CARD) != {"items": catalogue.fingerprint}:
            raise VersionMismatchError(
                "neighbours of another catalogue",
                where=str(folder),
                fix="build the neighbours again",
            )
        indptr, items, weights = (read_array(folder / f"{name}.npy") for name in ARRAYS)
        size = len(catalogue)
        whole = len(indptr) == size + 1 and indptr[-1] == len(items) == len(weights)
        if not whole or (len(items) and not 0 <= items.min() <= items.max() < size):
            raise ArtifactError("arrays that don't belong together", where=str(folder))
        return cls(
            sparse.csr_array((weights, items, indptr), shape=(size, size)), catalogue.fingerprint
        )

    def weights(self, sources: Ints, item: int) -> Floats:
        """How strongly each of `sources` (N,) leads to `item`; 0 where one never does."""
        starts = self.rows.indptr[sources].astype(np.int64)
        counts = self.rows.indptr[sources + 1] - starts
        at = spans(starts, counts)
        there = self.rows.indices[at] == item
        found = np.zeros(len(sources), np.float32)
        found[np.repeat(np.arange(len(sources)), counts)[there]] = self.rows.data[at[there]]
        return found

    def scaled(self, columns: Floats) -> "ItemMatrix":
        """The same links, each weighed by the item it leads to."""
        rows = self.rows.copy()
        rows.data = rows.data * columns[rows.indices]
        return ItemMatrix(rows, self.fingerprint)

    def twice(self) -> "ItemMatrix":
        """Follow two links in a row: neighbours of neighbours, themselves left out."""
        near = pruned(self.rows, BRANCH)
        far = _without_itself(near @ near)
        return ItemMatrix(pruned(far, 2 * WIDTH), self.fingerprint)


def _without_itself(rows: Any) -> Any:
    found = rows.tocoo()
    other = found.row != found.col
    return matrix(found.row[other], found.col[other], found.data[other], rows.shape)


def wording(catalogue: Catalogue) -> ItemMatrix:
    """Items told in the same words: squared cosine of TF-IDF over title, brand and categories."""
    texts = [
        " ".join(filter(None, (title, brand, *path)))
        for title, brand, path in zip(
            catalogue.titles, catalogue.brands, catalogue.categories, strict=True
        )
    ]
    size = len(catalogue)
    empty = ItemMatrix(matrix([], [], [], (size, size)), catalogue.fingerprint)
    vectoriser = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), min_df=2, dtype=np.float32,
        max_df=max(2, int(COMMON * size)),
    )  # fmt: skip
    try:
        words = sparse.csr_array(vectoriser.fit_transform(texts))
    except ValueError:  # no two items share a word
        return empty
    found = [_nearest(words, start) for start in range(0, size, BLOCK)]
    rows, items, values = (np.concatenate(part) for part in zip(*found, strict=True))
    return ItemMatrix(matrix(rows, items, values**2, (size, size)), catalogue.fingerprint)


def _nearest(words: Any, start: int) -> tuple[Ints, Ints, Floats]:
    """The items nearest to a block of items, as loose triples."""
    near = words[start : start + BLOCK] @ words.T
    items, values = top_of_rows(near, WIDTH + 1)
    rows, places = np.nonzero(items != PAD)
    items, values = items[rows, places], values[rows, places]
    other = items != rows + start
    return (rows[other] + start).astype(np.int32), items[other], values[other]
