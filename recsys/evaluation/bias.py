"""What lists lean to beside accuracy: what sells anyway, and what costs more than is bought."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import PAD, Floats, Ints
from recsys.evaluation.metrics import Ids


def biases(
    methods: Mapping[str, Ids], targets: Ints, popularity: NDArray[Any], prices: Floats, k: int
) -> dict[str, Any]:
    """Mean standing in sales and mean price of what is shown, beside what was bought.

    Standing: the share of items that are bought less often, so that 0.5 is the middle of the
    catalogue. Prices: over items that have one; None where nothing shown does.
    """
    standing = _standing(popularity)
    shown = {name: _flat(lists[:, :k]) for name, lists in methods.items()}
    bought = targets[targets != PAD]
    return {
        "k": k,
        "bought": _leans(bought, standing, prices),
        "methods": {name: _leans(items, standing, prices) for name, items in shown.items()},
    }


def _flat(lists: Ids) -> Ints:
    flat: Ints = lists[lists != PAD]
    return flat


def _standing(popularity: NDArray[Any]) -> NDArray[np.float64]:
    """Share of items bought less often; as often counts half (I,)."""
    ordered = np.sort(popularity)
    below = np.searchsorted(ordered, popularity, "left")
    upto = np.searchsorted(ordered, popularity, "right")
    return (below + upto) / 2 / max(len(popularity), 1)


def _leans(items: Ints, standing: NDArray[np.float64], prices: Floats) -> dict[str, Any]:
    priced = prices[items]
    priced = priced[np.isfinite(priced)]
    return {
        "standing": float(standing[items].mean()) if len(items) else None,
        "price": float(priced.mean()) if len(priced) else None,
        "price_median": float(np.median(priced)) if len(priced) else None,
    }
