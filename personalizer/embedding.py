"""What a shopper's embedding is made of: text, who buys alike, or both side by side."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from personalizer.errors import PersonalizerError

__all__ = ["Source", "compose"]

Source = Literal["text", "collaborative", "both"]
Vectors = NDArray[np.float32]


def compose(source: Source, *, text: Vectors | None, collaborative: Vectors | None) -> Vectors:
    """Embeddings (U, D) for the hypernetwork, each part of length one; zeros stay nobody's."""
    wanted = {"text": [text], "collaborative": [collaborative], "both": [text, collaborative]}
    parts = [part for part in wanted[source] if part is not None]
    if len(parts) < len(wanted[source]) or len({len(part) for part in parts}) > 1:
        raise PersonalizerError(
            f"{[part.shape for part in parts]} for {source!r}",
            where="shoppers' embeddings",
            fix="give the vectors it names, of the same shoppers",
        )
    return np.concatenate([_unit(part) for part in parts], axis=1)


def _unit(part: Vectors) -> Vectors:
    length = np.linalg.norm(part, axis=1, keepdims=True)
    unit: Vectors = (part / np.where(length > 0, length, 1)).astype(np.float32)
    return unit
