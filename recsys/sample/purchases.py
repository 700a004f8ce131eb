"""Purchases as arrays, and how they are put in order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.sample import calendar

Ints = NDArray[np.int64]

REASONS = ("taste", "follow-up", "replenishment")
TASTE, FOLLOW_UP, REPLENISHMENT = range(3)


@dataclass(frozen=True)
class Purchases:
    """Who bought what, when and why; `root` is the visit from which it all began."""

    user: Ints
    item: Ints
    time: Ints
    reason: Ints
    root: Ints

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Purchases":
        """Keep some of the rows."""
        return Purchases(
            self.user[rows], self.item[rows], self.time[rows], self.reason[rows], self.root[rows]
        )


def together(parts: list[Purchases]) -> Purchases:
    """Several sets of purchases as one."""
    return Purchases(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("user", "item", "time", "reason", "root")
        )
    )


def once_each(bought: Purchases, lasting: NDArray[np.bool_]) -> Purchases:
    """Keep the first purchase of what lasts; what is used up may come again."""
    order = np.lexsort((bought.time, bought.item, bought.user))
    user, item = bought.user[order], bought.item[order]
    again = np.zeros(len(order), np.bool_)
    again[1:] = (user[1:] == user[:-1]) & (item[1:] == item[:-1]) & lasting[item[1:]]
    return bought.take(order[~again])


def thin(bought: Purchases, target: int, rng: np.random.Generator) -> Purchases:
    """Drop whole visits, with all that came of them, until about `target` lie in the window.

    The first visit of each shopper stays.
    """
    visits = int(bought.root.max()) + 1
    size = np.bincount(bought.root[bought.time < calendar.END], minlength=visits)
    begun = bought.take(bought.reason == TASTE)
    begun = begun.take(np.lexsort((begun.time, begun.user)))
    first = np.zeros(visits, np.bool_)
    first[begun.root[np.unique(begun.user, return_index=True)[1]]] = True
    rest = size[~first].sum()
    keep = first | (rng.random(visits) * rest < target - size[first].sum())
    return bought.take(keep[bought.root])


def in_order(bought: Purchases) -> Purchases:
    """By shopper and time, each shopper's times strictly increasing."""
    bought = bought.take(np.lexsort((bought.time, bought.user)))
    span = 4 * (calendar.HORIZON - calendar.START)
    count = np.arange(len(bought))
    key = bought.user * span + bought.time - calendar.START
    time = np.maximum.accumulate(key - count) + count - bought.user * span + calendar.START
    return Purchases(bought.user, bought.item, time, bought.reason, bought.root)
