"""Items as vectors learned from what is bought near each other: a spectral view of the links.

A shopper is the decayed mean of her items' vectors, by the function that makes her taste vector.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from features.decay import decayed_means, normalised
from features.errors import VersionMismatchError
from recsys.arrays import Floats
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.matrices import ItemMatrix
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.settings import IndexSettings
from recsys.shoppers import Shoppers
from recsys.tables import read_array, read_json

with extra("recsys"):
    from scipy import sparse
    from sklearn.utils.extmath import randomized_svd

DIMENSIONS = 128
HALF_LIFE = (
    2.0  # purchases; shorter than taste: what is bought next depends on what was just bought
)
CARD, QUERIES, ANSWERS, FAISS = "collaborative.json", "queries.npy", "answers.npy", "faiss"


@dataclass(frozen=True, eq=False)
class Collaborative:
    """Two vectors per item: what it says of whoever bought it, and what it answers to."""

    queries: Floats  # (I, D) of length one, zeros for an item without links
    index: ItemIndex  # of the answers; their length grows with how often an item is linked

    @classmethod
    def learn(
        cls,
        links: ItemMatrix,
        catalogue: Catalogue,
        settings: IndexSettings | None = None,
        *,
        seed: int = 0,
    ) -> "Collaborative":
        """Take the leading vectors of the symmetric, degree-normalised links.

        `links` weigh by support, so that a link seen once counts for one.
        """
        both = (links.rows + links.rows.T).astype(np.float32)
        degree = np.asarray(both.sum(axis=1)).ravel() + 1
        even = sparse.diags_array(degree**-0.5)
        dim = max(1, min(DIMENSIONS, len(catalogue) // 4))
        left, values, _ = randomized_svd(
            sparse.csr_matrix(even @ both @ even), dim, n_iter=6, random_state=seed
        )
        spread = (left * np.sqrt(values)).astype(np.float32)
        answers = spread * (degree[:, None] ** 0.25)
        longest = np.linalg.norm(answers, axis=1).max(initial=0) or 1
        made = _with(catalogue, (answers / longest).astype(np.float32))
        return cls(normalised(spread), ItemIndex.build(made, settings, seed=seed))

    @property
    def version(self) -> str:
        """Names these vectors: learned again from other links, they can't be compared."""
        digest = hashlib.sha256(np.ascontiguousarray(self.queries).tobytes()).hexdigest()
        return f"links-{self.queries.shape[1]}-{digest[:12]}"

    def vectors(self, shoppers: Shoppers) -> Floats:
        """Shoppers (U, D), from their histories; zeros where nothing is known."""
        later = shoppers.later[0]
        return decayed_means(shoppers.indptr, shoppers.items, later, self.queries, HALF_LIFE)

    def save(self, out: Path) -> None:
        """Write vectors and index into a folder."""
        out.mkdir(parents=True, exist_ok=True)
        np.save(out / QUERIES, self.queries)
        np.save(out / ANSWERS, self.index.catalogue.vectors)
        self.index.save(out / FAISS)
        card = {
            "items": self.index.catalogue.fingerprint,
            "version": self.version,
            "half_life": HALF_LIFE,
        }
        (out / CARD).write_text(json.dumps(card), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue, device: str = "cpu") -> "Collaborative":
        """Open what was saved; vectors of another catalogue are refused."""
        if read_json(folder / CARD).get("items") != catalogue.fingerprint:
            raise VersionMismatchError(
                "vectors of another catalogue", where=str(folder), fix="build the index again"
            )
        made = _with(catalogue, read_array(folder / ANSWERS))
        index = ItemIndex.load(folder / FAISS, made, device)  # type: ignore[arg-type]
        return cls(read_array(folder / QUERIES), index)


def _with(catalogue: Catalogue, vectors: Floats) -> Catalogue:
    """The same items with other vectors."""
    return replace(catalogue, vectors=vectors, encoder=f"links-{vectors.shape[1]}")
