"""How likely texts are after a prompt; what is common to a shopper's candidates is read once."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from personalizer.errors import PersonalizerError, extra
from personalizer.lm.load import LanguageModel
from personalizer.lm.prompts import left_padded, positions
from personalizer.lora import Adapted, Adapters, rows_of

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["CandidateScorer"]

Scores = NDArray[np.float32]
Tokens = Sequence[Sequence[int]]


class CandidateScorer:
    """Mean log-probability per token of candidates, each shopper's after her own prompt.

    The prompt is run once per shopper; her candidates go on from its keys and values.
    """

    def __init__(
        self, lm: LanguageModel, adapted: Adapted | None = None, *, batch_tokens: int = 8192
    ) -> None:
        self._lm, self._adapted, self._batch_tokens = lm, adapted, batch_tokens
        # models without it give all logits; only the last are read
        takes = inspect.signature(lm.model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}

    @torch.inference_mode()
    def score(
        self,
        prompts: Tokens,
        candidates: Sequence[Tokens],
        adapters: Adapters | None = None,
        soft: Tensor | None = None,
    ) -> Scores:
        """Score each shopper's candidates (U, K); where she has fewer, -inf; no tokens, 0.

        `adapters` has one of each shopper, `soft` (U, S, H) embeddings that stand before her
        prompt.
        """
        self._check(prompts, candidates, adapters)
        width = max((len(each) for each in candidates), default=0)
        out = np.full((len(prompts), width), -np.inf, np.float32)
        with self._lm.lock:
            for rows in self._batches(prompts, candidates) if width else ():
                mine = rows_of(adapters, rows) if adapters is not None else None
                with self._use(mine):
                    out[rows] = self._some(
                        [prompts[row] for row in rows],
                        [candidates[row] for row in rows],
                        width,
                        soft[rows] if soft is not None else None,
                    )
        return out

    def _check(
        self, prompts: Tokens, candidates: Sequence[Tokens], adapters: Adapters | None
    ) -> None:
        if len(prompts) != len(candidates) or not all(len(prompt) for prompt in prompts):
            raise PersonalizerError(
                f"{len(prompts)} prompts, some empty or too few, for {len(candidates)} shoppers",
                where="CandidateScorer.score",
                fix="give each shopper a prompt of a token at least",
            )
        if adapters is not None and self._adapted is None:
            raise PersonalizerError("adapters for a model without", where="CandidateScorer.score")

    def _use(self, adapters: Adapters | None) -> AbstractContextManager[None]:
        if adapters is None or self._adapted is None:
            return nullcontext()
        return self._adapted.use(adapters)

    def _batches(self, prompts: Tokens, candidates: Sequence[Tokens]) -> Iterator[list[int]]:
        """Shoppers with prompts of like length, as many as the budget of tokens holds."""
        longest = max((len(text) for each in candidates for text in each), default=0)
        most = max((len(each) for each in candidates), default=0) * longest
        some: list[int] = []
        for row in sorted(range(len(prompts)), key=lambda row: len(prompts[row])):
            if some and (len(some) + 1) * (len(prompts[row]) + most) > self._batch_tokens:
                yield some
                some = []
            some.append(row)
        if some:
            yield some

    def _some(
        self, prompts: Tokens, candidates: Sequence[Tokens], width: int, soft: Tensor | None
    ) -> Scores:
        """Score one batch (U, K)."""
        device = self._lm.device
        ids, lengths = _right_padded(candidates, width)  # (U, K, T), (U, K)
        ids, lengths = ids.to(device), lengths.to(device)
        users, many, long = ids.shape
        mask, logits, cache = self._prompt(prompts, soft)
        told = torch.zeros(users, many, long, device=device)
        first = logits.float().log_softmax(dim=-1)  # (U, V)
        told[:, :, 0] = first.gather(1, ids[:, :, 0])
        if long > 1:
            told[:, :, 1:] = self._rest(ids, mask, cache).view(users, many, long - 1)
        real = torch.arange(long, device=device) < lengths.clamp(min=0)[..., None]  # (U, K, T)
        mean = (told * real).sum(-1) / lengths.clamp(min=1)  # (U, K)
        scores: Scores = mean.masked_fill(lengths < 0, -torch.inf).cpu().numpy()
        return scores

    def _prompt(self, prompts: Tokens, soft: Tensor | None) -> tuple[Tensor, Tensor, object]:
        """Run the prompts: their mask (U, P), the logits of what comes next (U, V), the cache."""
        model, device = self._lm.model, self._lm.device
        ids, mask = left_padded(prompts, self._lm.start_id, device)
        given: dict[str, Tensor] = {"input_ids": ids}
        if soft is not None:
            given, mask = with_soft(self._lm, ids, mask, soft)
        # only what is padded needs a mask; without it attention takes its fast path
        padded = {"attention_mask": mask} if not bool(mask.all()) else {}
        out = model(
            **given, **padded, **self._last_only, position_ids=positions(mask), use_cache=True
        )
        return mask, out.logits[:, -1], out.past_key_values

    def _rest(self, ids: Tensor, mask: Tensor, cache: object) -> Tensor:
        """Log-probabilities (U·K, T - 1) of all tokens but the first, after the prompts' cache."""
        _, many, long = ids.shape
        if many > 1:
            cache.batch_repeat_interleave(many)  # type: ignore[attr-defined]
        flat = ids.view(-1, long)  # (U·K, T)
        before = mask.repeat_interleave(many, dim=0)  # (U·K, P)
        whole = torch.cat([before, torch.ones_like(flat[:, 1:])], dim=1)
        logits = self._lm.model(
            input_ids=flat[:, :-1],
            attention_mask=whole,
            position_ids=positions(whole)[:, before.shape[1] :],
            past_key_values=cache,
            use_cache=True,
        ).logits  # (U·K, T - 1, V)
        nll = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), flat[:, 1:].flatten(), reduction="none"
        )
        return -nll.view(len(flat), -1)


def with_soft(
    lm: LanguageModel, ids: Tensor, mask: Tensor, soft: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Put embeddings (U, S, H) before padded prompts: what the model takes, and its mask."""
    words = lm.model.get_input_embeddings()(ids)  # (U, P, H)
    whole = torch.cat([soft.to(words.dtype), words], dim=1)
    seen = torch.cat([torch.ones_like(mask[:, :1]).expand(-1, soft.shape[1]), mask], dim=1)
    return {"inputs_embeds": whole}, seen


def _right_padded(candidates: Sequence[Tokens], width: int) -> tuple[Tensor, Tensor]:
    """Ids (U, K, T), padded with 0, and lengths (U, K); -1 where there is no candidate."""
    long = max(1, max((len(text) for each in candidates for text in each), default=1))
    ids = np.zeros((len(candidates), width, long), np.int64)
    lengths = np.full((len(candidates), width), -1, np.int64)
    for user, each in enumerate(candidates):
        for place, text in enumerate(each):
            ids[user, place, : len(text)] = text
            lengths[user, place] = len(text)
    return torch.from_numpy(ids), torch.from_numpy(lengths)
