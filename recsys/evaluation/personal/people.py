"""Who teaches and who is asked, and what: each shopper's latest purchase of a kind she knew.

Everything a question tells of a shopper is strictly earlier than its answer; the other options
are of categories that she never bought from, before or after.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from features.decay import prefix_vectors
from personalizer.splits import out_of_distribution, random_split
from recsys.arrays import PAD, Floats, Ints, Longs, spans
from recsys.candidates import ItemMatrix
from recsys.catalogue import Catalogue
from recsys.errors import StageError
from recsys.evaluation.preference.answers import seeded
from recsys.evaluation.preference.laws import Asked, Stock, law_named
from recsys.evaluation.preference.questions import Questions
from recsys.shoppers import Shoppers
from recsys.sparse import matrix

OPTIONS = 4
LEAST = 10  # shoppers of a split
SOON = 3  # purchases that one counts as bought soon after another


@dataclass(frozen=True, eq=False)
class Group:
    """Shoppers as they were just before a purchase, and what they were asked about it."""

    shoppers: Shoppers
    questions: Questions

    def __len__(self) -> int:
        return len(self.questions)


@dataclass(frozen=True, eq=False)
class People:
    """Shoppers who teach, and those held out, by what they are held out for."""

    teachers: Shoppers
    asked: Mapping[str, Group]  # validation, random, ood


def part(
    catalogue: Catalogue, shoppers: Shoppers, *, half_life: float, most: int, seed: int
) -> People:
    """Hold whole shoppers out: clusters apart first, then a random share of all the others.

    `most` are asked of each split. The out-of-distribution shoppers are whole clusters, so that
    nobody who teaches is of theirs.
    """
    before = prefix_vectors(
        shoppers.indptr, shoppers.items, shoppers.times, np.asarray(catalogue.vectors), half_life
    )
    stock = Stock(catalogue, np.bincount(shoppers.items, minlength=len(catalogue)), "leaf")
    at = latest(shoppers, stock, before)
    rows = np.flatnonzero(at != PAD)
    most = min(most, len(rows) // 4)
    if most < LEAST:
        raise StageError(
            f"{len(rows)} shoppers bought twice in a category",
            where="held-out shoppers",
            fix=f"give the purchases of {4 * LEAST} such shoppers at least",
        )
    # clusters are told by whole shoppers, not by the moment they happen to be asked about
    apart = rows[out_of_distribution(shoppers.vectors[rows], most, seed=seed).test]
    rest = np.setdiff1d(rows, apart)
    held = rest[random_split(shoppers.vectors[rest], 2 * most, seed=seed).test]
    drawn = np.random.default_rng([seed, 21]).permutation(held)
    splits = {"validation": drawn[:most], "random": drawn[most:], "ood": apart}
    questioner = _Questioner(stock, shoppers, before, at, seed)
    return People(
        shoppers.take(np.setdiff1d(np.arange(len(shoppers)), np.concatenate([apart, held]))),
        {name: questioner.ask(some) for name, some in splits.items()},
    )


def latest(shoppers: Shoppers, stock: Stock, before: Floats) -> Longs:
    """Where in all histories each shopper's question is (U,); -1: she can't be asked.

    The latest first purchase of an item with a title, in a category bought from strictly earlier.
    """
    codes, titles = stock.codes, stock.catalogue.titles
    found = np.full(len(shoppers), PAD, np.int64)
    for row, (start, end) in enumerate(zip(shoppers.indptr[:-1], shoppers.indptr[1:], strict=True)):
        items, times = shoppers.items[start:end], shoppers.times[start:end]
        for place in range(end - start - 1, 0, -1):
            item, earlier = items[place], times[:place] < times[place]
            known = items[:place][earlier]
            if (
                codes[item] != PAD
                and titles[item]
                and (codes[known] == codes[item]).any()
                and not (items[:place] == item).any()
                and before[start + place].any()
            ):
                found[row] = start + place
                break
    return found


@dataclass(frozen=True, eq=False)
class _Questioner:
    """Draws what stands beside each answer."""

    stock: Stock
    shoppers: Shoppers
    before: Floats  # embedding before each purchase
    at: Longs  # (U,) which purchase is asked about
    seed: int

    def ask(self, rows: Longs) -> Group:
        """Shoppers as they were, and their options; who leaves too few strange items is not."""
        drawn = {row: others for row in rows.tolist() if (others := self._others(row)) is not None}
        chosen = np.array(list(drawn), np.int64)
        at = self.at[chosen]
        return Group(
            before_question(self.shoppers, chosen, at, self.before[at]),
            Questions.mixed(
                self.shoppers.user_ids[chosen],
                self.shoppers.items[at],
                np.array(list(drawn.values()), np.int32),
                self.seed,
            ),
        )

    def _others(self, row: int) -> Ints | None:
        rng = np.random.default_rng(seeded(str(self.shoppers.user_ids[row]), self.seed))
        history = self.shoppers.history(row).astype(np.int64)
        asked = Asked(self.stock, int(self.shoppers.items[self.at[row]]), history)
        drawn = law_named("uniform").draw(asked, OPTIONS - 1, rng)
        titles = self.stock.catalogue.titles
        return drawn if drawn is not None and all(titles[item] for item in drawn) else None


def links_among(shoppers: Shoppers, catalogue: Catalogue) -> ItemMatrix:
    """Which items some shoppers bought soon after which: the nearer, the more."""
    owner = np.repeat(np.arange(len(shoppers)), shoppers.lengths)
    found = []
    for apart in range(1, SOON + 1):
        there = np.flatnonzero(owner[:-apart] == owner[apart:])
        found.append((shoppers.items[there], shoppers.items[there + apart], apart))
    sources, targets = (np.concatenate([each[n] for each in found]) for n in (0, 1))
    weights = np.concatenate([np.full(len(each[0]), 1 / each[2]) for each in found])
    other, size = sources != targets, len(catalogue)
    return ItemMatrix(
        matrix(sources[other], targets[other], weights[other], (size, size)),
        catalogue.fingerprint,
    )


def before_question(shoppers: Shoppers, rows: Longs, at: Longs, vectors: Floats) -> Shoppers:
    """Cut some shoppers' histories to what is strictly earlier than a purchase of theirs."""
    starts = shoppers.indptr[rows]
    earlier = [
        int((shoppers.times[start:end] < shoppers.times[end]).sum())
        for start, end in zip(starts.tolist(), at.tolist(), strict=True)
    ]
    counts = np.array(earlier, np.int64)
    kept = spans(starts, counts)
    return replace(
        shoppers.take(rows),
        indptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        items=shoppers.items[kept],
        times=shoppers.times[kept],
        vectors=vectors,
    )
