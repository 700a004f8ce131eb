"""What is measured of a release's features, against which limit, and what breaks it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.quality.drift import comparable, ks, psi
from features.quality.profile import Numbers, Profile, column
from features.settings import QualitySettings

WEEK, MONTH = 7, 28


@dataclass(frozen=True)
class Finding:
    """One thing measured; without a limit it is only told."""

    view: str
    feature: str
    measure: str
    value: float
    limit: float | None = None
    breached: bool = False

    def __str__(self) -> str:
        """Name view, check, value and limit."""
        where = f"{self.view}.{self.feature}" if self.feature else self.view
        return f"{where}: {self.measure} is {self.value:.4g}, limit {self.limit:.4g}"


def watch(
    folders: Mapping[str, Path],
    profiles: Mapping[str, Profile],
    last: Mapping[str, Profile],
    settings: QualitySettings,
) -> Iterator[Finding]:
    """Judge each view by itself, and against the last release where there is one."""
    for view, profile in profiles.items():
        rows = profile.rows
        yield Finding(view, "", "rows", rows, settings.least_rows, rows < settings.least_rows)
        before = last.get(view)
        if before is not None and before.rows:
            share = rows / before.rows
            least = settings.least_row_share
            yield Finding(view, "", "rows against the last release", share, least, share < least)
        for name, numbers in profile.columns.items():
            yield _most(view, name, "null share", numbers.nulls, settings.max_null_share)
            if before is not None and name in before.columns:
                change = abs(numbers.nulls - before.columns[name].nulls)
                yield _most(view, name, "change of nulls", change, settings.max_null_change)
                yield from _moved(view, name, before.columns[name], folders[view], settings)


def _moved(
    view: str, name: str, before: Numbers, folder: Path, settings: QualitySettings
) -> Iterator[Finding]:
    values = column(folder, name)
    if comparable(before, values):
        yield _most(view, name, "psi", psi(before, values), settings.max_psi)
        yield _most(view, name, "ks", ks(before, values), settings.max_ks)


def daily(days: NDArray[np.int64], settings: QualitySettings) -> Iterator[Finding]:
    """Judge the purchases per day, given the UTC day of each: did the last week dry up."""
    if not len(days):
        return
    last = int(days.max())
    counts = np.bincount(last - days[days > last - WEEK - MONTH], minlength=WEEK + MONTH)
    for back in range(WEEK):
        yield Finding("purchases", "", f"purchases, {back} days before the last", counts[back])
    usual = counts[WEEK:].mean()
    if usual:
        share = float(counts[:WEEK].mean() / usual)
        least = settings.least_week_share
        measure = "purchases a day, last week against the four before"
        yield Finding("purchases", "", measure, share, least, share < least)


def breaches(findings: Sequence[Finding]) -> list[Finding]:
    """Pick those beyond their limit."""
    return [finding for finding in findings if finding.breached]


def _most(view: str, name: str, measure: str, value: float, limit: float) -> Finding:
    return Finding(view, name, measure, value, limit, value > limit)
