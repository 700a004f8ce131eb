"""Methods that PEFT trains: one adapter for the task, or one for each shopper.

What PEFT trained is served by our own batched adapters; both give the same logits.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from personalizer.errors import TrainingError, extra
from personalizer.lora import Adapters, Pair, attach, rows_of, stack
from personalizer.methods.base import Lesson, Method, Question, Scores, method
from personalizer.methods.learning import Loss, Telling, loss_of
from personalizer.scoring import CandidateScorer
from personalizer.train.batches import Batches
from personalizer.train.engine import Recipe, Step, fit
from personalizer.train.goals import goal_of
from personalizer.train.pairs import judged

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import LoraLayer
    from torch import nn

__all__ = ["MtLora", "Oppu"]


class _ByPeft(Method):
    """Trains an adapter through PEFT on prompts and targets."""

    def _adapted(self) -> CandidateScorer:
        config = self.settings.hypernet
        return CandidateScorer(self.lm, attach(self.lm.model, config.targets, config.factor))

    @contextmanager
    def _peft(self) -> Iterator[nn.Module]:
        """The model wrapped by PEFT inside the block; itself again after it."""
        config = self.settings.hypernet
        lora = LoraConfig(
            r=config.rank,
            lora_alpha=config.factor * config.rank,
            target_modules=list(config.targets),
            lora_dropout=0.0,
            task_type="CAUSAL_LM",
        )
        wrapped = get_peft_model(self.lm.model, lora)
        try:
            yield wrapped
        finally:
            wrapped.unload()

    def _learn(
        self,
        wrapped: nn.Module,
        loss: Loss,
        recipe: Recipe,
        seed: int,
    ) -> float:
        """Train PEFT's adapter from its start by a loss, lessons of like length together."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _start_anew(wrapped)
            lengths = loss.lengths
            size = min(self.settings.hypernet.batch_size, len(lengths))
            batches = Batches(np.arange(len(lengths)), lengths, size, seed)

            def step_of(_: nn.Module, step: int) -> Step:
                rng = np.random.default_rng([seed, step])
                return Step(*loss(batches[step], rng))

            with torch.no_grad():
                start = float(step_of(wrapped, 0).loss)
            # a loss of one batch is noisy: only what is far off has diverged
            learned = fit(
                wrapped, step_of, recipe, seed=seed, start_loss=2 * start, where=self.name
            )
        return learned.loss

    def _weights(self, wrapped: nn.Module) -> Adapters:
        """What PEFT trained, as an adapter of ours (1, L, …)."""
        modules = dict(wrapped.named_modules())
        names = {
            kind: [
                name
                for name, module in modules.items()
                if name.rpartition(".")[2] == kind and hasattr(module, "lora_A")
            ]
            for kind in self.settings.hypernet.targets
        }
        return {
            kind: Pair(
                torch.stack([_weight(modules[n], "lora_A") for n in layers])[None],
                torch.stack([_weight(modules[n], "lora_B") for n in layers])[None],
            )
            for kind, layers in names.items()
        }


def _weight(module: nn.Module, name: str) -> torch.Tensor:
    weight: torch.Tensor = getattr(module, name)["default"].weight
    return weight.detach().clone()


def _start_anew(wrapped: nn.Module) -> None:
    for module in wrapped.modules():
        if isinstance(module, LoraLayer):
            module.reset_lora_parameters("default", init_lora_weights=True)


@method("mt_lora")
class MtLora(_ByPeft):
    """One adapter for everybody: it learns the task, and no person."""

    _adapter: Adapters | None = None

    def fit(self, lessons: Sequence[Lesson], *, seed: int = 0) -> dict[str, float]:
        """Learn what is bought."""
        kept = [one for one in lessons if one.target.strip()]
        if not kept:
            raise TrainingError("no lesson has a title", where=self.name)
        config = self.settings.hypernet
        recipe = Recipe(config.steps, config.learning_rate, config.warm_up, config.clip)
        with self.lm.lock:
            loss = loss_of(self, kept)
            with self._peft() as wrapped:
                learned = self._learn(wrapped, loss, recipe, seed)
                self._adapter = self._weights(wrapped)
        return {"loss": learned}

    def losses(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """Loss (N,) of each title, as a hypernetwork's proof judges it."""
        if self._adapter is None:
            raise TrainingError("not trained", where=self.name, fix="call fit first")
        config, adapter = self.settings.hypernet, self._adapter
        goal = goal_of(self.lm, titles, self.settings.shelf, config)
        adapted = attach(self.lm.model, config.targets, config.factor)
        with self.lm.lock:
            return judged(
                self.lm,
                goal,
                np.arange(len(titles)),
                lambda rows: adapted.use(rows_of(adapter, [0] * len(rows))),
            )

    def _score(self, questions: Sequence[Question]) -> Scores:
        if self._adapter is None:
            raise TrainingError("not trained", where=self.name, fix="call fit first")
        everybody = rows_of(self._adapter, [0] * len(questions))
        prompts = [self.bare(question) for question in questions]
        told = self._adapted().score(prompts, self.options(questions), everybody)
        return told - self.told_bare(questions)


@method("oppu")
class Oppu(_ByPeft):
    """One adapter per shopper, trained on her own history when she is asked about."""

    def _score(self, questions: Sequence[Question]) -> Scores:
        adapters = stack(self.adapters(questions))
        prompts = [self.bare(question) for question in questions]
        told = self._adapted().score(prompts, self.options(questions), adapters)
        return told - self.told_bare(questions)

    def adapters(self, questions: Sequence[Question]) -> list[Adapters]:
        """Train an adapter for each shopper's history; the same history is trained once."""
        made: dict[tuple[str, ...], Adapters] = {}
        with self.lm.lock, self._peft() as wrapped:
            for question in questions:
                if question.history not in made:
                    made[question.history] = self._own(wrapped, question)
        return [made[question.history] for question in questions]

    def _own(self, wrapped: nn.Module, question: Question) -> Adapters:
        prompt = self.bare(question)
        titles = [row for row in self.lm.tokens(question.history) if row]
        settings = self.settings
        steps = settings.own_steps if titles else 0
        if steps:
            recipe = Recipe(steps, settings.own_rate, clip=settings.hypernet.clip, every=steps)
            loss = Telling(self.lm, [prompt] * len(titles), titles)
            self._learn(wrapped, loss, recipe, seed=0)
        else:  # nothing to learn from: PEFT's start is exactly no change
            _start_anew(wrapped)
        return self._weights(wrapped)
