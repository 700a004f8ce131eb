"""What a personal adapter must beat: one of the same size for everybody, taught by the same."""

from collections.abc import Sequence
from dataclasses import replace

from personalizer.config import HypernetConfig
from personalizer.errors import extra
from personalizer.lm.load import LanguageModel
from personalizer.methods.base import Lesson, MethodSettings, Question
from personalizer.methods.by_peft import MtLora

with extra("llm"):
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["everybodys"]

SHARE = 0.25  # of the hypernetwork's steps; what has far less to learn is done by then
LESSONS = 20_000


def everybodys(
    lm: LanguageModel,
    learned: Sequence[str],
    asked: Sequence[str],
    config: HypernetConfig,
    *,
    shelf: Sequence[str] = (),
    seed: int = 0,
) -> NDArray[np.float32]:
    """Losses (N,) of titles `asked` under an adapter for everybody that `learned` others."""
    fewer = replace(config, steps=max(1, round(SHARE * config.steps)))
    rows = np.random.default_rng([seed, 41]).permutation(len(learned))[:LESSONS]
    nobody = Question(np.empty(0, np.float32), "", (), "", ())
    rival = MtLora(lm, MethodSettings(fewer, shelf=tuple(shelf)))
    rival.fit([Lesson(nobody, learned[row]) for row in rows.tolist()], seed=seed)
    return rival.losses(asked)
