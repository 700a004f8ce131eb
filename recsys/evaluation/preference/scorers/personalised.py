"""Every way of personalising the language model, as a scorer of titles."""

import time
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recsys.errors import StageError
from recsys.evaluation.preference.histories import questions
from recsys.evaluation.preference.personal import Personal
from recsys.evaluation.preference.scorers.base import Scorer, Scores, register
from recsys.evaluation.preference.task import Task
from recsys.evaluation.preference.view import View

if TYPE_CHECKING:
    from personalizer.methods import Method

CHUNK = 64
LESSONS = 2000  # at most


class _Personalised(Scorer):
    """One of `personalizer.methods`; the title's log-probability, what is not personal taken off.

    Methods that are trained learn from questions that are not measured.
    """

    method: ClassVar[str]
    profiled: ClassVar[bool] = False
    trained: ClassVar[bool] = False
    model = True
    slow = True
    most_deciding = 300

    def __init__(self) -> None:
        self._made: Method | None = None

    def learn(self, task: Task) -> None:
        """Train on lessons, or on the validation questions that fit no temperature."""
        personal = _of(task.test.view)
        self._made = self._make(personal)
        if not self.trained:
            return
        from personalizer.methods import Lesson

        taught = task.lessons[-1] if task.lessons else task.validation
        few = taught.take(LESSONS + self.most_deciding)
        rows = np.arange(0 if task.lessons else self.most_deciding, len(few))
        view, right = few.view.take(rows), few.questions.take(rows).answers
        titles = view.catalogue.titles
        asked = questions(view, profiled=self.profiled, chat=_chats(self._made))
        lessons = [Lesson(q, titles[item]) for q, item in zip(asked, right, strict=True)]
        self._made.fit([one for one in lessons if one.target], seed=view.seed)

    def _make(self, personal: Personal) -> "Method":
        from personalizer.methods import MethodSettings, methods

        config = MethodSettings(hypernet=personal.settings.personalizer.hypernet)
        return methods()[self.method](personal.lm, config)

    def score(self, view: View) -> Scores:
        """A part at a time: who would take too long is not measured."""
        assert self._made is not None
        asked = questions(view, profiled=self.profiled, chat=_chats(self._made))
        limit = _of(view).settings.report.preference.personalizer_minutes * 60
        parts, began = [], time.monotonic()
        for start in range(0, len(asked), CHUNK):
            parts.append(self._made.score(asked[start : start + CHUNK]))
            needed = (time.monotonic() - began) / min(start + CHUNK, len(asked)) * len(asked)
            if needed > limit:
                raise StageError(
                    f"{len(asked):,} questions would take about {needed / 60:.0f} minutes",
                    where=f"method {self.name}",
                    fix="raise report.preference.personalizer_minutes, or ask fewer shoppers",
                )
        told = np.concatenate([part.reshape(-1, view.options.shape[1]) for part in parts])
        return told.astype(np.float64)


def _of(view: View) -> Personal:
    assert view.personal is not None
    return view.personal


def _chats(method: "Method") -> bool:
    from personalizer.prompts import CHAT

    return method.layout is CHAT


@register
class Base(Scorer):
    """The language model as it is: how likely a title is, whoever reads it."""

    name = "base"
    told = "the language model, of nobody"
    model = True

    def score(self, view: View) -> Scores:
        """Log-probabilities of the titles."""
        return _of(view).bare(view.options).astype(np.float64)


@register
class P2P(Scorer):
    """The hypernetwork's adapter, exactly as it reranks lists."""

    name = "p2p"
    told = "the language model with the shopper's adapter, minus nobody's"
    model = True

    def score(self, view: View) -> Scores:
        """How much likelier the titles are to her than to nobody in particular."""
        return view.adapted.astype(np.float64)


@register
class P2PProfile(_Personalised):
    """The adapter, and the profile in the prompt."""

    name = method = "p2p_profile"
    told = "the adapter, and the profile in the prompt"
    profiled = trained = True


@register
class Rag(_Personalised):
    """The nearest purchases in the prompt."""

    name = method = "rag"
    told = "the nearest purchases in the prompt"


@register
class Pag(_Personalised):
    """The profile and the nearest purchases in the prompt."""

    name = method = "pag"
    told = "the profile and the nearest purchases in the prompt"
    profiled = True


@register
class FullHistory(_Personalised):
    """All purchases in the prompt."""

    name = method = "full_history"
    told = "all purchases in the prompt"


@register
class MtLora(_Personalised):
    """One adapter for everybody."""

    name = method = "mt_lora"
    told = "one adapter for everybody"
    trained = True


@register
class Oppu(_Personalised):
    """An adapter trained on each shopper's own history."""

    name = method = "oppu"
    told = "an adapter trained on each shopper's own history"


@register
class Prefix(_Personalised):
    """One soft token of the shopper."""

    name = method = "prefix"
    told = "one soft token of the shopper's embedding"
    trained = True
