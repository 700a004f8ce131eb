"""Methods that only change the prompt: what the model says with it, minus what it says without."""

from collections.abc import Sequence

from personalizer.methods.base import Method, Question, Scores, method
from personalizer.prompts import newest_that_fit, personal_input

__all__ = ["Base", "FullHistory", "Pag", "Rag"]


@method("base")
class Base(Method):
    """The model as it is: it knows nobody."""

    def _score(self, questions: Sequence[Question]) -> Scores:
        return self.told_bare(questions)


class _Prompted(Method):
    def _score(self, questions: Sequence[Question]) -> Scores:
        return self.told(questions) - self.told_bare(questions)

    def _retrieved(self, question: Question) -> list[str]:
        """The purchases nearest to what is asked and to the options, in their order."""
        asked = " ".join((question.query, *question.options))
        _, titles = personal_input(
            "",
            question.history,
            asked,
            variant="history",
            k=self.settings.retrieved,
            retrieve=self.settings.retrieve,
        )
        return titles


@method("rag")
class Rag(_Prompted):
    """The purchases nearest to the question, in the prompt."""

    def context(self, question: Question) -> tuple[str, Sequence[str]]:
        """The nearest purchases."""
        return "", self._retrieved(question)


@method("pag")
class Pag(_Prompted):
    """The profile and the nearest purchases, in the prompt."""

    def context(self, question: Question) -> tuple[str, Sequence[str]]:
        """Profile and nearest purchases."""
        return question.profile, self._retrieved(question)


@method("full_history")
class FullHistory(_Prompted):
    """All purchases, in the prompt; where they don't fit, the newest."""

    def context(self, question: Question) -> tuple[str, Sequence[str]]:
        """The newest purchases that fit."""
        room = self.settings.prompt_tokens - len(self.bare(question)) - 32  # headings
        return "", newest_that_fit(
            question.history, room, lambda titles: [len(row) for row in self.lm.tokens(titles)]
        )
