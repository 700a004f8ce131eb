"""Exact inner-product search over the item vectors, bound to their encoder and their order."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import VersionMismatchError
from recsys.arrays import Floats, Ints, order_rows
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError, extra
from recsys.tables import read_json

with extra("recsys"):
    import faiss

# fetched beyond k, so that near-ties at the border are decided by us and not by the search
SLACK = 16
FEW, THREADS = 32, faiss.omp_get_max_threads()
FILE, CARD = "items.faiss", "index.json"


def _identity(catalogue: Catalogue) -> dict[str, Any]:
    return {"encoder": catalogue.encoder, "items": catalogue.fingerprint}


@dataclass(frozen=True, eq=False)
class ItemIndex:
    """Nearest items by inner product."""

    index: Any
    catalogue: Catalogue

    @classmethod
    def build(cls, catalogue: Catalogue) -> "ItemIndex":
        """Index all item vectors."""
        index = faiss.IndexFlatIP(catalogue.vectors.shape[1])
        index.add(np.ascontiguousarray(catalogue.vectors, np.float32))
        return cls(index, catalogue)

    def save(self, out: Path) -> None:
        """Write the index and what it is bound to into a folder."""
        out.mkdir(parents=True, exist_ok=True)
        faiss.write_index(self.index, str(out / FILE))
        (out / CARD).write_text(json.dumps(_identity(self.catalogue)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "ItemIndex":
        """Read an index; one of another encoder or another catalogue is refused."""
        built_on = read_json(folder / CARD)
        if built_on != _identity(catalogue):
            raise VersionMismatchError(
                f"built on encoder and items {built_on}, met {_identity(catalogue)}",
                where=str(folder),
                fix="build the index again",
            )
        try:
            index = faiss.read_index(str(folder / FILE))
        except RuntimeError as error:
            raise ArtifactError("not a FAISS index", where=str(folder / FILE)) from error
        if (index.ntotal, index.d) != catalogue.vectors.shape:
            raise ArtifactError("holds other vectors than the catalogue", where=str(folder / FILE))
        return cls(index, catalogue)

    def search(self, queries: Floats, k: int) -> tuple[Ints, Floats]:
        """Find the k nearest items of each query (Q, D), best first, ties by catalogue position.

        FAISS's own scores differ in the last bits between one query and many; they are computed
        again, so that a shopper gets the same list alone and in a batch.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        # threads that wait for each other cost more than they bring to a few queries
        faiss.omp_set_num_threads(1 if len(queries) < FEW else THREADS)
        fetched = self.index.search(queries, min(k + SLACK, len(self.catalogue)))[1]
        items = fetched.astype(np.int32)  # (Q, K)
        scores = np.matmul(self.catalogue.vectors[items], queries[:, :, None])[..., 0]
        order = order_rows(items, scores)[:, :k]
        return np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1)
