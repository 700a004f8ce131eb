"""A causal model of transformers, in process: chat template, greedy, in batches."""

from collections.abc import Iterator, Sequence
from typing import Any

from personalizer.config import LMConfig
from personalizer.errors import GeneratorError, extra
from personalizer.lm.load import LanguageModel, load
from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators.base import Answer, Generator, Request

with extra("llm"):
    import torch

__all__ = ["TransformersGenerator"]


class TransformersGenerator(Generator):
    """A model in memory."""

    def __init__(self, lm: LanguageModel, config: ProfilesConfig, name: str) -> None:
        self._lm, self._config, self._name = lm, config, name

    @classmethod
    def load(cls, config: ProfilesConfig) -> "TransformersGenerator":
        """Load the model that the settings name."""
        if not config.model:
            raise GeneratorError(
                "no model named",
                where="personalizer.profiles.model",
                fix="give the folder of a causal model, or its name on the hub",
            )
        lm = load(config.model, LMConfig(dtype=config.dtype, device=config.device))
        return cls(lm, config, config.model.rstrip("/").rpartition("/")[2])

    @property
    def version(self) -> str:
        """The model, and how far it writes."""
        return f"transformers:{self._name}/{self._config.max_new_tokens}"

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer all, those of like length together."""
        prompts = [self._tokens(request) for request in requests]
        found: list[Answer | None] = [None] * len(requests)
        with self._lm.lock:
            for rows in self._batches(prompts, requests):
                most = max(requests[row].max_new_tokens for row in rows)
                for row, answer in zip(
                    rows, self._write([prompts[r] for r in rows], most), strict=True
                ):
                    found[row] = answer
        return [answer for answer in found if answer is not None]

    def _tokens(self, request: Request) -> list[int]:
        """A chat as the model knows chats; the newest part is kept where it is too long."""
        tokenizer: Any = self._lm.tokenizer
        if tokenizer.chat_template:
            text = tokenizer.apply_chat_template(
                request.messages, tokenize=False, add_generation_prompt=True
            )
        else:
            text = "\n\n".join(message["content"] for message in request.messages) + "\n"
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        room = int(self._lm.model.config.max_position_embeddings) - self._most(request)
        return list(ids)[-max(1, room) :]

    def _most(self, request: Request) -> int:
        return min(request.max_new_tokens, self._config.max_new_tokens)

    def _batches(
        self, prompts: list[list[int]], requests: Sequence[Request]
    ) -> Iterator[list[int]]:
        """Rows shortest first; a batch ends before its padded size is too large."""
        rows: list[int] = []
        for row in sorted(range(len(prompts)), key=lambda r: len(prompts[r])):
            width = len(prompts[row]) + self._most(requests[row])
            if rows and (len(rows) + 1) * width > self._config.batch_tokens:
                yield rows
                rows = []
            rows.append(row)
        if rows:
            yield rows

    @torch.inference_mode()
    def _write(self, prompts: list[list[int]], most: int) -> list[Answer]:
        tokenizer, model = self._lm.tokenizer, self._lm.model
        end = tokenizer.eos_token_id
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end
        width = max(map(len, prompts))
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])  # (B, T), padded left
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        made = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=min(most, self._config.max_new_tokens),
            do_sample=False,
            pad_token_id=pad,
            eos_token_id=end,
        )[:, width:].tolist()  # (B, N)
        return [self._answer(new, len(p), end) for p, new in zip(prompts, made, strict=True)]

    def _answer(self, new: list[int], read: int, end: int) -> Answer:
        ended = end in new
        kept = new[: new.index(end)] if ended else new
        text = self._lm.tokenizer.decode(kept, skip_special_tokens=True).strip()
        return Answer(text, truncated=not ended, tokens=read + len(kept), calls=1)
