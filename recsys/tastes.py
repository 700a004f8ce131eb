"""What the hypernetwork is told of a shopper: her taste in words, who buys alike, or both.

The vectors of who buys alike are kept as they were when it was trained: learned anew, from later
purchases, they would speak another language. An item that came since says nothing there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from features.decay import normalised, prefix_vectors, user_vectors
from recsys.arrays import PAD, Floats, Ints
from recsys.candidates import LinkVectors
from recsys.candidates.collaborative import HALF_LIFE
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.shoppers import Shoppers
from recsys.tables import read_array, read_json, read_table

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.parquet as pq

with extra("llm"):
    from personalizer.embedding import Source, compose

CARD, ITEMS, VECTORS = "tastes.json", "linked_items.parquet", "linked_vectors.npy"


@dataclass(frozen=True, eq=False)
class Tastes:
    """Embeddings of shoppers, from one source or both."""

    source: Source
    words: Floats  # (I, D) of the items, by the text encoder
    half_life: float
    links: Floats | None = None  # (I, E) of the items, by what is bought near them

    @classmethod
    def of_words(cls, catalogue: Catalogue, half_life: float) -> Self:
        """What was bought, in words, and nothing else."""
        return cls("text", np.asarray(catalogue.vectors), half_life)

    def linked(self, source: Source, links: LinkVectors) -> "Tastes":
        """The same with who buys alike, as it is now: for a hypernetwork that is to be trained."""
        return Tastes(source, self.words, self.half_life, np.asarray(links.queries))

    @property
    def dim(self) -> int:
        """How long an embedding is."""
        linked = 0 if self.links is None else self.links.shape[1]
        return linked + (0 if self.source == "collaborative" else self.words.shape[1])

    def of(self, shoppers: Shoppers) -> Floats:
        """Embed shoppers (U, dim) as they are."""
        if self.links is None:
            return shoppers.vectors
        history = (shoppers.indptr, shoppers.items, shoppers.times)
        alike = user_vectors(*history, self.links, HALF_LIFE)
        return compose(self.source, text=shoppers.vectors, collaborative=alike)

    def of_items(self, items: Ints) -> Floats:
        """Embed whoever bought some items (N, K), all of like weight: (N, dim)."""
        words = normalised(self.words[items].mean(axis=1))
        if self.links is None:
            return words
        return compose(self.source, text=words, collaborative=self.links[items].mean(axis=1))

    def before(self, shoppers: Shoppers) -> Floats:
        """Embed shoppers before each of their purchases (N, dim), from strictly earlier ones."""
        history = (shoppers.indptr, shoppers.items, shoppers.times)
        words = prefix_vectors(*history, self.words, self.half_life)
        if self.links is None:
            return words
        alike = prefix_vectors(*history, self.links, HALF_LIFE)
        return compose(self.source, text=words, collaborative=alike)

    def alone(self, vectors: Floats) -> Mapping[str, Floats]:
        """By source, embeddings that are left with it alone; of one source there is nothing."""
        if self.source != "both":
            return {}
        border = self.words.shape[1]
        text, collaborative = vectors.copy(), vectors.copy()
        text[:, border:], collaborative[:, :border] = 0, 0
        return {"text": text, "collaborative": collaborative}

    def save(self, folder: Path, catalogue: Catalogue) -> None:
        """Write what a hypernetwork was trained with beside it; words alone are the catalogue's."""
        if self.links is not None:
            (folder / CARD).write_text(json.dumps({"source": self.source}), encoding="utf-8")
            pq.write_table(pa.table({"item_id": catalogue.item_ids}), folder / ITEMS)
            np.save(folder / VECTORS, self.links)

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue, half_life: float) -> Self:
        """What a hypernetwork was trained with, for the items there are now."""
        if not (folder / CARD).exists():
            return cls.of_words(catalogue, half_life)
        vectors = read_array(folder / VECTORS)
        at = catalogue.positions(read_table(folder / ITEMS, ["item_id"])["item_id"].to_pylist())
        links = np.zeros((len(catalogue), vectors.shape[1]), np.float32)
        links[at[at != PAD]] = vectors[at != PAD]
        source = read_json(folder / CARD)["source"]
        return cls(source, np.asarray(catalogue.vectors), half_life, links)
