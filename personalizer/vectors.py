"""What every text encoder is, without loading one."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Encoder", "Progress", "Vectors"]

Progress = Callable[[int, int], None]  # (done, total)
Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """What `TextEncoder` and `CachedEncoder` share."""

    @property
    def version(self) -> str:
        """Name and weights, for the lineage of what was computed."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Encode texts as rows (N, D) of length one."""
