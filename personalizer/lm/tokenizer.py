"""A byte-level BPE tokenizer, trained on the catalogue's text."""

from collections.abc import Sequence
from typing import Any

from personalizer.errors import TrainingError, extra

with extra("llm"):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

__all__ = ["train"]

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"


def train(texts: Sequence[str], vocab_size: int) -> Any:
    """Train a tokenizer of transformers; any text can be told in its tokens and back."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if vocab_size < len(alphabet) + 3:
        raise TrainingError(
            f"{vocab_size} tokens don't hold the 256 bytes and 3 marks",
            where="personalizer.lm.vocab_size",
            fix="raise it to 259 or more",
        )
    tokenizer = Tokenizer(models.BPE())
    # no prefix space: a title is told alike at the start and after a line break
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, BOS, EOS],
        # sorted: the set's own order differs from run to run
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BOS, eos_token=EOS
    )
