"""The index of a release: inner-product search, bound to the items' encoder and their order."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import VersionMismatchError
from recsys.arrays import Floats, Ints
from recsys.artifacts.files import sha256_of
from recsys.candidates.index_device import Device, has_gpu, to_cpu, to_device
from recsys.candidates.index_kinds import CLASSES, Kind, kind_for, make
from recsys.candidates.index_search import FEW, Rows, nearest
from recsys.candidates.rounded import WORTH, Found, Rounded
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError, extra
from recsys.parallel import WORKERS
from recsys.settings import IndexSettings
from recsys.tables import REBUILD, read_json

with extra("recsys"):
    import faiss

FILE, CARD = "items.faiss", "index.json"


def _identity(catalogue: Catalogue) -> dict[str, Any]:
    return {"encoder": catalogue.encoder, "items": catalogue.fingerprint}


def check_queries(queries: Floats, dim: int) -> Floats:
    """Lay queries out as FAISS wants them; those of another dimension are refused."""
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise VersionMismatchError(
            f"vectors of shape {queries.shape} met an index of dimension {dim}",
            fix="embed both by the same encoder",
        )
    return np.ascontiguousarray(queries, np.float32)


@dataclass(frozen=True, eq=False)
class ItemIndex:
    """Nearest items by inner product, by catalogue position."""

    index: Any
    catalogue: Catalogue
    kind: Kind = "exact"
    recall: float = 1.0  # against exact search, measured when it was built

    def __len__(self) -> int:
        return len(self.catalogue)

    @property
    def encoder(self) -> str:
        """Version of what made the vectors."""
        return self.catalogue.encoder

    @classmethod
    def build(
        cls, catalogue: Catalogue, settings: IndexSettings | None = None, *, seed: int = 0
    ) -> "ItemIndex":
        """Index all item vectors, on the CPU; one that misses too many of them is refused."""
        settings = settings or IndexSettings()
        kind = kind_for(len(catalogue), settings)
        index, recall = make(kind, catalogue.vectors, settings, seed)
        return cls(index, catalogue, kind, recall)

    def on(self, device: Device) -> "ItemIndex":
        """Give the same index, searched on a device."""
        return replace(self, index=to_device(to_cpu(self.index), device))

    def save(self, out: Path) -> None:
        """Write the index and what it is bound to into a folder."""
        out.mkdir(parents=True, exist_ok=True)
        faiss.write_index(to_cpu(self.index), str(out / FILE))
        card = {
            **_identity(self.catalogue),
            "kind": self.kind,
            "recall": self.recall,
            "sha256": sha256_of(out / FILE),
        }
        (out / CARD).write_text(json.dumps(card), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue, device: Device = "cpu") -> "ItemIndex":
        """Open an index; one of another encoder or another catalogue, or a damaged one, is refused.

        It is read by memory map; only a GPU takes all of it at once.
        """
        card = _read_card(folder / CARD)
        built_on = {key: card[key] for key in _identity(catalogue)}
        if built_on != _identity(catalogue):
            raise VersionMismatchError(
                f"built on encoder and items {built_on}, met {_identity(catalogue)}",
                where=str(folder),
                fix="build the index again",
            )
        index = _read(folder / FILE, card, mapped=device == "cpu" or not has_gpu())
        if (index.ntotal, index.d) != catalogue.vectors.shape:
            raise ArtifactError("holds other vectors than the catalogue", where=str(folder / FILE))
        return cls(to_device(index, device), catalogue, card["kind"], card["recall"])

    def begin(self, queries: Floats, k: int, *, beside: bool) -> Callable[[], Found] | None:
        """Search for one query now, or beside what the caller does meanwhile; None: not worth it.

        Many queries keep all cores busy as it is.
        """
        if len(queries) != 1 or self._rounded is None or not queries.any():
            return None
        (query,) = check_queries(queries, self.catalogue.vectors.shape[1])
        if beside and WORKERS > 1:
            return self._rounded.begin(query, k)
        found = self._rounded.best(query, k)
        return lambda: found

    def search(self, queries: Floats, k: int) -> tuple[Ints, Floats]:
        """Find the k nearest items of each query (Q, D), best first, ties by catalogue position."""
        queries = check_queries(queries, self.catalogue.vectors.shape[1])
        if len(queries) < FEW and self._rounded is not None:
            return self._rounded.search(queries, k)
        return nearest(self.index, Rows(np.asarray(self.catalogue.vectors)), queries, k)

    @cached_property
    def _rounded(self) -> Rounded | None:
        """What few queries read; many are multiplied as matrices, by FAISS."""
        exact, size = isinstance(self.index, faiss.IndexFlatIP), self.catalogue.vectors.size
        return Rounded.of(np.asarray(self.catalogue.vectors)) if exact and size in WORTH else None

    def probe(self, n: int) -> Floats:
        """Give a few of the vectors, to try a search with."""
        return np.array(self.catalogue.vectors[:n])


def _read_card(path: Path) -> dict[str, Any]:
    card = read_json(path)
    wanted = {"encoder", "items", "kind", "recall", "sha256"}
    if not isinstance(card, dict) or not wanted <= card.keys() or card["kind"] not in CLASSES:
        raise ArtifactError("is not the card of an index", where=str(path), fix=REBUILD)
    return card


def _read(path: Path, card: dict[str, Any], *, mapped: bool) -> Any:
    """Read what FAISS wrote, if it is still what the card says."""
    if not path.is_file() or sha256_of(path) != card["sha256"]:
        raise ArtifactError("is missing or damaged", where=str(path), fix=REBUILD)
    flags = faiss.IO_FLAG_MMAP if card["kind"] == "ivf" else faiss.IO_FLAG_MMAP_IFC
    try:
        index = faiss.read_index(str(path), flags if mapped else 0)
    except RuntimeError as error:
        raise ArtifactError("not a FAISS index", where=str(path), fix=REBUILD) from error
    if not isinstance(index, CLASSES[card["kind"]]):
        raise ArtifactError(f"is not of the kind {card['kind']}", where=str(path), fix=REBUILD)
    return index
