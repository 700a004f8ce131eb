"""Let methods make their lists: the baselines, our order of retrieval, our two-stage ranking."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from recsys.arrays import PAD, Ints
from recsys.errors import StageError
from recsys.evaluation.baselines import Baseline
from recsys.evaluation.baselines.base import Progress
from recsys.evaluation.case import Case
from recsys.ladder import Rung
from recsys.pipeline.observer import Observer
from recsys.recommend import Recommender

STAGE = "evaluate"
WIDTH = 200  # the longest list that is measured
POPULARITY, HEADLINE = "popularity", "tailor"
# our own methods: how high each may climb, and the stages it takes to get there
OURS = {
    "retrieval": (Rung.RETRIEVAL, ("index",)),
    HEADLINE: (Rung.RANKER, ("index", "ranker")),
}


@dataclass
class Made:
    """The methods' lists, what they took, and which methods failed."""

    lists: dict[str, Ints] = field(default_factory=dict)  # (U, WIDTH) each
    fit: dict[str, float] = field(default_factory=dict)
    score: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def make_lists(
    case: Case,
    recommender: Recommender,
    kinds: Sequence[type[Baseline]],
    seed: int,
    observer: Observer,
) -> Made:
    """Let every method make its lists; a baseline that fails does not stop the others."""
    made, total = Made(), len(kinds) + len(OURS)
    for done, kind in enumerate(kinds):
        observer.event(STAGE, "method", kind.name)
        try:
            _baseline(case, kind, seed, made, partial(_within, observer, done, total))
        except Exception as error:
            made.failed[kind.name] = str(error) or type(error).__name__
        observer.progress(STAGE, done + 1, total)
    for done, name in enumerate(OURS, start=len(kinds)):
        observer.event(STAGE, "method", name)
        _ours(case, recommender, name, made)
        observer.progress(STAGE, done + 1, total)
    return made


def _within(observer: Observer, done: int, total: int, part: int, whole: int) -> None:
    """Tell how far along a method is as a share of all methods."""
    observer.progress(STAGE, done * whole + part, total * whole)


def _baseline(case: Case, kind: type[Baseline], seed: int, made: Made, progress: Progress) -> None:
    began = time.monotonic()
    model = kind.fit(case.known, case.catalogue, seed=seed, progress=progress)
    fitted = time.monotonic()
    made.lists[kind.name] = model.lists(case.shoppers, WIDTH)
    made.fit[kind.name] = round(fitted - began, 3)
    made.score[kind.name] = round(time.monotonic() - fitted, 3)


def _ours(case: Case, recommender: Recommender, name: str, made: Made) -> None:
    """Lists as they are served: no longer than the pool, with padding behind."""
    rung, _ = OURS[name]
    began = time.monotonic()
    lists = recommender.recommend(case.shoppers, min(WIDTH, recommender.options.pool), highest=rung)
    if (fallen := lists.rung != rung).any():  # another method's lists must not go by this name
        raise StageError(
            f"{int(fallen.sum())} of {len(lists)} lists came from a lower rung",
            where=f"method {name}",
            fix="; ".join(lists.failures),
        )
    made.score[name] = round(time.monotonic() - began, 3)
    behind = ((0, 0), (0, WIDTH - lists.items.shape[1]))
    made.lists[name] = np.pad(lists.items, behind, constant_values=PAD)
