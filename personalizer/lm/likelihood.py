"""How likely titles are to a language model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from personalizer.errors import extra
from personalizer.lm.load import LanguageModel

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Titles", "batches_by_length", "logits_of", "mean_nll"]


@dataclass(frozen=True)
class Titles:
    """Tokenised titles, each behind the start token, padded on the right."""

    ids: Tensor  # (I, 1 + T)
    lengths: NDArray[np.int64]  # (I,) without the start

    @classmethod
    def of(cls, lm: LanguageModel, titles: Sequence[str]) -> "Titles":
        """Tokenise once what is scored often."""
        rows = lm.tokens(titles)
        lengths = np.array([len(row) for row in rows], np.int64)
        ids = np.full((len(rows), 1 + int(lengths.max(initial=0))), lm.start_id, np.int64)
        for target, row in zip(ids, rows, strict=True):
            target[1 : 1 + len(row)] = row
        return cls(torch.from_numpy(ids).to(lm.device), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def nll(
        self,
        lm: LanguageModel,
        rows: NDArray[np.int64],
        *,
        smoothing: float = 0.0,
        soft: Tensor | None = None,
    ) -> Tensor:
        """Mean negative log-likelihood per token of some titles: (B,).

        `soft` (B, S, H) stands before them as embeddings.
        """
        lengths = self.lengths[rows]
        width = 1 + int(lengths.max(initial=1))
        ids = self.ids[torch.from_numpy(rows).to(self.ids.device), :width]  # (B, 1 + T)
        return mean_nll(lm, ids, torch.from_numpy(lengths).to(self.ids.device), smoothing, soft)


def mean_nll(
    lm: LanguageModel,
    ids: Tensor,
    lengths: Tensor,
    smoothing: float = 0.0,
    soft: Tensor | None = None,
) -> Tensor:
    """Mean negative log-likelihood of ids (B, 1 + T) after the start: (B,); 0 without tokens.

    Padding stands on the right, where a causal model can't see it: no mask is needed.
    """
    if ids.shape[1] < 2:
        return torch.zeros(len(ids), device=ids.device)
    logits = logits_of(lm, ids[:, :-1], soft)  # (B, T, V)
    # the class dimension in the middle would be copied: flatten instead
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(),
        ids[:, 1:].flatten(),
        reduction="none",
        label_smoothing=smoothing,
    ).view(len(ids), -1)  # (B, T)
    real = torch.arange(losses.shape[1], device=ids.device) < lengths[:, None]  # (B, T)
    return (losses * real).sum(1) / lengths.clamp(min=1)


def logits_of(lm: LanguageModel, ids: Tensor, soft: Tensor | None = None) -> Tensor:
    """Logits (B, T, V) at ids (B, T), behind soft tokens (B, S, H) where there are some."""
    if soft is None:
        told: Tensor = lm.model(input_ids=ids, use_cache=False).logits
        return told
    words = lm.model.get_input_embeddings()(ids)
    whole = torch.cat([soft.to(words.dtype), words], dim=1)
    told = lm.model(inputs_embeds=whole, use_cache=False).logits
    return told[:, soft.shape[1] :]


def batches_by_length(lengths: NDArray[np.int64], tokens: int) -> Iterator[NDArray[np.int64]]:
    """Yield positions of rows of like length, so that a batch holds `tokens` with its padding."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        wider = int(lengths[order[end]]) + 1 if end < len(order) else None
        if wider is None or (end + 1 - start) * wider > tokens:
            yield order[start:end]
            start = end
