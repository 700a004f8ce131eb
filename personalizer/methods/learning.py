"""What the trained methods learn by: the same loss for all of them."""

from collections.abc import Sequence
from typing import Protocol

from personalizer.errors import extra
from personalizer.lm.load import LanguageModel
from personalizer.methods.base import Lesson, Method
from personalizer.train.goals import goal_of
from personalizer.train.losses import target_nll

with extra("llm"):
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Loss", "loss_of", "telling"]


class Loss(Protocol):
    """Mean loss of some lessons, behind soft tokens where given, and its tokens."""

    def __call__(
        self, rows: NDArray[np.int64], rng: np.random.Generator, soft: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """Of lessons (B,); what is drawn beside them comes from the generator."""


def loss_of(method: Method, lessons: Sequence[Lesson]) -> Loss:
    """Tell what was bought from the shelf, where there is one and nothing stands before it."""
    titles = [one.target for one in lessons]
    if method.chooses and not any(one.question.query for one in lessons):
        goal = goal_of(method.lm, titles, method.settings.shelf, method.settings.hypernet)
        return lambda rows, rng, soft=None: goal.loss(method.lm, rows, rng, soft)
    prompts = [method.bare(one.question) for one in lessons]
    return telling(method.lm, prompts, method.lm.tokens(titles))


def telling(lm: LanguageModel, prompts: Sequence[list[int]], targets: Sequence[list[int]]) -> Loss:
    """Tell targets after their prompts."""

    def loss(
        rows: NDArray[np.int64],
        rng: np.random.Generator,  # noqa: ARG001 - nothing is drawn
        soft: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        before, after = [prompts[row] for row in rows], [targets[row] for row in rows]
        told = target_nll(lm, before, after, soft=soft).mean()
        return told, sum(map(len, before)) + sum(map(len, after))

    return loss
