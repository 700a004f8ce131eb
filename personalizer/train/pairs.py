"""Train the hypernetwork: the adapter from a shopper's past makes what she buys next likely."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from personalizer.config import HypernetConfig
from personalizer.errors import TrainingError, extra
from personalizer.hypernet import HyperNetwork
from personalizer.lm.load import LanguageModel
from personalizer.lora import Adapted, attach
from personalizer.train.batches import Batches
from personalizer.train.engine import Recipe, Step, fit
from personalizer.train.goals import Goal, goal_of
from personalizer.train.losses import noisy, weight_penalty

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

__all__ = ["judged", "losses_of", "mean_loss", "parted", "recipe_of", "train"]

log = logging.getLogger(__name__)

HELD_OUT_SHARE, HELD_OUT_MOST = 0.1, 512
FIRST = 4  # batches that tell the loss before training


def train(
    lm: LanguageModel,
    user_vectors: NDArray[np.float32],
    titles: Sequence[str],
    config: HypernetConfig,
    *,
    seed: int,
    shelf: Sequence[str] = (),
    among: int | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[HyperNetwork, dict[str, float]]:
    """Train on pairs: the embedding (N, D) of a history, and the title bought next (N).

    What was bought is told from others of the `shelf`; without one, the title itself is told. Some
    pairs are held out, `among` the first where that is given.
    With a `checkpoint`, a training that was killed goes on from there, to the same result.
    """
    if not shelf:
        config = replace(config, others=0)
    vectors, kept = _checked(lm, user_vectors, titles)
    adapted = attach(lm.model, config.targets, config.factor)
    learn, held = _split(len(kept), seed, _titled(titles, among))
    goal = goal_of(lm, kept, shelf, config)
    with lm.lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hypernet = HyperNetwork(config, vectors.shape[1], adapted.shapes).to(lm.device)
        base = mean_loss(lm, goal, held)
        batches = Batches(learn, goal.lengths, config.batch_size, seed)
        steps = _Pairs(lm, adapted, config, vectors, goal, batches, seed)
        learned = fit(
            hypernet,
            steps,
            recipe_of(config),
            seed=seed,
            start_loss=steps.before(),
            checkpoint=checkpoint,
            progress=None if progress is None else lambda at: progress(at.step, at.steps),
        )
        hypernet.eval()
        after = mean_loss(lm, goal, held, hypernet, vectors)
    log.info("held-out loss %.3f without, %.3f with adapters", base, after)
    return hypernet, {
        "loss_base": base,
        "loss_adapted": after,
        "pairs": float(len(learn)),
        "pairs_held_out": float(len(held)),
        "steps": float(config.steps),
        "rollbacks": float(learned.rollbacks),
        "parameters": float(sum(p.numel() for p in hypernet.parameters())),
    }


def recipe_of(config: HypernetConfig) -> Recipe:
    """How the settings say to train."""
    return Recipe(
        steps=config.steps,
        learning_rate=config.learning_rate,
        warm_up=config.warm_up,
        clip=config.clip,
    )


@dataclass(frozen=True)
class _Pairs:
    """A step's loss on pairs."""

    lm: LanguageModel
    adapted: Adapted
    config: HypernetConfig
    vectors: Tensor  # (N, D)
    goal: Goal
    batches: Batches
    seed: int

    @torch.no_grad()
    def before(self) -> float:
        """Mean loss of the first batches without adapters."""
        losses = [float(self._loss(step)[0]) for step in range(FIRST)]
        return float(np.mean(losses))

    def __call__(self, hypernet: nn.Module, step: int) -> Step:
        """Take one shopper per row of the batch."""
        adapters = hypernet(self.vectors[self.batches[step]])
        with self.adapted.use(adapters), noisy(self.lm, self.config.noise):
            loss, tokens = self._loss(step)
        if self.config.weight_penalty > 0:
            loss = loss + self.config.weight_penalty * weight_penalty(adapters)
        return Step(loss, tokens)

    def _loss(self, step: int) -> tuple[Tensor, int]:
        rng = np.random.default_rng([self.seed, 6, step])
        return self.goal.loss(self.lm, self.batches[step], rng)


def mean_loss(
    lm: LanguageModel,
    goal: Goal,
    rows: NDArray[np.int64],
    hypernet: HyperNetwork | None = None,
    vectors: Tensor | None = None,
) -> float:
    """Mean loss of some pairs, without adapters or with those of the row's own vector."""
    losses = losses_of(lm, goal, rows, hypernet, vectors)
    return float(losses.mean()) if len(losses) else 0.0


def losses_of(
    lm: LanguageModel,
    goal: Goal,
    rows: NDArray[np.int64],
    hypernet: HyperNetwork | None = None,
    vectors: Tensor | None = None,
) -> NDArray[np.float32]:
    """Loss (N,) of each pair, without adapters or with those of the row's own vector."""
    if hypernet is None or vectors is None:
        return judged(lm, goal, rows)
    adapted, told = hypernet.attach(lm.model), vectors
    return judged(lm, goal, rows, lambda batch: adapted.use(hypernet(told[batch])))


@torch.no_grad()
def judged(
    lm: LanguageModel,
    goal: Goal,
    rows: NDArray[np.int64],
    using: Callable[[NDArray[np.int64]], AbstractContextManager[Any]] = lambda _: nullcontext(),
) -> NDArray[np.float32]:
    """Loss (N,) of each pair, part by part, within what `using` makes for the rows of a part."""
    losses = np.zeros(len(rows), np.float32)
    for places in np.array_split(np.arange(len(rows)), -(-len(rows) // 64)):
        with using(rows[places]):
            losses[places] = goal.judge(lm, rows[places]).float().cpu().numpy()
    return losses


def parted(
    titles: Sequence[str], *, seed: int, among: int | None = None
) -> tuple[list[int], list[int]]:
    """Rows that `train` with this seed learns from, and those held out, `among` the first."""
    kept = [row for row, title in enumerate(titles) if title.strip()]
    learn, held = _split(len(kept), seed, _titled(titles, among))
    return [kept[place] for place in learn], [kept[place] for place in held]


def _titled(titles: Sequence[str], among: int | None) -> int:
    """How many have a title, of all or of the first."""
    return sum(bool(title.strip()) for title in titles[:among])


def _checked(
    lm: LanguageModel, user_vectors: NDArray[np.float32], titles: Sequence[str]
) -> tuple[Tensor, list[str]]:
    """Pairs on the model's device; those without a title teach nothing and are left out."""
    if user_vectors.ndim != 2 or len(user_vectors) != len(titles):
        raise TrainingError(
            f"{user_vectors.shape} vectors for {len(titles)} titles", where="hypernetwork pairs"
        )
    kept = [row for row, title in enumerate(titles) if title.strip()]
    if len(kept) < 2:
        raise TrainingError(
            f"{len(kept)} pairs with a title", where="hypernetwork pairs", fix="give at least two"
        )
    vectors = torch.from_numpy(np.ascontiguousarray(user_vectors[kept], np.float32))
    if not bool(vectors.isfinite().all()):
        raise TrainingError("a vector is not finite", where="hypernetwork pairs")
    return vectors.to(lm.device), [titles[row] for row in kept]


def _split(count: int, seed: int, among: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs to learn from and pairs held out, the latter of the first alone."""
    order = np.random.default_rng([seed, 1]).permutation(among)
    held = max(1, min(int(among * HELD_OUT_SHARE), HELD_OUT_MOST))
    return np.concatenate([order[held:], np.arange(among, count)]), order[:held]
