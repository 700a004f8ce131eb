"""`tailor` on the preference task: everything that is known of an option, joined and calibrated.

Two steps. Boosted trees read what the ranker sees of the options; they learn from questions that
are not measured, and say of each of those only what they learned from other shoppers. A conditional
logit then joins their score with the single scorers' and the adapted model's, on validation
questions; its shares are probabilities, and a temperature keeps them honest.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Floats
from recsys.evaluation.preference.boosted import Boosted, out_of_fold
from recsys.evaluation.preference.harness import Harness
from recsys.evaluation.preference.logit import ConditionalLogit, standardised
from recsys.evaluation.preference.scorers.simple import CategoryOverlap, MiniLmBest, MiniLmMean
from recsys.evaluation.preference.task import Asked, Task
from recsys.evaluation.preference.view import View

HEADLINE = "tailor"
MODEL = "p2p"  # what the adapted model says
RANKER = "ranker"
TREES = "trees"
SHUFFLED, WITHOUT = "tailor_shuffled_profile", "tailor_without_model"

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Columns:
    """The single scores of some questions, each standardised within its question: (N, K, C)."""

    names: tuple[str, ...]
    values: Scores

    def without(self, name: str) -> "Columns":
        """All but one."""
        kept = [at for at, known in enumerate(self.names) if known != name]
        return Columns(tuple(self.names[at] for at in kept), self.values[..., kept])


def singles(view: View, vectors: Floats | None = None) -> dict[str, Scores]:
    """What single scorers say; `vectors` stand in for the shoppers' own before the model."""
    sold = np.log1p(view.sold[view.options].astype(np.float64))
    found: dict[str, Scores] = {
        "popularity": sold,
        "minilm_best": MiniLmBest().score(view),
        "minilm_mean": MiniLmMean().score(view),
        "category_overlap": CategoryOverlap().score(view),
    }
    for name in ("co_purchases_of_all", "neighbours", "collaborative", "wording_of_all"):
        found[name] = view.feature(f"score_{name}").astype(np.float64)
    if view.ranker is not None:
        found[RANKER] = view.ranked.astype(np.float64)
    if view.personal is not None:
        told = view.adapted if vectors is None else view.personal.adapted(vectors, view.options)
        found[MODEL] = told.astype(np.float64)
    return found


def columns_of(asked: Asked, trees: Scores, vectors: Floats | None = None) -> Columns:
    """All scores of some questions, the trees' among them."""
    found = singles(asked.view, vectors)
    # the trees' scores are utilities already: how far apart they are is how sure they are
    planes = [*map(standardised, found.values()), trees - trees.mean(axis=1, keepdims=True)]
    return Columns((*found, TREES), np.stack(planes, axis=2))


@dataclass(frozen=True, eq=False)
class Joined:
    """The trees, the logit, and what both say of the questions they learned from."""

    trees: Boosted
    task: Task
    joining: Asked  # of the validation
    validated: Columns  # of the validation's questions, by trees that never saw them

    @classmethod
    def fit(cls, task: Task, joining: Asked, seed: int) -> "Joined":
        """Learn from earlier lessons where there are any, else from the validation alone.

        `joining` are the first of the validation's questions.
        """
        validation = task.validation
        seen, right = validation.view.features[1], validation.questions.right
        if task.lessons:
            values = [lesson.view.features[1] for lesson in task.lessons]
            answers = [lesson.questions.right for lesson in task.lessons]
            # what stands before the moment teaches; the validation then joins, and teaches last
            blind = Boosted.fit(np.concatenate(values), np.concatenate(answers), seed)
            told = blind.score(seen)
            trees = Boosted.fit(
                np.concatenate([*values, seen]), np.concatenate([*answers, right]), seed
            )
        else:
            told = out_of_fold(seen, right, seed)
            trees = Boosted.fit(seen, right, seed)
        return cls(trees, task, joining, columns_of(joining, told[: len(joining)]))

    def logit(self, columns: Columns) -> ConditionalLogit:
        """Join some of the columns, on the validation's questions."""
        return ConditionalLogit.fit(columns.values, self.joining.questions.right)

    @cached_property
    def tested(self) -> Columns:
        """The columns of the questions that are measured."""
        return columns_of(self.task.test, self._told)

    @cached_property
    def shuffled(self) -> Columns:
        """The same, the adapted model seeing another shopper's taste."""
        return columns_of(self.task.test, self._told, self.task.test.view.shuffled())

    @cached_property
    def _told(self) -> Scores:
        return self.trees.score(self.task.test.view.features[1])


def join(harness: Harness) -> dict[str, Any]:
    """Measure `tailor` and its ablations; gives the latter, each beside the headline."""
    began = time.monotonic()
    made = Joined.fit(harness.task, harness.joining, harness.seed)
    whole = made.logit(made.validated)
    scores = whole.utilities(made.tested.values)
    seconds = time.monotonic() - began
    right = made.joining.questions.right
    headline = harness.answered(scores, whole.utilities(made.validated.values), right, seconds)
    harness.scored.test[HEADLINE] = headline
    others = dict(_ablated(made, whole))
    weights = dict(zip(made.validated.names, whole.weights.round(4).tolist(), strict=True))
    found: dict[str, Any] = {}
    for name, (tested, validated) in others.items():
        answered = harness.answered(tested, validated, right)
        found[name] = answered.figures() | {"headline_minus_it": headline.minus(answered)}
    harness.weights = weights
    return found


def _ablated(made: Joined, whole: ConditionalLogit) -> Iterator[tuple[str, tuple[Scores, Scores]]]:
    """Scores of the measured and of the validation's questions, something being left out."""
    columns, tested = made.validated, made.tested
    if MODEL in columns.names:
        bare, seen = columns.without(MODEL), tested.without(MODEL)
        logit = made.logit(bare)
        yield WITHOUT, (logit.utilities(seen.values), logit.utilities(bare.values))
        # the model as it was fitted, shown somebody else
        yield SHUFFLED, (whole.utilities(made.shuffled.values), whole.utilities(columns.values))
    bare, seen = columns.without(TREES), tested.without(TREES)
    logit = made.logit(bare)
    yield "tailor_without_trees", (logit.utilities(seen.values), logit.utilities(bare.values))
    even = np.ones(len(bare.names))
    plain = ConditionalLogit(even)
    yield "plain_sum", (plain.utilities(seen.values), plain.utilities(bare.values))
