"""What the trained methods learn by: the same loss for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from personalizer.errors import extra
from personalizer.lm.load import LanguageModel
from personalizer.methods.base import Lesson, Method
from personalizer.train.goals import Goal, goal_of
from personalizer.train.losses import target_nll

with extra("llm"):
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Loss", "Telling", "loss_of"]


class Loss(Protocol):
    """Mean loss of some lessons, behind soft tokens where given, and its tokens."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each lesson's target (N,)."""

    def __call__(
        self, rows: NDArray[np.int64], rng: np.random.Generator, soft: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """Of lessons (B,); what is drawn beside them comes from the generator."""


def loss_of(method: Method, lessons: Sequence[Lesson]) -> Loss:
    """Tell what was bought from the shelf, where there is one and nothing stands before it."""
    titles = [one.target for one in lessons]
    if method.chooses and not any(one.question.query for one in lessons):
        goal = goal_of(method.lm, titles, method.settings.shelf, method.settings.hypernet)
        return _Choosing(method.lm, goal)
    prompts = [method.bare(one.question) for one in lessons]
    return Telling(method.lm, prompts, method.lm.tokens(titles))


@dataclass(frozen=True, eq=False)
class _Choosing:
    """Tell what was bought from the shelf."""

    lm: LanguageModel
    goal: Goal

    @property
    def lengths(self) -> NDArray[np.int64]:
        return self.goal.lengths

    def __call__(
        self, rows: NDArray[np.int64], rng: np.random.Generator, soft: Tensor | None = None
    ) -> tuple[Tensor, int]:
        return self.goal.loss(self.lm, rows, rng, soft)


@dataclass(frozen=True, eq=False)
class Telling:
    """Tell targets after their prompts."""

    lm: LanguageModel
    prompts: Sequence[list[int]]
    targets: Sequence[list[int]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each target (N,)."""
        return np.array([len(target) for target in self.targets], np.int64)

    def __call__(
        self,
        rows: NDArray[np.int64],
        rng: np.random.Generator,  # noqa: ARG002 - nothing is drawn
        soft: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        """Mean negative log-likelihood of some targets."""
        before, after = [self.prompts[row] for row in rows], [self.targets[row] for row in rows]
        told = target_nll(self.lm, before, after, soft=soft).mean()
        return told, sum(map(len, before)) + sum(map(len, after))
