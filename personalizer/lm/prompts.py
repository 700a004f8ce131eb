"""Texts to prompts of tokens, in the frame the model was taught to expect."""

from collections.abc import Sequence
from typing import Any

from personalizer.errors import extra
from personalizer.lm.load import LanguageModel

with extra("llm"):
    import torch
    from torch import Tensor

__all__ = ["chat_tokens", "left_padded", "positions", "prompt_tokens"]

PROMPT_TOKENS = 1024
_HERE = "\u241f"  # stands for a text while the frame around it is rendered


def prompt_tokens(
    lm: LanguageModel, texts: Sequence[str], most: int = PROMPT_TOKENS
) -> list[list[int]]:
    """Tokens of texts as questions to the model; a text that is too long loses its start."""
    return chat_tokens(lm, [[("user", text)] for text in texts], most)


def chat_tokens(
    lm: LanguageModel, chats: Sequence[Sequence[tuple[str, str]]], most: int = PROMPT_TOKENS
) -> list[list[int]]:
    """Tokens of conversations of (role, text), ready for the model's answer.

    A model with a chat template gets it; for another one the texts stand one under another.
    What looks like a special token within a text stays plain text.
    """
    return [_whole(lm, chat, most) for chat in chats]


def _whole(lm: LanguageModel, chat: Sequence[tuple[str, str]], most: int) -> list[int]:
    frame = _frame(lm, [role for role, _ in chat])  # one piece more than there are texts
    texts = [text for _, text in chat]
    rows = lm.tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    room = max(0, most - sum(len(piece) for piece in frame))
    ids = [*frame[0]]
    for piece, row in zip(frame[1:], _cut(rows, room), strict=True):
        ids += [*row, *piece]
    return ids


def _cut(rows: list[list[int]], room: int) -> list[list[int]]:
    """The last `room` tokens of some rows: what stands last is what is asked."""
    kept: list[list[int]] = []
    for row in reversed(rows):
        kept.append(list(row[max(0, len(row) - room) :]))
        room -= len(kept[-1])
    return kept[::-1]


def _frame(lm: LanguageModel, roles: Sequence[str]) -> list[list[int]]:
    """Tokens before, between and after the texts of a conversation."""
    if not getattr(lm.tokenizer, "chat_template", None):
        line: list[int] = lm.tokenizer("\n", add_special_tokens=False)["input_ids"]
        return [[lm.start_id], *([line] * (len(roles) - 1)), []]
    messages = [{"role": role, "content": f"{_HERE}{row}{_HERE}"} for row, role in enumerate(roles)]
    rendered: str = lm.tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    pieces = []
    for row in range(len(roles)):
        piece, _, rendered = rendered.partition(f"{_HERE}{row}{_HERE}")
        pieces.append(piece)
    return [_ids(lm.tokenizer, piece) for piece in [*pieces, rendered]]


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
    return ids


def left_padded(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Give rows as ids (B, T) that all end at the right, and their mask (B, T)."""
    width = max(1, max((len(row) for row in rows), default=1))
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids.to(device), mask.to(device)


def positions(mask: Tensor) -> Tensor:
    """Positions (B, T) of tokens that padding on the left does not move."""
    return (mask.cumsum(1) - 1).clamp(min=0)
