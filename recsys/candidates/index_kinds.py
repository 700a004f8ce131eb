"""The kinds of index: exact, lists around centroids (IVF), a graph (HNSW).

An approximate one has one dial, the recall it must reach; the rest follows from the number of
items. It searches wider and wider until it finds what an exact search finds.
"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from recsys.arrays import Floats
from recsys.candidates.index_search import SLACK, Rows, has_lists, nearest
from recsys.errors import RecallError, extra
from recsys.settings import IndexSettings

with extra("recsys"):
    import faiss

Kind = Literal["exact", "ivf", "hnsw"]
CLASSES = {
    "exact": faiss.IndexFlatIP,
    "ivf": faiss.IndexIVFFlat,
    "hnsw": faiss.IndexHNSWFlat,
}
DEPTH = 100  # recall is of so many nearest
PROBES, MIXTURES, MIXED = 750, 250, 3
LINKS, CARE = 32, 128  # of the graph: links per item, candidates looked at for each while building


def kind_for(items: int, settings: IndexSettings) -> Kind:
    """How so many items are searched. There is nothing to learn from none: exact."""
    if not items:
        return "exact"
    if settings.kind != "auto":
        return settings.kind
    return "exact" if items < settings.exact_below else settings.approximate


def make(kind: Kind, vectors: Floats, settings: IndexSettings, seed: int) -> tuple[Any, float]:
    """Index vectors; the id of each is its row. Returns the index and the recall it reaches."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    if kind == "exact":
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index, 1.0
    index = _lists(vectors, seed) if kind == "ivf" else _graph(vectors)
    return index, _tune(index, vectors, settings.min_recall, seed)


def _lists(vectors: Floats, seed: int) -> Any:
    items, dim = vectors.shape
    lists = max(1, min(round(items**0.5), items // 39))  # FAISS wants 39 to learn a centroid from
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed
    index.cp.min_points_per_centroid = 1  # what is too few is told by the recall, not on stderr
    index.train(vectors)
    index.add(vectors)
    return index


def _graph(vectors: Floats) -> Any:
    index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = CARE
    index.add(vectors)
    return index


def _efforts(index: Any) -> Iterator[int]:
    """How wide to search: doubled each time, up to where an exact search would do as well."""
    if has_lists(index):
        effort, most = 4, min(index.nlist, max(32, index.nlist // 4))
    else:
        effort, most = 128, 2048
    while effort < most:
        yield effort
        effort *= 2
    yield most


def _set_effort(index: Any, effort: int) -> None:
    if has_lists(index):
        index.nprobe = effort
    else:
        index.hnsw.efSearch = effort


def _tune(index: Any, vectors: Floats, wanted: float, seed: int) -> float:
    """Search wider until the recall is reached."""
    queries = _queries(vectors, seed)
    border = _border(vectors, queries)
    reached = 0.0
    for effort in _efforts(index):
        _set_effort(index, effort)
        reached = _recall(index, vectors, queries, border)
        if reached >= wanted:
            return reached
    raise RecallError(
        f"finds {reached:.4f} of the {DEPTH} nearest at its widest, index.min_recall is {wanted}",
        where=f"index of {len(vectors)} items ({type(index).__name__})",
        fix="set index.kind to exact, try the other of ivf and hnsw, or lower index.min_recall",
    )


def _queries(vectors: Floats, seed: int) -> tuple[Floats, Floats]:
    """What is asked in earnest: items, and mixtures of a few items, as taste vectors are."""
    rng = np.random.default_rng(seed)
    some = rng.choice(len(vectors), min(PROBES, len(vectors)), replace=False)
    mixed = np.sort(rng.integers(len(vectors), size=(MIXTURES, MIXED)), axis=1)
    means = vectors[mixed].mean(axis=1)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return vectors[some], means / np.maximum(lengths, np.finfo(np.float32).tiny)


def _border(vectors: Floats, queries: tuple[Floats, Floats]) -> list[Floats]:
    """The exact score of the last that must be found, per query."""
    depth = min(DEPTH, len(vectors))
    width = min(depth + SLACK, len(vectors))
    borders = []
    for asked in queries:
        fetched = faiss.knn(asked, vectors, width, metric=faiss.METRIC_INNER_PRODUCT)[1]
        borders.append(Rows(vectors).best(fetched, asked, depth)[1][:, -1:])
    return borders


def _recall(
    index: Any, vectors: Floats, queries: tuple[Floats, Floats], borders: list[Floats]
) -> float:
    """Share of the nearest that is found: for items or for mixtures, whichever is worse."""
    found = [
        nearest(index, Rows(vectors), asked, min(DEPTH, len(vectors)))[1] >= border
        for asked, border in zip(queries, borders, strict=True)
    ]
    return float(min(np.mean(hits) for hits in found))
