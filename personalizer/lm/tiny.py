"""A small Qwen2-architecture model, trained from scratch on the catalogue's text."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from personalizer.allocator import keep_freed
from personalizer.config import LMConfig
from personalizer.errors import TrainingError, extra
from personalizer.lm import tokenizer as bpe
from personalizer.lm.likelihood import batches_by_length
from personalizer.threads import keep_threads

with extra("llm"):
    import numpy as np
    import torch
    from torch import Tensor
    from transformers import Qwen2Config, Qwen2ForCausalLM

__all__ = ["build", "pretrain"]

log = logging.getLogger(__name__)

HEAD = 32  # width of an attention head
IGNORED = -100  # cross_entropy's mark of a position without a target


def pretrain(
    texts: Sequence[str],
    config: LMConfig,
    *,
    seed: int,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Train tokenizer and model on texts (one text is one sequence), save both to a folder."""
    if not any(text.strip() for text in texts):
        raise TrainingError("there is no text to train on", where="tiny language model")
    keep_freed()
    keep_threads()
    tokenizer = bpe.train(texts, config.vocab_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(config, tokenizer)
        metrics = _fit(model, _sequences(texts, tokenizer, config), config, seed, progress)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return metrics


def build(config: LMConfig, tokenizer: Any) -> Any:
    """Make a model for a tokenizer; weights are random."""
    return of_size(
        config,
        len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def of_size(config: LMConfig, vocabulary: int, **marks: int) -> Any:
    """Derive a model from its width and depth; weights are random."""
    if config.hidden_size % HEAD:
        raise TrainingError(
            f"{config.hidden_size} is not a multiple of {HEAD}",
            where="personalizer.lm.hidden_size",
            fix=f"use {max(HEAD, config.hidden_size // HEAD * HEAD)}",
        )
    heads = config.hidden_size // HEAD
    shape = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=config.hidden_size,
        intermediate_size=config.hidden_size * 8 // 3 // HEAD * HEAD,
        num_hidden_layers=config.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=config.context,
        tie_word_embeddings=True,
        **marks,
    )
    return Qwen2ForCausalLM(shape)


def _sequences(texts: Sequence[str], tokenizer: Any, config: LMConfig) -> list[list[int]]:
    """<bos> text <eos>, in pieces of at most `context` tokens."""
    ids = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    whole = [[tokenizer.bos_token_id, *row, tokenizer.eos_token_id] for row in ids if row]
    step = config.context
    return [row[i : i + step] for row in whole for i in range(0, len(row) - 1, step)]


def _fit(
    model: Any,
    sequences: list[list[int]],
    config: LMConfig,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, float]:
    lengths = np.array([len(row) for row in sequences], np.int64)
    batches = list(batches_by_length(lengths, config.step_tokens))
    steps = min(config.epochs * len(batches), config.max_steps)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.05
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_cosine(step, steps))
    model.train()
    losses: list[float] = []
    for step, batch in enumerate(_endless(batches, seed)):
        if step == steps:
            break
        losses.append(_step(model, [sequences[i] for i in batch], optimizer))
        schedule.step()
        if not math.isfinite(losses[-1]):
            raise TrainingError(
                f"the loss is {losses[-1]} at step {step}",
                where="tiny language model",
                fix="lower personalizer.lm.learning_rate",
            )
        if progress:
            progress(step + 1, steps)
    model.eval()
    tail = losses[-max(1, steps // 10) :]
    log.info("trained %d steps, loss %.2f to %.2f", steps, losses[0], float(np.mean(tail)))
    return {
        "loss_first": losses[0],
        "loss_last": float(np.mean(tail)),
        "steps": float(steps),
        "epochs": steps / len(batches),
        "tokens": float(lengths.sum()),
        "parameters": float(model.num_parameters()),
    }


def _step(model: Any, rows: list[list[int]], optimizer: torch.optim.Optimizer) -> float:
    ids, targets = _padded(rows)  # (B, T), (B, T - 1)
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits  # (B, T - 1, V)
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED
    )
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Give inputs (B, T) padded on the right with 0, targets (B, T - 1) with the ignored mark."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    targets = torch.tensor([row[1:] + [IGNORED] * (width - len(row)) for row in rows])
    return ids, targets


def _endless(batches: list[Any], seed: int) -> Iterator[Any]:
    """Batches in a new seeded order in every epoch."""
    rng = np.random.default_rng(seed)
    while True:
        for index in rng.permutation(len(batches)):
            yield batches[index]


def warm_cosine(step: int, steps: int) -> float:
    """Learning rate as a share of its height: a tenth to warm up, then a cosine to a tenth."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.55 + 0.45 * math.cos(math.pi * (step - warm) / max(1, steps - warm))
