"""The tables of the results database. Every time is UTC and says so."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Double, ForeignKey, Index, MetaData, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from recsys.results.errors import ResultsError


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a moment without a zone: nobody could say later what it meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ResultsError(f"{value.isoformat()} has no time zone", fix="pass UTC datetimes")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the moment in UTC, whatever zone the server speaks."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


VERSIONS = "tailor_version"  # the table that tells which migrations were made


class Base(DeclarativeBase):
    """Base of all tables; constraints have names, so that a migration can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - as SQLAlchemy reads it
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(none_as_null=True),
    }


class Run(Base):
    """One run of the pipeline over one interval."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    status: Mapped[str] = mapped_column(String(32))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    interval_start: Mapped[datetime | None]
    interval_end: Mapped[datetime | None]
    settings_digest: Mapped[str] = mapped_column(String(128))
    stages: Mapped[dict[str, Any]]


class Release(Base):
    """One set of lists, with all that its scores came from."""

    __tablename__ = "releases"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    created_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(32))
    lineage: Mapped[dict[str, Any]]
    # of a batch: what its lists are for; one release per interval has lists
    interval_start: Mapped[datetime | None]
    interval_end: Mapped[datetime | None]


def _release_key(*, primary: bool) -> Mapped[str]:
    return mapped_column(ForeignKey("releases.id", ondelete="CASCADE"), primary_key=primary)


class Recommendation(Base):
    """One place of one shopper's list; `rung` and `why` say how the list was made."""

    __tablename__ = "recommendations"
    __table_args__ = (Index(None, "user_id"),)  # erasing a shopper crosses all releases

    release_id: Mapped[str] = _release_key(primary=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[str]
    score: Mapped[float] = mapped_column(Double)
    reason: Mapped[str]
    rung: Mapped[str] = mapped_column(String(64))
    why: Mapped[str]


class Report(Base):
    """The headline numbers of a release's report."""

    __tablename__ = "reports"

    release_id: Mapped[str] = _release_key(primary=True)
    created_at: Mapped[datetime]
    headline: Mapped[dict[str, Any]]


class QuarantineCount(Base):
    """Rows that a run refused, by table and reason."""

    __tablename__ = "quarantine_counts"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    table: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    rows: Mapped[int] = mapped_column(BigInteger)


class QualityCheck(Base):
    """One thing measured of the features that a run made, and the limit it was held against."""

    __tablename__ = "quality_checks"

    version: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the quality artifact
    view: Mapped[str] = mapped_column(String(64), primary_key=True)
    feature: Mapped[str] = mapped_column(String(64), primary_key=True)  # empty: the whole view
    measure: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[float] = mapped_column(Double)
    bound: Mapped[float | None] = mapped_column(Double)
    breached: Mapped[bool]
    made_at: Mapped[datetime]


class ProfileFailure(Base):
    """A shopper whose profile could not be written, until it is: the dead letters."""

    __tablename__ = "profile_failures"

    user_id: Mapped[str] = mapped_column(primary_key=True)
    history_hash: Mapped[str] = mapped_column(String(128))
    generator: Mapped[str]
    reason: Mapped[str]
    tries: Mapped[int]  # runs that failed since it last was asked for anew
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class Erasure(Base):
    """A shopper who asked to be erased; her id is here only until it is done."""

    __tablename__ = "erasures"

    user_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str | None]
    requested_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    receipt: Mapped[dict[str, Any]]


class PurchaseEvent(Base):
    """A purchase that the service took in; without an outcome it is not in the online store yet."""

    __tablename__ = "purchase_events"
    __table_args__ = (Index(None, "user_id"), Index(None, "event_timestamp"))

    event_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    user_id: Mapped[str]
    item_id: Mapped[str]
    event_timestamp: Mapped[datetime]
    received_at: Mapped[datetime]
    outcome: Mapped[str | None] = mapped_column(String(32))


class ApiKey(Base):
    """A caller's key: its digest, never the key."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    scope: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
