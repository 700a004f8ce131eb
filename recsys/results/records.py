"""Note runs, releases, reports and what was refused; forget old releases."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, select, update

from recsys.results.database import speaking, writing
from recsys.results.errors import ResultsError
from recsys.results.models import QuarantineCount, Recommendation, Release, Report, Run
from recsys.results.upsert import upsert

# a release in the making; readers don't see it, because no pointer names it
PUBLISHING, PUBLISHED = "publishing", "published"


def record_run(
    engine: Engine,
    run_id: str,
    *,
    settings_digest: str,
    interval: tuple[datetime, datetime] | None = None,
    at: datetime | None = None,
) -> None:
    """Note that a run began, or began again."""
    start, end = interval or (None, None)
    values = {
        "id": run_id,
        "status": "running",
        "started_at": at or _now(),
        "finished_at": None,
        "interval_start": start,
        "interval_end": end,
        "settings_digest": settings_digest,
        "stages": {},
    }
    with writing(engine) as connection:
        upsert(connection, Run, [values])


def finish_run(
    engine: Engine,
    run_id: str,
    *,
    status: str,
    stages: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> None:
    """Note how a run ended, and what each stage did."""
    values = {"status": status, "finished_at": at or _now(), "stages": dict(stages or {})}
    with writing(engine) as connection:
        found = connection.execute(update(Run).where(Run.id == run_id).values(values))
        if not found.rowcount:
            raise ResultsError(f"no run {run_id!r} to finish", fix="call record_run first")


def record_release(
    engine: Engine,
    release_id: str,
    *,
    status: str,
    lineage: Mapping[str, Any],
    interval: tuple[datetime, datetime] | None = None,
    at: datetime | None = None,
) -> None:
    """Note a release, or its new status; when it was made and what for stays as first noted."""
    start, end = interval or (None, None)
    values = {
        "id": release_id,
        "created_at": at or _now(),
        "status": status,
        "lineage": dict(lineage),
        "interval_start": start,
        "interval_end": end,
    }
    keep = {"created_at"} if interval else {"created_at", "interval_start", "interval_end"}
    with writing(engine) as connection:
        upsert(connection, Release, [values], keep=keep)


def has_release(engine: Engine, release_id: str) -> bool:
    """Whether this database knows a release."""
    with speaking(engine), engine.connect() as connection:
        found = connection.scalar(select(Release.id).where(Release.id == release_id))
    return found is not None


def supersede(engine: Engine, release_id: str) -> int:
    """Leave one list per shopper and interval: drop those of earlier releases for the same one.

    The releases stay, and so do their lists as files, for a rollback. Returns how many rows went.
    """
    mine = select(Release.interval_start, Release.interval_end).where(Release.id == release_id)
    with writing(engine) as connection:
        interval = connection.execute(mine).first()
        if interval is None or interval.interval_start is None:
            return 0
        others = select(Release.id).where(
            Release.interval_start == interval.interval_start,
            Release.interval_end == interval.interval_end,
            Release.id != release_id,
        )
        gone = delete(Recommendation).where(Recommendation.release_id.in_(others))
        return connection.execute(gone).rowcount


def record_report(
    engine: Engine, release_id: str, *, headline: Mapping[str, Any], at: datetime | None = None
) -> None:
    """Note the headline numbers of a release's report."""
    values = {"release_id": release_id, "created_at": at or _now(), "headline": dict(headline)}
    with writing(engine) as connection:
        upsert(connection, Report, [values])


def headlines(engine: Engine, most: int = 30) -> list[tuple[str, datetime, dict[str, Any]]]:
    """Read the headline numbers of the newest reports, oldest first: (release, time, numbers)."""
    newest = select(Report.release_id, Report.created_at, Report.headline)
    newest = newest.order_by(Report.created_at.desc(), Report.release_id.desc()).limit(most)
    with speaking(engine), engine.connect() as connection:
        rows = connection.execute(newest).all()
    return [(row.release_id, row.created_at, row.headline) for row in reversed(rows)]


def record_quarantine(engine: Engine, run_id: str, counts: Mapping[tuple[str, str], int]) -> None:
    """Note how many rows a run refused, by (table, reason), in place of what it noted before."""
    rows = [
        {"run_id": run_id, "table": table, "reason": reason, "rows": number}
        for (table, reason), number in counts.items()
    ]
    with writing(engine) as connection:
        connection.execute(delete(QuarantineCount).where(QuarantineCount.run_id == run_id))
        upsert(connection, QuarantineCount, rows)


def forget_unfinished(engine: Engine, finished: Collection[str]) -> None:
    """Delete what a killed publish left behind: releases that never came to be, and their lists."""
    left = Release.status == PUBLISHING
    with writing(engine) as connection:
        connection.execute(delete(Release).where(left, Release.id.not_in(finished)))


def prune(engine: Engine, keep_releases: int, *, always: Collection[str] = ()) -> list[str]:
    """Delete all but the newest releases and those named, with their lists; returns their ids."""
    newest_first = select(Release.id).order_by(Release.created_at.desc(), Release.id)
    with writing(engine) as connection:
        ids = connection.scalars(newest_first.offset(keep_releases)).all()
        gone = [each for each in ids if each not in always]
        connection.execute(delete(Release).where(Release.id.in_(gone)))
    return gone


def _now() -> datetime:
    return datetime.now(UTC)
