"""Profile to PEFT: the hypernetwork's adapter, with nothing personal in the prompt or with more."""

from collections.abc import Sequence
from typing import Self

from personalizer.config import HypernetConfig
from personalizer.errors import TrainingError, extra
from personalizer.hypernet import HyperNetwork
from personalizer.lm.load import LanguageModel
from personalizer.methods.base import Lesson, Method, MethodSettings, Question, Scores, method
from personalizer.scoring import CandidateScorer
from personalizer.train.multitask import train_on_tasks
from personalizer.train.pairs import train
from personalizer.train.tasks import Experience, NextPurchase, Task

with extra("llm"):
    import numpy as np
    import torch

__all__ = ["P2P", "P2PProfile"]


@method("p2p")
class P2P(Method):
    """The shopper's embedding makes her adapter; the prompt holds nothing of her."""

    hypernet: HyperNetwork | None = None

    @classmethod
    def of(
        cls, lm: LanguageModel, hypernet: HyperNetwork, settings: MethodSettings | None = None
    ) -> Self:
        """Take a hypernetwork that is trained already."""
        made = cls(lm, settings)
        made.hypernet = hypernet.eval()
        return made

    def fit(self, lessons: Sequence[Lesson], *, seed: int = 0) -> dict[str, float]:
        """Train a hypernetwork on what was bought next."""
        config: HypernetConfig = self.settings.hypernet
        vectors = np.stack([one.question.embedding for one in lessons]).astype(np.float32)
        titles = [one.target for one in lessons]
        prompts = [self._training_prompt(one.question) for one in lessons]
        if self.chooses and not any(prompts):
            self.hypernet, told = train(
                self.lm, vectors, titles, config, seed=seed, shelf=self.settings.shelf
            )
            return told
        of = Experience(vectors, titles, titles, prompts=prompts)
        tasks: dict[str, Task] = {"next": NextPurchase(of)}
        self.hypernet, learned = train_on_tasks(self.lm, of, config, seed=seed, tasks=tasks)
        return {"loss": learned.loss, "rollbacks": float(learned.rollbacks)}

    def _training_prompt(self, question: Question) -> str:
        profile, history = self.context(question)
        return self.layout.render(profile, history, question.query)

    def _score(self, questions: Sequence[Question]) -> Scores:
        """With her adapter minus without, or minus nobody's, after the same prompt."""
        if self.hypernet is None:
            raise TrainingError("not trained", where=self.name, fix="call fit first")
        users = torch.from_numpy(np.stack([q.embedding for q in questions])).float()
        users = users.to(self.lm.device)
        with torch.inference_mode():
            hers = self.hypernet(users)
            bare = self.hypernet.config.minus == "bare"
            nobodys = None if bare else self.hypernet(torch.zeros_like(users))
        scorer = CandidateScorer(self.lm, self.hypernet.attach(self.lm.model))
        prompts, options = [self.prompt(q) for q in questions], self.options(questions)
        return scorer.score(prompts, options, hers) - scorer.score(prompts, options, nobodys)


@method("p2p_profile")
class P2PProfile(P2P):
    """The adapter, and the profile in the prompt besides."""

    def context(self, question: Question) -> tuple[str, Sequence[str]]:
        """The profile."""
        return question.profile, ()
