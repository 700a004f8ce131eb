"""The index that answers now, and its replacement by another without a pause."""

from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from features.errors import VersionMismatchError
from recsys.arrays import Floats
from recsys.errors import ArtifactError, RecallError

PROBES = 8


class Servable(Protocol):
    """What every index can do."""

    @property
    def encoder(self) -> str:
        """Version of what made the vectors."""

    @property
    def recall(self) -> float:
        """Share of the nearest that it finds."""

    def search(self, queries: Floats, k: int) -> tuple[Any, Floats]:
        """Find the k nearest of each query and their scores."""

    def probe(self, n: int) -> Floats:
        """Give a few of the vectors, to try a search with."""


Index = TypeVar("Index", bound=Servable)


class Serving(Generic[Index]):
    """Holds the index that answers. Who asks takes `current` once and works with that one."""

    def __init__(self, index: Index, *, encoder: str, min_recall: float = 0.98) -> None:
        self.encoder, self.min_recall = encoder, min_recall  # of the queries; at least
        self._current = self._checked(index)

    @property
    def current(self) -> Index:
        """The index to ask: whole, whatever is swapped meanwhile."""
        return self._current

    def swap(self, index: Index) -> None:
        """Let another index answer from now on; if it is refused, the present one stays."""
        self._current = self._checked(index)  # one assignment: readers see either

    def _checked(self, index: Index) -> Index:
        if index.encoder != self.encoder:
            raise VersionMismatchError(
                f"an index of encoder {index.encoder!r}, queries are made by {self.encoder!r}",
                fix="build the index from embeddings of that encoder",
            )
        if index.recall < self.min_recall:
            raise RecallError(
                f"the index has a recall of {index.recall:.4f}, {self.min_recall} is asked for",
                fix="build it with a higher index.min_recall, or exact",
            )
        _try(index)
        return index


def _try(index: Servable) -> None:
    """Ask for the items that are nearest to some items: most must find themselves, or a better."""
    vectors = index.probe(PROBES)
    try:
        scores = index.search(vectors, 1)[1]
    except Exception as error:  # whatever is wrong with it, it must not serve
        raise ArtifactError(f"the index answers no search: {error}") from error
    if not len(vectors) or scores.shape != (len(vectors), 1):
        raise ArtifactError("the index holds no items", fix="build it from a catalogue with items")
    itself = np.vecdot(vectors, vectors)
    if np.mean(scores[:, 0] >= itself * (1 - 1e-5)) < 0.5:
        raise ArtifactError("the index does not find its own items", fix="build it again")
