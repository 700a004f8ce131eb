"""The training loop: goes on after a kill with the same result, and comes back from divergence.

Everything random in a step follows from the seed and the number of the step, so a step that is
taken again, after a kill or a roll-back, is the same step.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from personalizer.allocator import keep_freed
from personalizer.errors import TrainingError, extra
from personalizer.threads import keep_threads
from personalizer.train.checkpoint import State, read, write
from personalizer.train.processes import Processes

with extra("llm"):
    import numpy as np
    import torch
    from torch import Tensor, nn

__all__ = ["Learned", "Progress", "Recipe", "Step", "fit"]

log = logging.getLogger(__name__)

RECENT = 20  # steps over which the loss is watched
FAR = 1.5  # times the loss before training: diverged
SLOWER = 0.25  # share of the learning rate after a roll-back


class Step(NamedTuple):
    """What a step's batch gave."""

    loss: Tensor
    tokens: int = 0


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    steps: int
    learning_rate: float
    warm_up: float = 0.05
    clip: float = 1.0
    weight_decay: float = 0.01
    every: int = 50  # steps between two states to come back to
    rollbacks: int = 2


@dataclass(frozen=True)
class Progress:
    """How far a training is."""

    step: int
    steps: int
    loss: float  # mean of the last steps
    tokens_per_second: float
    accuracy: float | None = None  # on what is held out, when it was last measured


@dataclass
class Learned:
    """What a training came to."""

    loss: float = math.nan
    rollbacks: int = 0
    resumed_at: int = 0
    accuracies: list[tuple[int, float]] = field(default_factory=list)


def fit(
    module: nn.Module,
    step_of: Callable[[nn.Module, int], Step],
    recipe: Recipe,
    *,
    seed: int,
    start_loss: float = math.inf,
    checkpoint: Path | None = None,
    accuracy: Callable[[], float] | None = None,
    progress: Callable[[Progress], None] | None = None,
    where: str = "hypernetwork",
) -> Learned:
    """Train a module by the loss that `step_of(module, number)` gives for each step.

    A loss far above `start_loss`, or none, is divergence: the training goes back to the last good
    state and on at a quarter of the rate, twice at most.
    """
    keep_freed()
    keep_threads()
    run = _Run(module, step_of, recipe, seed=seed, start_loss=start_loss, where=where)
    run.resume(checkpoint)
    while run.step < recipe.steps:
        run.advance()
        if run.diverged():
            run.roll_back()
            continue
        if run.step % recipe.every == 0 or run.step == recipe.steps:
            run.keep(checkpoint)
            if accuracy is not None:
                run.learned.accuracies.append((run.step, accuracy()))
        if progress is not None and run.processes.first:
            progress(run.progress())
    run.learned.loss = run.mean
    return run.learned


class _Run:
    """A training under way."""

    def __init__(
        self,
        module: nn.Module,
        step_of: Callable[[nn.Module, int], Step],
        recipe: Recipe,
        *,
        seed: int,
        start_loss: float,
        where: str,
    ) -> None:
        self._step_of, self._recipe, self._seed = step_of, recipe, seed
        self._start_loss, self._where = start_loss, where
        self.step, self._factor = 0, 1.0
        self.learned = Learned()
        self.processes = Processes()
        self._plain = module
        self._recent: deque[float] = deque(maxlen=RECENT)
        learning = [p for p in module.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            learning, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._module, self._optimizer = self.processes.prepare(module, optimizer)
        self._good = self._state()
        self._since, self._tokens = time.monotonic(), 0

    @property
    def mean(self) -> float:
        """Mean loss of the last steps."""
        return float(np.mean(self._recent)) if self._recent else math.nan

    def advance(self) -> None:
        """Take one step."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate()
        torch.manual_seed(hash((self._seed, self.step, self.processes.number)) & (2**63 - 1))
        done = self._step_of(self._module, self.step)
        self._optimizer.zero_grad()
        self.processes.backward(done.loss)
        if self._recipe.clip > 0:
            nn.utils.clip_grad_norm_(self._plain.parameters(), self._recipe.clip)
        self._optimizer.step()
        self._recent.append(self.processes.mean(done.loss))
        self._tokens += done.tokens
        self.step += 1

    def _rate(self) -> float:
        """Warm up, then fall in a line to a tenth."""
        steps = self._recipe.steps
        warm = max(1, round(steps * self._recipe.warm_up))
        share = min(
            1.0, (self.step + 1) / warm, 1 - 0.9 * (self.step - warm) / max(1, steps - warm)
        )
        return self._recipe.learning_rate * self._factor * share

    def diverged(self) -> bool:
        """Whether the loss is lost."""
        full = len(self._recent) == RECENT
        return not math.isfinite(self.mean) or (full and self.mean > FAR * self._start_loss)

    def roll_back(self) -> None:
        """Go back to the last good state, at a lower rate."""
        lost, at = self.mean, self.step
        if self.learned.rollbacks >= self._recipe.rollbacks:
            raise TrainingError(
                f"diverged: loss {lost:.2f} at step {at}, {self._start_loss:.2f} at the start",
                where=self._where,
                fix="lower the learning rate or the scale",
            )
        self._restore(self._good)
        self.learned.rollbacks += 1
        self._factor *= SLOWER
        log.warning(
            "%s: loss %.2f at step %d; back to step %d at %g of the learning rate",
            self._where, lost, at, self.step, self._factor,
        )  # fmt: skip

    def keep(self, checkpoint: Path | None) -> None:
        """Remember this state as good; write it where a kill can't take it."""
        self._good = self._state()
        if checkpoint is not None and self.processes.first:
            write(checkpoint, self._good)

    def resume(self, checkpoint: Path | None) -> None:
        """Go on from what an earlier run wrote, if it was the same training."""
        state = read(checkpoint, self._signature()) if checkpoint is not None else None
        if state is not None:
            self._restore(state)
            self._good = state
            self._factor = state.factor
            self.learned.rollbacks = state.rollbacks
            self.learned.resumed_at = state.step

    def progress(self) -> Progress:
        """Tell how far it is."""
        seconds = max(1e-9, time.monotonic() - self._since)
        accuracy = self.learned.accuracies[-1][1] if self.learned.accuracies else None
        return Progress(self.step, self._recipe.steps, self.mean, self._tokens / seconds, accuracy)

    def _signature(self) -> str:
        """What must be the same for a state to fit."""
        shapes = [(name, tuple(p.shape)) for name, p in self._plain.named_parameters()]
        return f"{self._recipe} {self._seed} {shapes}"

    def _state(self) -> State:
        return State(
            self._signature(),
            self.step,
            self._factor,
            self.learned.rollbacks,
            list(self._recent),
            _copied(self._plain.state_dict()),
            _copied(self._optimizer.state_dict()),
        )

    def _restore(self, state: State) -> None:
        self.step = state.step
        self._recent = deque(state.recent, maxlen=RECENT)
        self._plain.load_state_dict(state.module)
        self._optimizer.load_state_dict(_copied(state.optimizer))


def _copied(value: Any) -> Any:
    """Copy a tree of tensors, so that training does not change what was kept."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value
