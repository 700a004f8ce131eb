"""Read what happened: runs, releases with their reports, and how measurements went over time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine, func, select

from recsys.results.database import speaking
from recsys.results.models import QualityCheck, QuarantineCount, Release, Report, Run


class RunRow(NamedTuple):
    """One run of the pipeline."""

    id: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    stages: Mapping[str, Any]
    refused: int  # rows in quarantine

    @property
    def took(self) -> timedelta | None:
        """How long it ran."""
        return self.finished_at - self.started_at if self.finished_at else None


class ReportRow(NamedTuple):
    """The headline of a release's report."""

    release_id: str
    created_at: datetime
    headline: Mapping[str, Any]


def runs(engine: Engine, most: int = 50) -> list[RunRow]:
    """The latest runs, newest first, with the rows that each refused."""
    refused = (
        select(QuarantineCount.run_id, func.sum(QuarantineCount.rows).label("rows"))
        .group_by(QuarantineCount.run_id)
        .subquery()
    )
    columns = (Run.id, Run.status, Run.started_at, Run.finished_at, Run.stages)
    query = (
        select(*columns, func.coalesce(refused.c.rows, 0))
        .join_from(Run, refused, refused.c.run_id == Run.id, isouter=True)
        .order_by(Run.started_at.desc(), Run.id)
        .limit(most)
    )
    with speaking(engine), engine.connect() as connection:
        return [RunRow(*row) for row in connection.execute(query)]


def quarantine(engine: Engine, run_id: str) -> list[tuple[str, str, int]]:
    """What a run refused: (table, reason, rows), most first."""
    table = QuarantineCount
    query = select(table.table, table.reason, table.rows).where(table.run_id == run_id)
    with speaking(engine), engine.connect() as connection:
        rows = connection.execute(query.order_by(table.rows.desc(), table.table, table.reason))
        return [(row.table, row.reason, row.rows) for row in rows]


def reports(engine: Engine, most: int = 50) -> list[ReportRow]:
    """The latest reports, newest first."""
    query = select(Report.release_id, Report.created_at, Report.headline)
    newest = query.join_from(Report, Release).order_by(Report.created_at.desc(), Report.release_id)
    with speaking(engine), engine.connect() as connection:
        return [ReportRow(*row) for row in connection.execute(newest.limit(most))]


def measured(engine: Engine, most: int = 4_000) -> dict[tuple[str, str, str], list[float]]:
    """Values of each (view, feature, measure) over the last versions, oldest first."""
    table = QualityCheck
    query = select(table.view, table.feature, table.measure, table.value)
    newest = query.order_by(table.made_at.desc()).limit(most)
    trends: dict[tuple[str, str, str], list[float]] = {}
    with speaking(engine), engine.connect() as connection:
        for view, feature, measure, value in connection.execute(newest):
            trends.setdefault((view, feature, measure), []).append(value)
    return {key: values[::-1] for key, values in trends.items()}
