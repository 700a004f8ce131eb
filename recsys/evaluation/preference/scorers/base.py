"""What a scorer is, and the list of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.errors import SettingsError
from recsys.evaluation.preference.task import Task
from recsys.evaluation.preference.view import View

Scores = NDArray[np.float64]


class Scorer(ABC):
    """Scores the options of questions; the higher, the likelier.

    A row depends on its own question alone, never on where an option stands. Options that score
    the same are not told apart; nan or -inf says nothing. Whoever can't tell any of a question's
    options apart abstains.
    """

    name: ClassVar[str]
    told: ClassVar[str]  # in a few words, for reports
    slow: ClassVar[bool] = False  # True: only measured when asked for
    model: ClassVar[bool] = False  # True: needs the language model

    most_deciding: ClassVar[int | None] = None  # validation questions it is asked, at most

    def learn(self, task: Task) -> None:  # noqa: B027 - most have nothing to learn
        """Learn from the questions that are not measured."""

    @abstractmethod
    def score(self, view: View) -> Scores:
        """Score every option (N, K)."""

    def unable(self, view: View) -> str:
        """Why this scorer can't be measured here; empty where it can."""
        return "no language model here" if self.model and view.personal is None else ""


SCORERS: dict[str, type[Scorer]] = {}
Kind = TypeVar("Kind", bound=type[Scorer])


def register(scorer: Kind) -> Kind:
    """Add a scorer to those that `chosen` knows."""
    SCORERS[scorer.name] = scorer
    return scorer


def chosen(names: Sequence[str] = ()) -> list[type[Scorer]]:
    """Give the named scorers, in their own order; `all` for all, nothing for all that are fast."""
    if list(names) == ["all"]:
        return list(SCORERS.values())
    unknown = [name for name in names if name not in SCORERS]
    if unknown:
        raise SettingsError(
            f"unknown scorer {unknown[0]!r}",
            where="preference",
            fix=f"known: all, {', '.join(sorted(SCORERS))}",
        )
    if not names:
        return [kind for kind in SCORERS.values() if not kind.slow]
    return [kind for name, kind in SCORERS.items() if name in names]
