"""Numbers that show personalisation is real: row i depends on shopper i, and on nobody else."""

from collections.abc import Sequence

from personalizer.errors import extra
from personalizer.hypernet import HyperNetwork
from personalizer.lm.likelihood import Titles
from personalizer.lm.load import LanguageModel
from personalizer.train import mean_loss

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["gradient_reaches_every_user", "row_independence", "shuffled_loses"]

Vectors = NDArray[np.float32]


@torch.no_grad()
def row_independence(hypernet: HyperNetwork, vectors: Vectors) -> dict[str, float]:
    """Replace one shopper at a time: the least change of her own adapters, the most of others'."""
    users = torch.from_numpy(vectors)  # (U, D)
    before = _flat(hypernet, users)  # (U, P)
    own, others = [], []
    for row in range(len(users)):
        changed = users.clone()
        changed[row] = -users[row]
        moved = (_flat(hypernet, changed) - before).abs().amax(dim=1)  # (U,)
        own.append(float(moved[row]))
        moved[row] = 0
        others.append(float(moved.max()))
    return {"own": min(own), "others": max(others)}


def gradient_reaches_every_user(
    lm: LanguageModel, hypernet: HyperNetwork, vectors: Vectors, titles: Sequence[str]
) -> Vectors:
    """Norms (U,) of the loss's gradient in each shopper's vector, all in one batch."""
    users = torch.from_numpy(vectors).to(lm.device).requires_grad_()  # (U, D)
    adapted = hypernet.attach(lm.model)
    with lm.lock, adapted.use(hypernet(users)):
        loss = Titles.of(lm, titles).nll(lm, np.arange(len(titles))).mean()
    (gradient,) = torch.autograd.grad(loss, users)
    norms: Vectors = gradient.norm(dim=1).cpu().numpy()
    return norms


def shuffled_loses(
    lm: LanguageModel,
    hypernet: HyperNetwork,
    vectors: Vectors,
    titles: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, float]:
    """Mean loss per token without adapters, with the real, another shopper's and no vector."""
    tokenised, rows = Titles.of(lm, titles), np.arange(len(titles))
    real = torch.from_numpy(vectors).to(lm.device)  # (N, D)
    # a shuffled cycle: nobody keeps her own
    cycle = np.random.default_rng(seed).permutation(len(titles))
    other = real.clone()
    other[cycle] = real[np.roll(cycle, 1)]
    with lm.lock:
        return {
            "base": mean_loss(lm, tokenised, rows),
            "real": mean_loss(lm, tokenised, rows, hypernet, real),
            "shuffled": mean_loss(lm, tokenised, rows, hypernet, other),
            "zero": mean_loss(lm, tokenised, rows, hypernet, torch.zeros_like(real)),
        }


def _flat(hypernet: HyperNetwork, users: Tensor) -> Tensor:
    """All adapter weights of each shopper in one row (U, P)."""
    parts = [part.flatten(1) for pair in hypernet(users).values() for part in pair]
    return torch.cat(parts, dim=1)
