"""Options by their labels: how likely "B" is as the answer, wherever the option stands."""

from collections.abc import Sequence
from contextlib import nullcontext

from personalizer.errors import PersonalizerError, extra
from personalizer.lm.load import LanguageModel
from personalizer.lm.prompts import left_padded, positions, prompt_tokens
from personalizer.lora import Adapted, Adapters, rows_of

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["LABELS", "label_tokens", "option_text", "score_options"]

Scores = NDArray[np.float32]
LABELS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
ROWS = 256  # prompts in one pass


def label_tokens(lm: LanguageModel, labels: Sequence[str]) -> list[int]:
    """The token of each label, by the model's own tokenizer; each must be one and its own."""
    rows = lm.tokenizer(list(labels), add_special_tokens=False)["input_ids"] if labels else []
    for label, row in zip(labels, rows, strict=True):
        if len(row) != 1:
            raise PersonalizerError(
                f"{label!r} is {len(row)} tokens, not one",
                where="labels of options",
                fix="use labels that are one token each, such as A, B, C",
            )
    ids = [int(row[0]) for row in rows]
    if len(set(ids)) != len(ids):
        raise PersonalizerError("two labels are one token", where="labels of options")
    return ids


def option_text(question: str, options: Sequence[str], labels: Sequence[str] = LABELS) -> str:
    """Lay out a question with its options, an answer's label to follow."""
    lines = [f"{label}) {_line(text)}" for label, text in zip(labels, options, strict=False)]
    return "\n".join([*([question] if question else []), *lines, "Answer:\n"])


def _line(text: str) -> str:
    """One line: a title with line breaks must not look like two options."""
    return " ".join(text.split())


def score_options(
    lm: LanguageModel,
    questions: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    adapted: Adapted | None = None,
    adapters: Adapters | None = None,
    labels: Sequence[str] = LABELS,
) -> Scores:
    """Log-probabilities (U, K) of options among themselves, averaged over all cyclic shifts.

    Every option stands once in every place, so that a liking for the first place cancels out.
    """
    many = {len(each) for each in options}
    if len(many) > 1 or max(many, default=1) > len(labels) or min(many, default=1) < 1:
        raise PersonalizerError(
            f"questions of {sorted(many)} options",
            where="score_options",
            fix=f"give every question as many, {len(labels)} at most",
        )
    out = np.zeros((len(questions), max(many, default=0)), np.float32)
    at_once = max(1, ROWS // max(1, out.shape[1]))
    with lm.lock:
        for start in range(0, len(questions), at_once):
            some = slice(start, start + at_once)
            mine = rows_of(adapters, some) if adapters is not None else None
            use = nullcontext() if mine is None or adapted is None else adapted.use(mine)
            with use:
                out[some] = _some(lm, questions[some], options[some], labels)
    return out


@torch.inference_mode()
def _some(
    lm: LanguageModel,
    questions: Sequence[str],
    options: Sequence[Sequence[str]],
    labels: Sequence[str],
) -> Scores:
    many = len(options[0])
    ids = torch.tensor(label_tokens(lm, labels[:many]), device=lm.device)
    texts = [
        option_text(question, [*each[shift:], *each[:shift]], labels)
        for question, each in zip(questions, options, strict=True)
        for shift in range(many)
    ]  # one shopper's shifts stand together
    rows, mask = left_padded(prompt_tokens(lm, texts), lm.start_id, lm.device)
    logits = lm.model(
        input_ids=rows, attention_mask=mask, position_ids=positions(mask), use_cache=False
    ).logits[:, -1]  # (U·K, V)
    told = logits[:, ids].float().log_softmax(dim=-1).view(-1, many, many)  # (U, shift, label)
    # option o has label (o - shift) in that shift
    label = (torch.arange(many) - torch.arange(many)[:, None]) % many  # (shift, option)
    mean = told.gather(2, label.to(lm.device).expand(len(told), -1, -1)).mean(dim=1)
    scores: Scores = mean.log_softmax(dim=-1).cpu().numpy()
    return scores
