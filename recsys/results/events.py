"""Purchases that the service took in: kept before they are acknowledged, found afterwards."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Engine, and_, event, select, update
from sqlalchemy.dialects import postgresql, sqlite

from recsys.results.database import speaking, writing
from recsys.results.models import PurchaseEvent


class Event(NamedTuple):
    """One purchase, by the id that its shop gave it."""

    event_id: str
    user_id: str
    item_id: str
    event_timestamp: datetime


class Kept(NamedTuple):
    """What is kept under an id: the same purchase or another, and what became of it."""

    event: Event
    outcome: str | None
    new: bool


def durable(engine: Engine) -> Engine:
    """Make commits of an engine outlive a power cut: SQLite's are else on their way to the disk."""
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def configure(connection: object, _record: object) -> None:
            connection.execute("PRAGMA synchronous=FULL")  # type: ignore[attr-defined]

    return engine


def keep(engine: Engine, told: Event) -> Kept:
    """Keep a purchase; what is there already under its id stays, and is told."""
    row = {**told._asdict(), "received_at": datetime.now(UTC), "outcome": None}
    dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(PurchaseEvent.__table__).values(row).on_conflict_do_nothing()
    with writing(engine) as connection:
        new = connection.execute(insert).rowcount > 0
        if new:
            return Kept(told, None, new=True)
        found = connection.execute(
            select(PurchaseEvent.__table__).where(PurchaseEvent.event_id == told.event_id)
        ).one()
    return Kept(_event(found), found.outcome, new=False)


def settle(engine: Engine, outcomes: Iterable[tuple[str, str]]) -> None:
    """Note what became of purchases, by event id; what was noted first stays."""
    with writing(engine) as connection:
        for event_id, outcome in outcomes:
            mine = and_(PurchaseEvent.event_id == event_id, PurchaseEvent.outcome.is_(None))
            connection.execute(update(PurchaseEvent).where(mine).values(outcome=outcome))


def unsettled(engine: Engine, most: int = 1_000) -> list[Event]:
    """Purchases that are not in the online store yet, oldest first."""
    return _some(engine, PurchaseEvent.outcome.is_(None), most)


def since(engine: Engine, moment: datetime, most: int = 100_000) -> list[Event]:
    """Purchases made at a moment or later, oldest first."""
    return _some(engine, PurchaseEvent.event_timestamp >= moment, most)


def _some(engine: Engine, which: object, most: int) -> list[Event]:
    query = (
        select(PurchaseEvent.__table__)
        .where(which)  # type: ignore[arg-type]
        .order_by(PurchaseEvent.event_timestamp, PurchaseEvent.event_id)
        .limit(most)
    )
    with speaking(engine), engine.connect() as connection:
        return [_event(row) for row in connection.execute(query)]


def _event(row: object) -> Event:
    return Event(*(getattr(row, name) for name in Event._fields))
