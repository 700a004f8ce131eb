"""Why an answer is as it is: the features it was made from, and what failed on the way."""

import math
from collections.abc import Mapping
from typing import Any

from recsys.service.answers import Answer

SHOWN = 50  # entries of a list that are told


def explanation(answer: Answer) -> dict[str, Any]:
    """Features by view as they were looked up, and what parts said when they failed."""
    views = answer.row.views if answer.row is not None else {}
    return {
        "features": {name: plain(view.values) for name, view in views.items()},
        "failures": [failure.partition(":")[0] for failure in answer.failures],
    }


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that JSON can hold; long lists (embeddings) are cut, and say so."""
    told: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, list | tuple) and len(value) > SHOWN:
            told[name] = [known(each) for each in value[:SHOWN]]
            told[f"{name}_length"] = len(value)
        elif isinstance(value, list | tuple):
            told[name] = [known(each) for each in value]
        else:
            told[name] = known(value)
    return told


def known(value: Any) -> Any:
    """A number that is none is not told."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
