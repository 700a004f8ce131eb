"""Numbers that show personalisation is real: row i depends on shopper i, and on nobody else.

`prove` runs them all on purchases that were held out, and gives a verdict for the manifest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from personalizer.errors import extra
from personalizer.hypernet import HyperNetwork
from personalizer.lm.load import LanguageModel
from personalizer.train.goals import goal_of
from personalizer.train.pairs import losses_of, mean_loss

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = [
    "Interval",
    "Verdict",
    "cross_gradients",
    "gradient_reaches_every_user",
    "paired",
    "prove",
    "row_independence",
    "shuffled_loses",
]

Vectors = NDArray[np.float32]
RESAMPLES = 2_000
LEAKS = 1e-6  # products of another size may round otherwise; a leak shows far above
SHOWN = 8  # shoppers whose every row is looked at


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval, by resampling shoppers."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """Whether the adapters are proved to be personal, and what says so."""

    proved: bool
    why: str
    # loss with another's profile minus with her own: above zero, her own is better
    against: dict[str, Interval]
    losses: dict[str, float]
    cross_gradient: float
    least_gradient: float
    pairs: int
    # loss with a part of her profile alone minus with the whole; what it says proves nothing
    alone: dict[str, Interval]

    def document(self) -> dict[str, Any]:
        """What the manifest keeps."""
        return asdict(self)


def paired(
    worse: NDArray[np.floating[Any]], better: NDArray[np.floating[Any]], *, seed: int
) -> Interval:
    """By how much one is above the other, shopper by shopper."""
    differences = np.asarray(worse, np.float64) - np.asarray(better, np.float64)
    rng = np.random.default_rng([seed, 11])
    rows = rng.integers(len(differences), size=(RESAMPLES, len(differences)))
    low, high = np.quantile(differences[rows].mean(axis=1), (0.025, 0.975))
    return Interval(float(differences.mean()), float(low), float(high))


def prove(
    lm: LanguageModel,
    hypernet: HyperNetwork,
    vectors: Vectors,
    titles: Sequence[str],
    *,
    shelf: Sequence[str] = (),
    seed: int = 0,
    rivals: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    parts: Mapping[str, Vectors] | None = None,
) -> Verdict:
    """Judge a hypernetwork on pairs it has not learned from: vectors (N, D), titles bought (N).

    It is judged by the goal it was trained for: with a `shelf`, by telling what was bought from
    the rest. `rivals` are losses (N,) of other models on the same titles, such as an adapter for
    everybody: they too must lose. `parts` are the same vectors with something left out (N, D): how
    much that costs is told, and judges nothing.
    """
    device = lm.device
    goal, rows = goal_of(lm, titles, shelf, hypernet.config), np.arange(len(titles))
    real = _tensor(vectors, device)
    told: dict[str, NDArray[np.floating[Any]]] = {}
    with lm.lock:
        for name, other in _others(real, seed).items():
            told[name] = losses_of(lm, goal, rows, hypernet, other)
        told["base"] = losses_of(lm, goal, rows)
        left = {
            name: losses_of(lm, goal, rows, hypernet, _tensor(part, device))
            for name, part in (parts or {}).items()
        }
    told |= dict(rivals or {})
    own = told.pop("real")
    against = {name: paired(losses, own, seed=seed) for name, losses in told.items()}
    some = slice(0, SHOWN)
    cross = cross_gradients(hypernet, vectors[some])
    reached = gradient_reaches_every_user(lm, hypernet, vectors[some], list(titles)[some])
    why = _objection(against, cross, float(reached.min()))
    return Verdict(
        proved=not why,
        why=why,
        against=against,
        losses={"real": float(own.mean())} | {k: float(v.mean()) for k, v in told.items()},
        cross_gradient=cross,
        least_gradient=float(reached.min()),
        pairs=len(rows),
        alone={name: paired(losses, own, seed=seed) for name, losses in left.items()},
    )


def _tensor(vectors: Vectors, device: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(vectors, np.float32)).to(device)


def _others(real: Tensor, seed: int) -> dict[str, Tensor]:
    """Her own vectors, another shopper's, random ones of the same law, and none."""
    rng = np.random.default_rng(seed)
    # a shuffled cycle: nobody keeps her own
    cycle = rng.permutation(len(real))
    shuffled = real.clone()
    shuffled[cycle] = real[np.roll(cycle, 1)]
    drawn = torch.from_numpy(rng.normal(size=tuple(real.shape)).astype(np.float32)).to(real.device)
    random = drawn * real.std(dim=0, correction=0) + real.mean(dim=0)
    return {
        "real": real,
        "shuffled": shuffled,
        "random": random,
        "zero": torch.zeros_like(real),
    }


def _objection(against: Mapping[str, Interval], cross: float, reached: float) -> str:
    """Say what speaks against it; nothing where all is as it should be."""
    if cross > LEAKS:
        return f"a shopper's adapter depends on another's vector (gradient {cross:.1e})"
    if reached <= 0:
        return "the gradient does not reach every shopper's vector"
    for name, interval in against.items():
        if interval.low <= 0:
            return (
                f"{name} does not lose against the shopper's own: "
                f"{interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"
            )
    return ""


def cross_gradients(hypernet: HyperNetwork, vectors: Vectors) -> float:
    """The largest gradient of one shopper's adapter in another's vector: exactly 0 as it should."""
    device = next(hypernet.parameters()).device
    users = _tensor(vectors, device).requires_grad_()  # (U, D)
    flat = _flat(hypernet, users)  # (U, P)
    weights = torch.linspace(0.5, 1.5, flat.shape[1], device=device)  # no two cancel out
    most = 0.0
    for row in range(len(users)):
        (gradient,) = torch.autograd.grad(flat[row] @ weights, users, retain_graph=True)
        gradient[row] = 0
        most = max(most, float(gradient.abs().max()))
    return most


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
        loss = goal_of(lm, titles, (), hypernet.config).judge(lm, np.arange(len(titles))).mean()
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
    goal, rows = goal_of(lm, titles, (), hypernet.config), np.arange(len(titles))
    real = torch.from_numpy(vectors).to(lm.device)  # (N, D)
    other = _others(real, seed)["shuffled"]
    with lm.lock:
        return {
            "base": mean_loss(lm, goal, rows),
            "real": mean_loss(lm, goal, rows, hypernet, real),
            "shuffled": mean_loss(lm, goal, rows, hypernet, other),
            "zero": mean_loss(lm, goal, rows, hypernet, torch.zeros_like(real)),
        }


def _flat(hypernet: HyperNetwork, users: Tensor) -> Tensor:
    """All adapter weights of each shopper in one row (U, P)."""
    parts = [part.flatten(1) for pair in hypernet(users).values() for part in pair]
    return torch.cat(parts, dim=1)
