"""The ranker's trees asked for all candidates at once: LightGBM's scores to the last bit, sooner.

LightGBM follows every tree for every candidate, and a processor can't guess its turns. Here each
split strikes out, for all candidates together and without a turn, the leaves that those who fail it
can't reach; the first leaf that is left is the candidate's. This is QuickScorer (Lucchese et al.,
SIGIR 2015).
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Bools, Floats, Ints, Longs
from recsys.compiled import compiled

Doubles = NDArray[np.float64]
Sets = NDArray[np.uint64]
MOST_LEAVES = 64  # of a tree: a set of them is one number
TILE = 256  # candidates at a time: their features stay in the processor's cache
_ZERO = np.float32(1e-35)  # what is no further from zero is zero to LightGBM
_ALL = (1 << MOST_LEAVES) - 1
# a set's lowest leaf, times this, has six first bits of its own (a de Bruijn sequence)
_SPREAD = 0x022F_DD63_CC95_386D
_LOWEST = np.argsort([(_SPREAD << leaf & _ALL) >> 58 for leaf in range(MOST_LEAVES)])


class _Split(NamedTuple):
    feature: int
    bound: np.float32
    lost_left: bool
    kept: int


class Trees(NamedTuple):
    """S splits and L leaves of T trees, one after another."""

    features: Ints  # (S,) what a split looks at
    bounds: Floats  # (S,) the largest value that goes left
    lost_left: Bools  # (S,) whether a value that is not there goes left
    kept: Sets  # (S,) the leaves that are left to who goes right
    splits: Longs  # (T + 1,) where each tree's splits begin
    values: Doubles  # (L,) from left to right
    leaves: Longs  # (T + 1,) where each tree's leaves begin

    @classmethod
    def of(cls, booster: Any) -> "Trees | None":
        """Take a booster's trees apart; None where they are of a kind that only LightGBM asks."""
        splits: list[_Split] = []
        values: list[float] = []
        begins = [(0, 0)]
        for tree in booster.dump_model()["tree_info"]:
            if tree["num_leaves"] > MOST_LEAVES or not _plain(tree["tree_structure"]):
                return None
            _take_apart(tree["tree_structure"], 0, splits, values)
            begins.append((len(splits), len(values)))
        features, bounds, lost_left, kept = zip(*splits, strict=True) if splits else ((),) * 4
        where = np.array(begins, np.int64)
        return cls(
            np.array(features, np.int32),
            np.array(bounds, np.float32),
            np.array(lost_left, np.bool_),
            np.array(kept, np.uint64),
            np.ascontiguousarray(where[:, 0]),
            np.array(values),
            np.ascontiguousarray(where[:, 1]),
        )

    def score(self, rows: Floats) -> Doubles:
        """Add up the trees for each row (N, F)."""
        scores = np.zeros(len(rows))
        _add_up(tuple(self), _LOWEST, rows, scores)
        return scores


def _plain(node: Mapping[str, Any]) -> bool:
    """Whether all splits compare a number, and know what is not there as nan or not at all."""
    return all(
        split["decision_type"] == "<=" and split["missing_type"] in {"NaN", "None"}
        for split in _splits_of(node)
    )


def _splits_of(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "split_feature" in node:
        yield node
        yield from _splits_of(node["left_child"])
        yield from _splits_of(node["right_child"])


def _take_apart(
    node: Mapping[str, Any], first: int, splits: list[_Split], values: list[float]
) -> int:
    """Add the splits and leaves below a node, the tree's `first` leaf being the first of them.

    Returns how many leaves these are.
    """
    if "split_feature" not in node:
        values.append(node["leaf_value"])
        return 1
    left = _take_apart(node["left_child"], first, splits, values)
    right = _take_apart(node["right_child"], first + left, splits, values)
    bound = node["threshold"]
    # where nothing was missing in training, LightGBM reads what is not there as zero
    lost_left = node["default_left"] if node["missing_type"] == "NaN" else bound >= 0
    struck = ((1 << left) - 1) << first
    splits.append(_Split(node["split_feature"], _at_most(bound), lost_left, _ALL ^ struck))
    return left + right


def _at_most(bound: float) -> np.float32:
    """The largest number of single precision that is no larger."""
    with np.errstate(over="ignore"):
        near = np.float32(bound)
    return near if float(near) <= bound else np.nextafter(near, np.float32(-np.inf))


@compiled
def _add_up(trees: Any, lowest: Any, rows: Any, scores: Any) -> None:
    features, bounds, lost_left, kept, splits, values, leaves = trees
    columns = np.empty((rows.shape[1], TILE), np.float32)
    left = np.empty(TILE, np.uint64)
    for start in range(0, len(rows), TILE):
        many = min(TILE, len(rows) - start)
        for row in range(many):
            for column in range(rows.shape[1]):
                read = rows[start + row, column]
                columns[column, row] = np.float32(0) if abs(read) <= _ZERO else read
        for tree in range(len(splits) - 1):
            left[:many] = np.uint64(_ALL)
            for split in range(splits[tree], splits[tree + 1]):
                value, bound, rest = columns[features[split]], bounds[split], kept[split]
                # written twice, so that nan, which compares false, goes the way it should
                if lost_left[split]:
                    for row in range(many):
                        left[row] = left[row] & rest if value[row] > bound else left[row]
                else:
                    for row in range(many):
                        left[row] = left[row] if value[row] <= bound else left[row] & rest
            first = leaves[tree]
            for row in range(many):
                one = left[row] & (~left[row] + np.uint64(1))
                leaf = lowest[(one * np.uint64(_SPREAD)) >> np.uint64(58)]
                scores[start + row] += values[first + leaf]
