"""Note what the quality watch measured, and read the last of it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Engine, delete, func, select

from recsys.results.database import speaking, writing
from recsys.results.models import QualityCheck
from recsys.results.upsert import upsert

KEPT = 100
"""Versions whose measurements stay."""


class Check(NamedTuple):
    """One thing measured; `feature` is empty where it is of the whole view."""

    view: str
    feature: str
    measure: str
    value: float
    bound: float | None
    breached: bool
    made_at: datetime


def record(
    engine: Engine,
    version: str,
    checks: Iterable[tuple[str, str, str, float, float | None, bool]],
    *,
    at: datetime | None = None,
) -> None:
    """Note what was measured for a version, in place of what was noted of it before."""
    made_at = at or datetime.now(UTC)
    names = ("view", "feature", "measure", "value", "bound", "breached")
    rows = [
        {"version": version, "made_at": made_at, **dict(zip(names, check, strict=True))}
        for check in checks
    ]
    newest = select(QualityCheck.version).group_by(QualityCheck.version)
    newest = newest.order_by(func.max(QualityCheck.made_at).desc()).limit(KEPT)
    with writing(engine) as connection:
        connection.execute(delete(QualityCheck).where(QualityCheck.version == version))
        upsert(connection, QualityCheck, rows)
        kept = connection.scalars(newest).all()
        connection.execute(delete(QualityCheck).where(QualityCheck.version.not_in(kept)))


def latest(engine: Engine, version: str | None = None) -> list[Check]:
    """Read what was measured last, or of a version: breaches first, then by view.

    Empty where nothing was.
    """
    last = select(QualityCheck.version).order_by(QualityCheck.made_at.desc()).limit(1)
    asked = last.scalar_subquery() if version is None else version
    table = QualityCheck.__table__.c
    wanted = [table[name] for name in Check._fields]
    query = select(*wanted).where(QualityCheck.version == asked)
    order = (QualityCheck.breached.desc(), QualityCheck.view, QualityCheck.feature)
    with speaking(engine), engine.connect() as connection:
        return [Check(*row) for row in connection.execute(query.order_by(*order, "measure"))]


def noted(engine: Engine, version: str) -> bool:
    """Whether anything was noted of a version."""
    query = select(QualityCheck.version).where(QualityCheck.version == version).limit(1)
    with speaking(engine), engine.connect() as connection:
        return connection.execute(query).first() is not None
