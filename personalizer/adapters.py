"""Adapters on demand: made for a batch of shoppers at once, kept while there is room.

A kept adapter is found only by everything it was made from, so a new purchase, another encoder or
another hypernetwork can't be served an old one.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from personalizer.errors import PersonalizerError, extra
from personalizer.hypernet import HyperNetwork
from personalizer.lora import Adapters, Pair, rows_of, stack

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["AdapterKey", "AdapterStore", "Shopper", "Usage"]


@dataclass(frozen=True)
class Shopper:
    """Whom an adapter is for: her embedding, and the lineage of what it was made from."""

    id: str
    vector: NDArray[np.float32]  # (D,)
    lineage: str = ""  # encoder, profile and history, by the caller's own versions


@dataclass(frozen=True)
class AdapterKey:
    """Everything an adapter was made from."""

    hypernet: str
    lineage: str
    vector: bytes  # digest: a changed embedding is another adapter, whatever its lineage says

    @property
    def version(self) -> str:
        """A short name of it all, for the adapter's immutable name."""
        whole = "\0".join((self.hypernet, self.lineage, self.vector.hex()))
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Usage:
    """What the store holds and how it was used."""

    hits: int
    misses: int
    evicted: int
    kept: int
    bytes: int


class AdapterStore:
    """Makes adapters and keeps those used last, up to so many bytes."""

    def __init__(self, hypernet: HyperNetwork, version: str, *, most_bytes: int = 1 << 28) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[AdapterKey, dict[str, Pair]] = OrderedDict()
        self._most, self._bytes = most_bytes, 0
        self._hits = self._misses = self._evicted = 0
        self._hypernet, self._version = hypernet.eval(), version

    @property
    def version(self) -> str:
        """The hypernetwork's version."""
        return self._version

    @property
    def hypernet(self) -> HyperNetwork:
        """What makes the adapters."""
        return self._hypernet

    def usage(self) -> Usage:
        """Count what was found, made and let go."""
        with self._lock:
            return Usage(self._hits, self._misses, self._evicted, len(self._kept), self._bytes)

    def replace(self, hypernet: HyperNetwork, version: str) -> None:
        """Go on with another hypernetwork; nothing made by the old one is served again."""
        if version == self._version:
            raise PersonalizerError(
                f"two hypernetworks of the version {version!r}",
                where="AdapterStore.replace",
                fix="name every trained hypernetwork anew",
            )
        with self._lock:
            self._hypernet, self._version = hypernet.eval(), version
            self._kept.clear()
            self._bytes = 0

    def key(self, shopper: Shopper) -> AdapterKey:
        """By what a shopper's adapter is found."""
        vector = np.ascontiguousarray(shopper.vector, np.float32)
        return AdapterKey(
            self._version, shopper.lineage, hashlib.sha256(vector.tobytes()).digest()[:16]
        )

    @torch.inference_mode()
    def adapters(self, shoppers: Sequence[Shopper]) -> Adapters:
        """Give the adapters of shoppers (at least one) in their order; the missing in one pass."""
        self._check(shoppers)
        with self._lock:
            keys = [self.key(shopper) for shopper in shoppers]
            found = {key: self._kept[key] for key in keys if key in self._kept}
            new = {k: s for k, s in zip(keys, shoppers, strict=True) if k not in found}
            self._hits += len(keys) - len(new)
            self._misses += len(new)
            made = self._make(list(new.values())) if new else {}
            if len(new) == len(keys):  # the usual case of a fresh batch: no copy
                self._keep(dict(zip(new, _each(made, len(new)), strict=True)))
                return made
            found |= dict(zip(new, _each(made, len(new)), strict=True))
            self._keep(found)
        return stack([found[key] for key in keys])

    def _check(self, shoppers: Sequence[Shopper]) -> None:
        dim = self._hypernet.user_dim
        for shopper in shoppers:
            if shopper.vector.shape != (dim,) or not np.isfinite(shopper.vector).all():
                raise PersonalizerError(
                    f"a vector of shape {shopper.vector.shape}, or not finite",
                    where=f"shopper {shopper.id!r}",
                    fix=f"give {dim} finite numbers",
                )

    def _make(self, shoppers: Sequence[Shopper]) -> dict[str, Pair]:
        device = next(self._hypernet.parameters()).device
        vectors = np.stack([np.asarray(shopper.vector, np.float32) for shopper in shoppers])
        made: dict[str, Pair] = self._hypernet(torch.from_numpy(vectors).to(device))
        return made

    def _keep(self, adapters: dict[AdapterKey, dict[str, Pair]]) -> None:
        """Put adapters where the last used stand, and let go of the first."""
        for key, adapter in adapters.items():
            if key not in self._kept:
                # a copy: a view would keep the whole batch in memory
                self._kept[key] = {k: Pair(p.a.clone(), p.b.clone()) for k, p in adapter.items()}
                self._bytes += _bytes(adapter)
            self._kept.move_to_end(key)
        while self._bytes > self._most:
            _, adapter = self._kept.popitem(last=False)
            self._bytes -= _bytes(adapter)
            self._evicted += 1


def _each(adapters: dict[str, Pair], count: int) -> list[dict[str, Pair]]:
    return [rows_of(adapters, slice(row, row + 1)) for row in range(count)]


def _bytes(adapter: dict[str, Pair]) -> int:
    return sum(part.numel() * part.element_size() for pair in adapter.values() for part in pair)
