"""All scorers on the same questions: scored, calibrated on validation, measured."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.preference.figures import Answered, cleaned, fitted
from recsys.evaluation.preference.scorers import Scorer
from recsys.evaluation.preference.scorers.simple import Random
from recsys.evaluation.preference.task import Task

Observe = Callable[[str], None]
# validation questions that temperatures and weights of the joined scores are fitted on, at most;
# shoppers stand in the order of a hash: the first of them are a sample
JOINING = 3000


@dataclass
class Scored:
    """What the scorers said of the questions, and which could not be measured, and why."""

    test: dict[str, Answered] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def single(self) -> Sequence[str]:
        """All that were scored, by name."""
        return list(self.test)


class Harness:
    """One task; every scorer goes through `measure`."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed
        self.ties = Random().score(task.test.view)
        self.scored = Scored()
        self.weights: dict[str, float] = {}  # of the headline's parts
        assert task.validation.view.features  # of all, before some are taken
        self.joining = task.validation.take(JOINING)

    def all(self, kinds: Sequence[type[Scorer]], observe: Observe) -> Scored:
        """Measure scorers one after another; one that fails does not stop the others."""
        for kind in kinds:
            observe(kind.name)
            try:
                self.measure(kind.name, kind())
            except Exception as error:
                self.scored.failed[kind.name] = str(error) or type(error).__name__
        return self.scored

    def measure(self, name: str, scorer: Scorer) -> None:
        """Score, with the temperature from validation questions; or say why not."""
        if why := scorer.unable(self.task.test.view):
            self.scored.failed[name] = why
            return
        began = time.monotonic()
        scorer.learn(self.task)
        scores = scorer.score(self.task.test.view)
        seconds = time.monotonic() - began
        deciding = self.joining.take(scorer.most_deciding)
        validated = scorer.score(deciding.view)
        self.add(name, scores, validated, deciding.questions.right, seconds)

    def add(
        self,
        name: str,
        scores: NDArray[np.floating],
        validated: NDArray[np.floating],
        right: NDArray[np.integer],
        seconds: float,
    ) -> None:
        """Take in the scores of the questions that are measured and of some that calibrate."""
        self.scored.test[name] = self.answered(scores, validated, right, seconds)

    def answered(
        self,
        scores: NDArray[np.floating],
        validated: NDArray[np.floating],
        right: NDArray[np.integer],
        seconds: float = 0.0,
    ) -> Answered:
        """The answers that scores come to."""
        if scores.shape != self.task.test.questions.options.shape:
            raise ValueError(
                f"scores {scores.shape} for options {self.task.test.questions.options.shape}"
            )
        calibration = fitted(validated, np.asarray(right, np.int32))
        truth = self.task.test.questions.right
        return Answered(cleaned(scores), truth, self.ties, calibration, self.seed, seconds)
