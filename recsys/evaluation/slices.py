"""Parts of the measured shoppers: a mean over everyone hides whom a method helps.

A slice is a mask over shoppers. Slices overlap: a shopper stands in every one that fits.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import PAD, Bools, Ints, Longs

# history lengths, both ends included
HISTORIES = {"cold": (0, 2), "short": (3, 9), "long": (10, None)}
THIRDS = {
    "head_items": "target among the most bought",
    "torso_items": "target bought middling often",
    "tail_items": "target among the least bought",
}
CATEGORIES = 5


class Slice(NamedTuple):
    """Some of the shoppers, and what they have in common in words."""

    mask: Bools  # (U,)
    label: str


def standard_slices(
    lengths: NDArray[Any],
    targets: Ints,
    popularity: NDArray[Any],
    catalogue_categories: Sequence[tuple[str, ...]],
    tie_safe: Bools | None = None,
) -> dict[str, Slice]:
    """Make the slices of every evaluation; `tie_safe` marks targets bought at an instant alone.

    Where purchases share the target's instant, the order that makes one of them the target is
    made up: only `tie_safe` shoppers say what a method knows of order.
    """
    safe = {} if tie_safe is None else {"tie_safe": Slice(tie_safe, "target bought alone")}
    return {
        **safe,
        **by_history(lengths),
        **by_popularity(targets, popularity),
        **by_category(targets, catalogue_categories),
    }


def by_history(lengths: NDArray[Any]) -> dict[str, Slice]:
    """Part shoppers by the purchases known of them."""
    slices = {}
    for name, (least, most) in HISTORIES.items():
        words = f"{least} or more" if most is None else f"{least} to {most}"
        inside = (lengths >= least) & (lengths <= (np.inf if most is None else most))
        slices[name] = Slice(inside, f"{words} purchases")
    return slices


def by_popularity(targets: Ints, popularity: NDArray[Any]) -> dict[str, Slice]:
    """Part shoppers by how often their target was bought in the statistics.

    The most bought items that make up a third of all purchases are the head, then come torso and
    tail. A target that is not in the catalogue is in none of them.
    """
    bought = np.asarray(popularity, np.float64)
    order = np.argsort(-bought, kind="stable")
    before = np.cumsum(bought[order]) - bought[order]  # purchases of what is bought more often
    third = np.empty(len(bought), np.int64)
    third[order] = np.minimum(3 * before // max(bought.sum(), 1), 2)
    known, sold = targets != PAD, bought[targets] > 0
    slices = {
        name: Slice(known & sold & (third[targets] == place), label)
        for place, (name, label) in enumerate(THIRDS.items())
    }
    return slices | {"new_items": Slice(known & ~sold, "target never bought before")}


def by_category(
    targets: Ints, categories: Sequence[tuple[str, ...]], most: int = CATEGORIES
) -> dict[str, Slice]:
    """Take out the commonest categories of targets, at the second level of the path."""
    # the first level often names the whole shop
    names = np.array([path[1] if len(path) > 1 else "" for path in categories] + [""], object)
    of_target = names[targets]  # -1 is the last one, without a name
    found, counts = np.unique(of_target[of_target != ""], return_counts=True)
    commonest = found[np.argsort(-counts, kind="stable")][:most]
    return {
        f"category: {name}": Slice(of_target == name, f"target in {name}") for name in commonest
    }


def by_novelty(
    owner: Longs, items: Ints, targets: Ints, categories: Sequence[tuple[str, ...]]
) -> dict[str, Slice]:
    """Take out whose target is of a category she never bought from: beyond what is known of her.

    `owner` and `items` are the purchases of the histories, `owner` the shopper's row. Categories
    are those at the second level.
    """
    names = [path[1] if len(path) > 1 else "" for path in categories]
    code_of = {name: code for code, name in enumerate(dict.fromkeys(names))}
    codes = np.array([code_of[name] for name in names], np.int64)
    named = np.array([bool(name) for name in names], bool)
    width = len(code_of)
    bought = np.unique(owner * width + codes[items])
    wanted = np.arange(len(targets)) * width + codes[np.maximum(targets, 0)]
    known = (targets != PAD) & named[np.maximum(targets, 0)]
    outside = known & ~np.isin(wanted, bought)
    return {"ood": Slice(outside, "target in a category new to the shopper")}


def by_persona(groups: Longs, tastes: Sequence[str]) -> dict[str, Slice]:
    """Part shoppers by the group of their taste (-1: none), told by what it likes."""
    return {
        f"persona: {group + 1}": Slice(groups == group, f"a group that likes {taste}")
        for group, taste in enumerate(tastes)
    }


def filled(slices: Mapping[str, Slice] | None) -> dict[str, Slice]:
    """Leave out the slices that hold nobody."""
    return {name: part for name, part in (slices or {}).items() if part.mask.any()}
