"""Embedding to prefix: a shopper's embedding becomes one soft token before the prompt."""

from collections.abc import Sequence

from personalizer.errors import TrainingError, extra
from personalizer.methods.base import Lesson, Method, Question, Scores, method
from personalizer.methods.learning import loss_of
from personalizer.scoring import CandidateScorer
from personalizer.train.batches import Batches
from personalizer.train.engine import Step, fit
from personalizer.train.pairs import recipe_of

with extra("llm"):
    import numpy as np
    import torch
    from torch import Tensor, nn

__all__ = ["Prefix"]


class _Projector(nn.Module):
    """An embedding (U, D) to a soft token (U, 1, H) of the size the model's own tokens have."""

    def __init__(self, user_dim: int, width: int, words: Tensor) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(user_dim), nn.Linear(user_dim, width), nn.SiLU(),
            nn.Linear(width, words.shape[1]),
        )  # fmt: skip
        self.scale = float(words.float().std())

    def forward(self, users: Tensor) -> Tensor:
        """Make the soft tokens."""
        told: Tensor = self.scale * self.layers(users)[:, None]
        return told


@method("prefix")
class Prefix(Method):
    """One soft token that stands for the shopper; nothing else changes."""

    _projector: _Projector | None = None

    def fit(self, lessons: Sequence[Lesson], *, seed: int = 0) -> dict[str, float]:
        """Learn to turn embeddings into soft tokens that make what is bought likely."""
        kept = [one for one in lessons if one.target.strip()]
        if not kept:
            raise TrainingError("no lesson has a title", where=self.name)
        users = torch.from_numpy(np.stack([one.question.embedding for one in kept])).float()
        users = users.to(self.lm.device)
        config = self.settings.hypernet
        loss = loss_of(self, kept)
        size = min(config.batch_size, len(kept))
        batches = Batches(np.arange(len(kept)), loss.lengths, size, seed)

        def step_of(projector: nn.Module, step: int) -> Step:
            rng = np.random.default_rng([seed, 5, step])
            rows = batches[step]
            return Step(*loss(rows, rng, projector(users[rows])))

        with self.lm.lock, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            words = self.lm.model.get_input_embeddings().weight.detach()
            projector = _Projector(users.shape[1], config.width, words).to(self.lm.device)
            with torch.no_grad():
                start = float(step_of(projector, 0).loss)
            learned = fit(
                projector, step_of, recipe_of(config), seed=seed, start_loss=2 * start,
                where=self.name,
            )  # fmt: skip
        self._projector = projector.eval()
        return {"loss": learned.loss}

    def _score(self, questions: Sequence[Question]) -> Scores:
        if self._projector is None:
            raise TrainingError("not trained", where=self.name, fix="call fit first")
        users = torch.from_numpy(np.stack([q.embedding for q in questions])).float()
        with torch.no_grad():
            hers = self._projector(users.to(self.lm.device))
            zeros = torch.zeros_like(users).to(self.lm.device)
            nobodys = None if self.chooses else self._projector(zeros)
        prompts = [self.bare(question) for question in questions]
        options, scorer = self.options(questions), CandidateScorer(self.lm)
        return scorer.score(prompts, options, soft=hers) - scorer.score(
            prompts, options, soft=nobodys
        )
