"""Any causal language model of transformers, frozen and ready to score."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from personalizer.config import LMConfig
from personalizer.errors import WeightsError, extra

with extra("llm"):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

__all__ = ["LanguageModel", "load"]


@dataclass(frozen=True)
class LanguageModel:
    """A frozen model with its tokenizer."""

    model: Any
    tokenizer: Any
    title_tokens: int = 32
    # adapters hang on the one model: who uses them holds this
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return torch.device(self.model.device)

    @property
    def start_id(self) -> int:
        """The token every text starts with; models without one start at their end mark."""
        ids = (
            self.tokenizer.bos_token_id,
            self.tokenizer.eos_token_id,
            self.tokenizer.pad_token_id,
        )
        return next(int(i) for i in ids if i is not None)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of titles, cut to length; what looks like a special token stays plain text."""
        if not texts:
            return []
        ids = self.tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)
        return [list(row[: self.title_tokens]) for row in ids["input_ids"]]


def load(path_or_name: str, config: LMConfig) -> LanguageModel:
    """Load a folder or a model of the hub by name, in the configured type and on its device."""
    try:
        dtype = getattr(torch, config.dtype)
        model: Any = AutoModelForCausalLM.from_pretrained(path_or_name, dtype=dtype)
        tokenizer: Any = AutoTokenizer.from_pretrained(path_or_name)
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"not a causal language model that transformers can load: {error}",
            where=str(path_or_name),
            fix="give the folder of one, or its name on the hub",
        ) from error
    model = model.to(config.device).eval().requires_grad_(requires_grad=False)
    return LanguageModel(model, tokenizer, config.title_tokens)
