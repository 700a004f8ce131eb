"""The border for views that are made after Spark has done its part: the same rules, read by Arrow.

What belongs together in an embedding is looked at besides: one length, finite numbers, one encoder.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import QualityError, extra
from features.quality.rules import RULES, Rules

with extra("features"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

LATE = ("user_collaborative", "user_profile")
SHOWN = 5

_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "timestamp": pa.types.is_timestamp,
    "array<float>": lambda kind: pa.types.is_list(kind) and pa.types.is_float32(kind.value_type),
}


def stored(folder: Path, view: str) -> None:
    """Check columns, types, nulls and embeddings of a view, part by part, or raise."""
    rules, found = RULES[view], ds.dataset(folder)
    if wrong := _misshapen(found.schema, rules):
        _stop(view, wrong)
    broken: Counter[str] = Counter()
    lengths: set[int] = set()
    encoders: set[str] = set()
    for batch in found.to_batches():
        for name in sorted(rules.never_null):
            broken[f"{name} is never null"] += batch[name].null_count
        embeddings = batch["embedding"].drop_null()
        numbers = np.asarray(pc.list_flatten(embeddings))
        broken["embedding holds finite numbers"] += int((~np.isfinite(numbers)).sum())
        lengths |= set(pc.list_value_length(embeddings).unique().to_pylist())
        encoders |= set(batch["encoder"].drop_null().unique().to_pylist())
    told = [f"{rule}: {count} broken" for rule, count in broken.items() if count]
    if len(lengths) > 1:
        told.append(f"embeddings of {sorted(lengths)} numbers stand in one view")
    if len(encoders) > 1:
        told.append(f"{len(encoders)} encoders in one view: {', '.join(sorted(encoders)[:SHOWN])}")
    if told:
        _stop(view, told)


def _misshapen(schema: Any, rules: Rules) -> list[str]:
    """Say which columns are missing, unknown, or of another type."""
    told = [f"column {name} is missing" for name in rules.columns if name not in schema.names]
    told += [f"column {name} is not known" for name in schema.names if name not in rules.columns]
    return told + [
        f"column {name} is {schema.field(name).type}, not {kind}"
        for name, kind in rules.columns.items()
        if name in schema.names and not _KINDS[kind](schema.field(name).type)
    ]


def _stop(view: str, told: list[str]) -> None:
    raise QualityError(
        "; ".join(told[:SHOWN]),
        where=view,
        fix="nothing was published; look at the stage that made the view",
    )
