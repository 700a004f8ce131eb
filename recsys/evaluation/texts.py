"""How near answers come to what was wanted: each measure by its usual library.

ROUGE by `rouge-score` (with stems), BLEU by `sacrebleu`, METEOR by `nltk`, the others by
scikit-learn. METEOR matches synonyms only where nltk's WordNet is installed; else words and stems.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from recsys.errors import TailorError, extra

with extra("report"):
    import sacrebleu
    from nltk.corpus import wordnet
    from nltk.translate.meteor_score import meteor_score
    from rouge_score.rouge_scorer import RougeScorer

with extra("recsys"):
    from sklearn.metrics import f1_score, mean_absolute_error, root_mean_squared_error

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class _NoSynonyms:
    """Stands in for WordNet where it is not installed."""

    def synsets(self, _word: str) -> list[Any]:
        """No word has any."""
        return []


def synonyms() -> Any:
    """Give WordNet where it is installed, else what knows no synonyms."""
    try:
        wordnet.ensure_loaded()
    except LookupError:
        return _NoSynonyms()
    return wordnet


def text_figures(told: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """ROUGE-1, ROUGE-2, ROUGE-L, METEOR and BLEU, all from 0 to 1."""
    _paired(told, wanted)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    rouge = [scorer.score(want, tell) for tell, want in zip(told, wanted, strict=True)]
    known = synonyms()
    meteor = [
        meteor_score([want.split()], tell.split(), wordnet=known)
        for tell, want in zip(told, wanted, strict=True)
    ]
    return {
        **{name: float(np.mean([each[name].fmeasure for each in rouge])) for name in rouge[0]},
        "meteor": float(np.mean(meteor)),
        "bleu": sacrebleu.corpus_bleu(list(told), [list(wanted)]).score / 100,
    }


def label_figures(told: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Accuracy and macro F1 of labels; what is no label at all is wrong."""
    _paired(told, wanted)
    said, right = ([_label(text) for text in texts] for texts in (told, wanted))
    labels = sorted(set(right))
    return {
        "accuracy": float(np.mean([s == r for s, r in zip(said, right, strict=True)])),
        "f1": float(f1_score(right, said, labels=labels, average="macro", zero_division=0)),
    }


def rating_figures(told: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """MAE and RMSE; an answer without a number counts as far off as the scale of the truth goes."""
    _paired(told, wanted)
    right = np.array([float(_number(text) or 0) for text in wanted])
    said = np.array(
        [
            _worst(right, value) if (number := _number(text)) is None else float(number)
            for text, value in zip(told, right, strict=True)
        ]
    )
    return {
        "mae": float(mean_absolute_error(right, said)),
        "rmse": float(root_mean_squared_error(right, said)),
    }


def _worst(scale: Any, right: float) -> float:
    """The end of the scale that is farther from the truth."""
    low, high = float(scale.min()), float(scale.max())
    return low if right - low > high - right else high


def _label(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .\"'")


def _number(text: str) -> str | None:
    found = _NUMBER.search(text)
    return found.group() if found else None


def _paired(told: Sequence[str], wanted: Sequence[str]) -> None:
    if len(told) != len(wanted) or not len(told):
        raise TailorError(
            f"{len(told)} answers for {len(wanted)} questions", where="texts", fix="give as many"
        )
