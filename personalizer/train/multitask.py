"""Train the hypernetwork on several tasks at once, each batch a mixture of up to four."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from personalizer.config import HypernetConfig
from personalizer.errors import extra
from personalizer.hypernet import HyperNetwork
from personalizer.lm.load import LanguageModel
from personalizer.lora import Adapted, attach
from personalizer.train.engine import Learned, Progress, Step, fit
from personalizer.train.losses import noisy, target_nll, weight_penalty
from personalizer.train.pairs import recipe_of
from personalizer.train.tasks import Experience, Task, mixed, tasks_of

with extra("llm"):
    import numpy as np
    import torch
    from torch import Tensor, nn

__all__ = ["train_on_tasks"]

FIRST = 256  # examples that tell the loss before training


def train_on_tasks(
    lm: LanguageModel,
    of: Experience,
    config: HypernetConfig,
    *,
    seed: int,
    tasks: dict[str, Task] | None = None,
    checkpoint: Path | None = None,
    accuracy: Callable[[HyperNetwork], float] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[HyperNetwork, Learned]:
    """Train on what shoppers did next, asked in all the ways the experience allows."""
    config = replace(config, others=0)  # titles are told, not told apart
    adapted = attach(lm.model, config.targets, config.factor)
    vectors = torch.from_numpy(np.ascontiguousarray(of.vectors, np.float32)).to(lm.device)
    tasks = tasks_of(of) if tasks is None else tasks
    with lm.lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hypernet = HyperNetwork(config, vectors.shape[1], adapted.shapes).to(lm.device)
        steps = _Mixture(lm, adapted, config, vectors, tasks, seed)
        learned = fit(
            hypernet,
            steps,
            recipe_of(config),
            seed=seed,
            start_loss=steps.before(),
            checkpoint=checkpoint,
            accuracy=None if accuracy is None else lambda: accuracy(hypernet),
            progress=progress,
        )
    return hypernet.eval(), learned


@dataclass(frozen=True)
class _Mixture:
    """A step's loss on a mixture of tasks."""

    lm: LanguageModel
    adapted: Adapted
    config: HypernetConfig
    vectors: Tensor  # (N, D)
    tasks: dict[str, Task]
    seed: int

    @torch.no_grad()
    def before(self) -> float:
        """Mean loss without adapters."""
        rng = np.random.default_rng([self.seed, 3])
        some = mixed(self.lm, self.tasks, FIRST, rng)
        size = self.config.batch_size
        parts = [some[start : start + size] for start in range(0, len(some), size)]
        losses = [
            target_nll(self.lm, [e.prompt for e in part], [e.target for e in part])
            for part in parts
        ]
        return float(torch.cat(losses).mean())

    def __call__(self, hypernet: nn.Module, step: int) -> Step:
        """Draw the batch of this step, one shopper per row."""
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        rng = np.random.default_rng([self.seed, 4, step, rank])
        examples = mixed(self.lm, self.tasks, self.config.batch_size, rng)
        with self._precision():
            adapters = hypernet(self.vectors[[example.row for example in examples]])
            with self.adapted.use(adapters), noisy(self.lm, self.config.noise):
                loss = target_nll(
                    self.lm,
                    [example.prompt for example in examples],
                    [example.target for example in examples],
                    smoothing=self.config.label_smoothing,
                ).mean()
        if self.config.weight_penalty > 0:
            loss = loss + self.config.weight_penalty * weight_penalty(adapters)
        return Step(loss, sum(len(e.prompt) + len(e.target) for e in examples))

    def _precision(self) -> AbstractContextManager[object]:
        """Multiply in bf16 where the chip does it faster; weights stay as they are."""
        if self.lm.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()
