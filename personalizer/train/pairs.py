"""Train the hypernetwork: the adapter from a shopper's past makes what she buys next likely."""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from personalizer.config import HypernetConfig
from personalizer.errors import TrainingError, extra
from personalizer.hypernet import HyperNetwork
from personalizer.lm.likelihood import Titles
from personalizer.lm.load import LanguageModel
from personalizer.lora import Adapted, attach

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["mean_loss", "train"]

log = logging.getLogger(__name__)

HELD_OUT_SHARE, HELD_OUT_MOST = 0.1, 512
RECENT = 20  # steps over which the loss is watched
FAR = 1.5  # times the loss without adapters: diverged


def train(
    lm: LanguageModel,
    user_vectors: NDArray[np.float32],
    titles: Sequence[str],
    config: HypernetConfig,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[HyperNetwork, dict[str, float]]:
    """Train on pairs: the embedding (N, D) of a history, and the title bought next (N)."""
    vectors, tokenised = _checked(lm, user_vectors, titles)
    adapted = attach(lm.model, config.targets, config.factor)
    learn, held = _split(len(tokenised), seed)
    with lm.lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hypernet = HyperNetwork(config, vectors.shape[1], adapted.shapes).to(lm.device)
        base = mean_loss(lm, tokenised, held)
        _fit(_Run(lm, adapted, hypernet, vectors, tokenised, base), learn, seed, progress)
        hypernet.eval()
        after = mean_loss(lm, tokenised, held, hypernet, vectors)
    log.info("held-out loss %.3f without, %.3f with adapters", base, after)
    return hypernet, {
        "loss_base": base,
        "loss_adapted": after,
        "pairs": float(len(learn)),
        "pairs_held_out": float(len(held)),
        "steps": float(config.steps),
        "parameters": float(sum(p.numel() for p in hypernet.parameters())),
    }


@dataclass
class _Run:
    """What every training step needs."""

    lm: LanguageModel
    adapted: Adapted
    hypernet: HyperNetwork
    vectors: Tensor  # (N, D)
    titles: Titles
    base: float  # loss without adapters

    def __post_init__(self) -> None:
        config = self.hypernet.config
        self.optimizer = torch.optim.AdamW(
            self.hypernet.parameters(), lr=config.learning_rate, weight_decay=0.01
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _warm_linear(step, config.steps)
        )

    def step(self, rows: NDArray[np.int64]) -> float:
        """Learn from one batch; give its loss."""
        with self.adapted.use(self.hypernet(self.vectors[rows])):  # one shopper per row
            loss = self.titles.nll(self.lm, rows).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.hypernet.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach())


def _fit(
    run: _Run,
    learn: NDArray[np.int64],
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    config = run.hypernet.config
    recent: deque[float] = deque(maxlen=RECENT)
    batches = _endless(learn, run.titles.lengths, config.batch_size, seed)
    for step in range(config.steps):
        recent.append(run.step(next(batches)))
        mean = float(np.mean(recent))
        if not math.isfinite(mean) or (len(recent) == RECENT and mean > FAR * run.base):
            raise TrainingError(
                f"diverged: loss {mean:.2f} at step {step}, {run.base:.2f} without adapters",
                where="hypernetwork",
                fix="lower personalizer.hypernet.learning_rate or scale",
            )
        if progress:
            progress(step + 1, config.steps)


@torch.no_grad()
def mean_loss(
    lm: LanguageModel,
    titles: Titles,
    rows: NDArray[np.int64],
    hypernet: HyperNetwork | None = None,
    vectors: Tensor | None = None,
) -> float:
    """Mean loss of some pairs, without adapters or with those of the row's own vector."""
    total = 0.0
    for batch in np.array_split(rows, -(-len(rows) // 64)):
        if hypernet is None or vectors is None:
            losses = titles.nll(lm, batch)
        else:
            adapted = hypernet.attach(lm.model)
            with adapted.use(hypernet(vectors[batch])):
                losses = titles.nll(lm, batch)
        total += float(losses.sum())
    return total / max(1, len(rows))


def _checked(
    lm: LanguageModel, user_vectors: NDArray[np.float32], titles: Sequence[str]
) -> tuple[Tensor, Titles]:
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
    return vectors.to(lm.device), Titles.of(lm, [titles[row] for row in kept])


def _split(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs to learn from and pairs held out."""
    order = np.random.default_rng([seed, 1]).permutation(count)
    held = max(1, min(int(count * HELD_OUT_SHARE), HELD_OUT_MOST))
    return order[held:], order[:held]


def _endless(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], size: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """Yield full batches in seeded order, each of titles of like length: less padding."""
    rng = np.random.default_rng([seed, 2])
    while True:
        pool = np.concatenate([rng.permutation(rows) for _ in range(-(-size // len(rows)))])
        pool = pool[: len(pool) // size * size]
        # equal lengths stay in their random order, so a batch's company changes every time
        batches = pool[np.argsort(lengths[pool], kind="stable")].reshape(-1, size)
        yield from rng.permutation(batches)


def _warm_linear(step: int, steps: int) -> float:
    """Learning rate as a share of its height: a twentieth to warm up, then down to a tenth."""
    warm = max(1, steps // 20)
    return min(1.0, (step + 1) / warm, 1 - 0.9 * (step - warm) / max(1, steps - warm))
