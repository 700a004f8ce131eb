"""Texts to unit vectors, by any encoder of transformers; all-MiniLM-L6-v2 by default."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from personalizer.config import EncoderConfig
from personalizer.errors import WeightsError, extra
from personalizer.threads import keep_threads
from personalizer.vectors import Encoder, Progress, Vectors
from personalizer.weights import fingerprint, locate

with extra("llm"):
    import numpy as np
    import torch
    from torch import Tensor
    from transformers import AutoModel, AutoTokenizer

Batch = tuple[list[int], list[list[int]]]
"""Rows of one portion of texts, and their tokens."""

__all__ = ["Encoder", "Progress", "TextEncoder", "Vectors", "locate"]


class TextEncoder:
    """An encoder in memory."""

    def __init__(self, config: EncoderConfig) -> None:
        keep_threads()
        folder = locate(config)
        self.version = f"{_name(config)}@{fingerprint(folder)[:8]}"
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self._model: Any = AutoModel.from_pretrained(folder, dtype=best_dtype()).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"not an encoder that transformers can load: {error}", where=str(folder)
            ) from error
        self.dim = int(self._model.config.hidden_size)
        self._pool = _pooling(folder)
        self._batch_tokens = config.batch_tokens
        self._threads = torch.get_num_threads()
        self._max_tokens = min(config.max_tokens, self._tokenizer.model_max_length)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Encode texts as rows (N, D) of length one; equal texts are encoded once.

        The same texts give the same rows; with other texts beside it, a row differs in its last
        digits: how a product of matrices is summed hangs on their sizes.
        """
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        vectors = np.zeros((len(row_of), self.dim), np.float32)
        done = 0
        batches = list(self._batches(list(row_of)))
        for (rows, _), forward in zip(batches, self._forwards(batches), strict=True):
            vectors[rows] = forward
            done += len(rows)
            if progress:
                progress(done, len(row_of))
        return vectors[[row_of[text] for text in texts]]

    def _batches(self, texts: list[str]) -> Iterator[Batch]:
        """Yield (rows, tokens) of texts of like length, so that little is padding."""
        if not texts:
            return
        ids = self._tokenizer(texts, truncation=True, max_length=self._max_tokens)["input_ids"]
        rows: list[int] = []
        for row in sorted(range(len(ids)), key=lambda i: len(ids[i])):
            # rows come shortest first: this one would set the width of the batch
            if rows and (len(rows) + 1) * len(ids[row]) > self._batch_tokens:
                yield rows, [ids[i] for i in rows]
                rows = []
            rows.append(row)
        yield rows, [ids[i] for i in rows]

    def _forwards(self, batches: Sequence[Batch]) -> Iterator[Vectors]:
        """Give each thread batches of its own: threads within one wait for each other."""
        if len(batches) < 2:
            yield from (self._forward(tokens) for _, tokens in batches)
            return
        try:
            with ThreadPoolExecutor(self._threads, "encoder", torch.set_num_threads, (1,)) as pool:
                yield from pool.map(lambda batch: self._forward(batch[1]), batches)
        finally:
            torch.set_num_threads(self._threads)  # a thread's number is every later thread's, too

    @torch.inference_mode()
    def _forward(self, tokens: list[list[int]]) -> Vectors:
        lengths = torch.tensor([len(t) for t in tokens])  # (B,)
        width = int(lengths.max())
        pad = self._tokenizer.pad_token_id or 0
        ids = torch.tensor([t + [pad] * (width - len(t)) for t in tokens])  # (B, T)
        mask = torch.arange(width) < lengths[:, None]  # (B, T)
        hidden = self._model(
            input_ids=ids, attention_mask=mask.long()
        ).last_hidden_state  # (B, T, D)
        pooled = self._pool(hidden.float(), mask)  # (B, D)
        return torch.nn.functional.normalize(pooled, dim=-1).numpy()


def best_dtype() -> torch.dtype:
    """Choose bfloat16 where the CPU multiplies it in hardware; elsewhere it is slower."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    in_hardware = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return torch.bfloat16 if in_hardware else torch.float32


def _name(config: EncoderConfig) -> str:
    return Path(config.path).resolve().name if config.path else config.name


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask[..., None].to(hidden)  # (B, T, 1)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)  # (B, D)


def _first(hidden: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG001 - one signature for all
    return hidden[:, 0]  # (B, D)


def _last(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]  # (B, D)


def _pooling(folder: Path) -> Callable[[Tensor, Tensor], Tensor]:
    """Pool as the model's own folder says; by the mean where it says nothing."""
    file = folder / "1_Pooling" / "config.json"
    said = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    mode = said.get("pooling_mode")
    if said.get("pooling_mode_cls_token") or mode == "cls":
        return _first
    if said.get("pooling_mode_lasttoken") or mode == "lasttoken":
        return _last
    return _mean
