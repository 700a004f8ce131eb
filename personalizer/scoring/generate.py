"""Text for text tasks, each row with its own adapter; scores never come from here."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

from personalizer.errors import extra
from personalizer.lm.load import LanguageModel
from personalizer.lm.prompts import left_padded
from personalizer.lora import Adapted, Adapters

with extra("llm"):
    import torch
    from transformers import StoppingCriteria, StoppingCriteriaList

__all__ = ["generate"]


class _Until(StoppingCriteria):
    """Stops all rows as soon as nobody waits for them."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop

    def __call__(self, input_ids: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        return torch.full((len(input_ids),), self._stop(), device=input_ids.device)


@torch.inference_mode()
def generate(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    *,
    most: int,
    adapted: Adapted | None = None,
    adapters: Adapters | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[list[int]]:
    """Give the likeliest next tokens of each prompt (greedy), without the end mark."""
    if not prompts:
        return []
    ids, mask = left_padded(prompts, lm.start_id, lm.device)
    use = nullcontext() if adapters is None or adapted is None else adapted.use(adapters)
    with lm.lock, use:
        made = lm.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            pad_token_id=lm.start_id if lm.tokenizer.pad_token_id is None else None,
            stopping_criteria=StoppingCriteriaList([_Until(stop)]),
        )[:, ids.shape[1] :]
    ends = _ends(lm)
    return [_until(row, ends) for row in made.tolist()]


def _ends(lm: LanguageModel) -> set[int]:
    """Tokens that end an answer, by tokenizer and by the model's own generation settings."""
    own = lm.model.generation_config.eos_token_id
    several = own if isinstance(own, list) else [own]
    return {
        i for i in [*several, lm.tokenizer.eos_token_id, lm.tokenizer.pad_token_id] if i is not None
    }


def _until(row: list[int], ends: set[int]) -> list[int]:
    end = next((place for place, token in enumerate(row) if token in ends), len(row))
    return row[:end]
