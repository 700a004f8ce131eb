"""Is a profile that was carried on as good as one afresh? Measured on whoever has enough."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from personalizer.profiles.history import History
from personalizer.profiles.profiler import Before, Made, Profiler, Subject
from personalizer.vectors import Encoder
from recsys.tables import hash_order

__all__ = ["Pair", "compare", "measured"]


@dataclass(frozen=True)
class Pair:
    """A shopper's profile, updated and afresh."""

    history: History
    updated: Made
    fresh: Made


def compare(
    profiler: Profiler, histories: Sequence[History], *, added: int, least: int, shoppers: int
) -> list[Pair]:
    """Hide each shopper's last purchases, write, then carry on and write afresh."""
    enough = [each for each in histories if len(each.purchases) >= least + added]
    order = hash_order([each.user_id for each in enough])[:shoppers]
    chosen = [enough[at] for at in order]
    before = [replace(each, purchases=each.purchases[:-added]) for each in chosen]
    old = profiler.write([Subject(each) for each in before])
    fresh = profiler.write([Subject(each) for each in chosen])
    carried = profiler.write(
        [
            Subject(each, Before(made.guidance, made.profile, len(each.purchases) - added))
            for each, made in zip(chosen, old, strict=True)
        ]
    )
    rows = zip(chosen, carried, fresh, strict=True)
    return [Pair(h, u, f) for h, u, f in rows if not u.error and not f.error]


def measured(pairs: Sequence[Pair], encoder: Encoder | None) -> dict[str, Any]:
    """Likeness of the texts, and how many of the fresh one's categories the updated one has."""
    if not pairs:
        return {"shoppers": 0}
    same = [pair.updated.profile == pair.fresh.profile for pair in pairs]
    cover = [_coverage(pair.updated.guidance, pair.fresh.guidance) for pair in pairs]
    back = [_coverage(pair.fresh.guidance, pair.updated.guidance) for pair in pairs]
    figures: dict[str, Any] = {
        "shoppers": len(pairs),
        "identical": round(float(np.mean(same)), 4),
        "category_coverage": round(float(np.mean(cover)), 4),
        "category_precision": round(float(np.mean(back)), 4),
    }
    if encoder is not None:
        updated = encoder.encode([pair.updated.profile for pair in pairs])
        fresh = encoder.encode([pair.fresh.profile for pair in pairs])
        likeness = np.sum(updated * fresh, axis=1)
        # what two different shoppers have in common: the floor that likeness is read against
        floor = np.sum(updated * np.roll(fresh, 1, axis=0), axis=1)
        figures |= {
            "likeness_mean": round(float(likeness.mean()), 4),
            "likeness_p05": round(float(np.quantile(likeness, 0.05)), 4),
            "likeness_of_strangers": round(float(floor.mean()), 4),
        }
    return figures


def _coverage(mine: str, wanted: str) -> float:
    have, want = _categories(mine), _categories(wanted)
    return len(have & want) / len(want) if want else 1.0


def _categories(guidance: str) -> set[str]:
    return {each.strip().lower() for each in re.split(r"[,;\n]", guidance) if each.strip(" .")}
