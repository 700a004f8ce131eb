"""Losses: of targets after prompts, and of the adapters that were generated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from personalizer.errors import extra
from personalizer.lm.likelihood import logits_of
from personalizer.lm.load import LanguageModel
from personalizer.lora import Adapters

with extra("llm"):
    import torch
    from torch import Tensor

__all__ = ["noisy", "target_nll", "weight_penalty"]

IGNORED = -100


def target_nll(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    *,
    soft: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Mean negative log-likelihood per token of targets after prompts: (B,).

    `soft` (B, S, H) stands before the prompts as embeddings. Padding stands on the right, where a
    causal model can't see it.
    """
    width = max(len(p) + len(t) for p, t in zip(prompts, targets, strict=True))
    rows = [[*p, *t] for p, t in zip(prompts, targets, strict=True)]
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=lm.device)
    marks = [
        [IGNORED] * len(p) + list(t) + [IGNORED] * (width - len(p) - len(t))
        for p, t in zip(prompts, targets, strict=True)
    ]
    labels = torch.tensor(marks, device=lm.device)[:, 1:]  # (B, T - 1)
    logits = logits_of(lm, ids[:, :-1], soft)  # (B, T - 1, V)
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(),
        labels.flatten(),
        ignore_index=IGNORED,
        reduction="none",
        label_smoothing=smoothing,
    ).view(labels.shape)
    return losses.sum(1) / (labels != IGNORED).sum(1).clamp(min=1)


def weight_penalty(adapters: Adapters) -> Tensor:
    """Mean square of the generated weights."""
    parts = [part for pair in adapters.values() for part in pair]
    total = torch.stack([part.float().square().sum() for part in parts]).sum()
    return total / sum(part.numel() for part in parts)


@contextmanager
def noisy(lm: LanguageModel, alpha: float) -> Iterator[None]:
    """NEFTune inside the block: uniform noise on the token embeddings, alpha / sqrt(T · H)."""
    if alpha <= 0:
        yield
        return

    def hook(_module: Any, _inputs: Any, words: Tensor) -> Tensor:
        size = alpha / (words.shape[1] * words.shape[2]) ** 0.5
        return words + torch.empty_like(words).uniform_(-size, size)

    handle = lm.model.get_input_embeddings().register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
