"""What every way of personalising is: learn from purchases, score options for questions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from personalizer.config import HypernetConfig
from personalizer.errors import PersonalizerError, extra
from personalizer.lm.load import LanguageModel
from personalizer.lm.prompts import prompt_tokens
from personalizer.prompts import CHAT, PLAIN, Layout
from personalizer.retrieval import Retriever, bm25
from personalizer.scoring import CandidateScorer

with extra("llm"):
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Lesson", "Method", "MethodSettings", "Question", "method", "methods"]

Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Question:
    """Which of some options will this shopper buy?"""

    embedding: NDArray[np.float32]  # (D,)
    profile: str
    history: tuple[str, ...]  # titles, oldest to newest
    query: str
    options: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Lesson:
    """A question whose answer is known: the title bought next."""

    question: Question
    target: str


@dataclass(frozen=True)
class MethodSettings:
    """What all methods share; each takes what it needs."""

    hypernet: HypernetConfig = field(default_factory=HypernetConfig)
    # titles that what was bought is told from in training; none: its title alone is told
    shelf: tuple[str, ...] = ()
    retrieved: int = 2
    prompt_tokens: int = 192
    own_steps: int = 20  # of an adapter trained on one shopper's history
    own_rate: float = 1e-3
    retrieve: Retriever = field(default=bm25)


class Method(ABC):
    """One way of personalising, on any causal language model."""

    name: ClassVar[str]

    def __init__(self, lm: LanguageModel, settings: MethodSettings | None = None) -> None:
        self.lm, self.settings = lm, settings or MethodSettings()
        # a model that was taught to chat gets headings
        self.layout: Layout = CHAT if getattr(lm.tokenizer, "chat_template", None) else PLAIN

    @property
    def chooses(self) -> bool:
        """Whether it learns to tell what was bought from the shelf, not just its title."""
        return bool(self.settings.shelf and self.settings.hypernet.others)

    def fit(self, lessons: Sequence[Lesson], *, seed: int = 0) -> dict[str, float]:  # noqa: ARG002
        """Learn; gives what it came to. Methods that only prompt have nothing to learn."""
        return {}

    def score(self, questions: Sequence[Question]) -> Scores:
        """Score each question's options (U, K); the higher, the likelier. Options are few."""
        if not questions:
            return np.zeros((0, 0), np.float32)
        many = {len(question.options) for question in questions}
        if len(many) > 1 or 0 in many:
            raise PersonalizerError(
                f"questions of {sorted(many)} options",
                where=f"method {self.name}",
                fix="give every question as many options, one at least",
            )
        return self._score(questions)

    @abstractmethod
    def _score(self, questions: Sequence[Question]) -> Scores: ...

    def context(self, question: Question) -> tuple[str, Sequence[str]]:  # noqa: ARG002
        """Profile and purchases that stand in the prompt; none by default."""
        return "", ()

    def prompt(self, question: Question) -> list[int]:
        """Tokens of what the model reads before an option."""
        profile, history = self.context(question)
        return self._tokens(self.layout.render(profile, history, question.query))

    def bare(self, question: Question) -> list[int]:
        """The same without anything personal."""
        return self._tokens(self.layout.render(query=question.query))

    def _tokens(self, text: str) -> list[int]:
        most = self.settings.prompt_tokens
        return prompt_tokens(self.lm, [text], most)[0] if text else [self.lm.start_id]

    def told(self, questions: Sequence[Question], scorer: CandidateScorer | None = None) -> Scores:
        """Log-probabilities of the options after the personal prompts, without adapters."""
        scorer = scorer or CandidateScorer(self.lm)
        return scorer.score([self.prompt(q) for q in questions], self.options(questions))

    def told_bare(self, questions: Sequence[Question]) -> Scores:
        """Log-probabilities of the options by the bare model after the bare prompts."""
        scorer = CandidateScorer(self.lm)
        return scorer.score([self.bare(q) for q in questions], self.options(questions))

    def options(self, questions: Sequence[Question]) -> list[list[list[int]]]:
        """Tokens of every question's options."""
        return [self.lm.tokens(question.options) for question in questions]


_METHODS: dict[str, type[Method]] = {}


def method(name: str) -> Callable[[type[Method]], type[Method]]:
    """Register a method under a name."""

    def register(made: type[Method]) -> type[Method]:
        made.name = name
        _METHODS[name] = made
        return made

    return register


def methods() -> dict[str, type[Method]]:
    """All methods by name."""
    return dict(_METHODS)
