"""What was published and what happened: releases, reports with trends, quality, runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from recsys.artifacts import ArtifactStore, Release, Releases
from recsys.errors import ArtifactError, NoReleaseError
from recsys.results import database, history, quality
from recsys.results.history import ReportRow, RunRow
from recsys.settings import Settings

REPORT = "report.html"
SERVED = "tailor"
"""What is served, among the methods that a report measures: its figures come first."""
_AT_MOST = {"null share", "change of nulls", "psi", "ks"}
_DAY = re.compile(r"purchases, (\d+) days before the last")


@dataclass(frozen=True)
class ReleaseRow:
    """A release as the list of them shows it."""

    id: str
    state: str  # live, earlier, not finished, damaged
    note: str
    release: Release | None
    changed: tuple[str, ...]  # parts that differ from the release before


@dataclass(frozen=True)
class Trend:
    """One figure over the releases, oldest first."""

    name: str
    values: list[float]

    @property
    def last(self) -> float:
        """As it is now."""
        return self.values[-1]

    @property
    def change(self) -> float | None:
        """Against the report before."""
        return self.values[-1] - self.values[-2] if len(self.values) > 1 else None


@dataclass(frozen=True)
class Checked:
    """One thing measured, with its limit and its past."""

    view: str
    feature: str
    measure: str
    value: float
    bound: float | None
    breached: bool
    past: list[float]

    @property
    def least(self) -> bool:
        """Whether it is to be no less than its limit, not no more."""
        return self.measure not in _AT_MOST

    @property
    def limited(self) -> bool:
        """Whether there is a limit that it could pass: all rows may be null, if the limit is 1."""
        return self.bound is not None and (self.measure != "null share" or self.bound < 1)

    @property
    def share(self) -> float | None:
        """How much of its limit it takes up; None where the limit is a least, or there is none."""
        return self.value / self.bound if self.bound and self.limited and not self.least else None


@dataclass(frozen=True)
class Quality:
    """The last measurements, view by view."""

    views: dict[str, list[Checked]]  # those with a breach first
    days: list[float]  # purchases of the last days, oldest first
    made_at: datetime

    @property
    def breached(self) -> int:
        """How many are beyond their limits."""
        return sum(check.breached for checks in self.views.values() for check in checks)

    @property
    def measured(self) -> int:
        """How many there are."""
        return sum(map(len, self.views.values()))


def releases_of(settings: Settings) -> list[ReleaseRow]:
    """All releases, newest first."""
    releases = Releases(ArtifactStore(settings.home))
    rows: list[ReleaseRow] = []
    before: Release | None = None
    for release_id in releases.ids():
        row = _row(releases, release_id, before)
        before = row.release or before
        rows.append(row)
    return rows[::-1]


def _row(releases: Releases, release_id: str, before: Release | None) -> ReleaseRow:
    try:
        release = releases.read(release_id)
    except ArtifactError as error:
        return ReleaseRow(release_id, "damaged", str(error.what), None, ())
    if release_id == releases.live():
        state = "live"
    else:
        state = "earlier" if releases.finished(release_id) else "not finished"
    return ReleaseRow(release_id, state, "", release, changed(release, before))


def changed(release: Release, before: Release | None) -> tuple[str, ...]:
    """Parts of a release that the one before did not have."""
    known = before.lineage if before else {}
    return tuple(sorted(k for k, version in release.lineage.items() if known.get(k) != version))


def release_of(settings: Settings, release_id: str) -> ReleaseRow:
    """One release."""
    rows = releases_of(settings)
    for row in rows:
        if row.id == release_id:
            return row
    raise NoReleaseError(
        f"no release {release_id[:80]!r}", where="releases", fix="the list of releases has all"
    )


def damage_of(settings: Settings, release_id: str) -> str:
    """What is wrong with a release's files; empty where all are as they were written."""
    try:
        Releases(ArtifactStore(settings.home)).open(release_id)
    except ArtifactError as error:
        return str(error.what)
    return ""


def report_file(settings: Settings, release_id: str) -> Path | None:
    """The page of a release's report, checked against its manifest."""
    store = ArtifactStore(settings.home)
    version = Releases(store).read(release_id).lineage.get("report")
    if version is None:
        return None
    file = store.open("report", version).path / REPORT
    return file if file.is_file() else None


def reports_of(settings: Settings) -> tuple[list[ReportRow], list[Trend]]:
    """The reports, newest first, and their figures over time."""
    rows = history.reports(database.of(settings))
    names = [name for name, value in (rows[0].headline if rows else {}).items() if _number(value)]
    trends = []
    for name in sorted(names, key=lambda name: not name.startswith(SERVED)):
        values = [row.headline.get(name) for row in reversed(rows)]
        trends.append(Trend(name, [float(value) for value in values if _number(value)]))
    return rows, trends


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def quality_of(settings: Settings) -> Quality | None:
    """What was measured last, each with its past; None where nothing ever was."""
    engine = database.of(settings)
    latest, past = quality.latest(engine), history.measured(engine)
    if not latest:
        return None
    views: dict[str, list[Checked]] = {}
    days: dict[int, float] = {}
    for check in latest:
        if found := _DAY.fullmatch(check.measure):
            days[int(found[1])] = check.value
            continue
        key = (check.view, check.feature, check.measure)
        measured = Checked(*key, check.value, check.bound, check.breached, past.get(key, []))
        views.setdefault(check.view, []).append(measured)
    return Quality(views, [days[ago] for ago in sorted(days, reverse=True)], latest[0].made_at)


def runs_of(settings: Settings) -> list[RunRow]:
    """The runs, newest first."""
    return history.runs(database.of(settings))


def refused_in(settings: Settings, run_id: str) -> list[tuple[str, str, int]]:
    """What a run put into quarantine."""
    return history.quarantine(database.of(settings), run_id)


def seconds_of(run: RunRow) -> Mapping[str, float]:
    """Seconds by stage."""
    told = run.stages.get("seconds", {})
    return {str(name): float(value) for name, value in told.items()}
