"""Dead letters of the profiles: whom a generator failed, why and how often."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Engine, delete, select, update

from recsys.results.database import speaking, writing
from recsys.results.models import ProfileFailure
from recsys.results.upsert import upsert

__all__ = ["MOST_TRIES", "Failure", "failures", "record_failures", "retry_failures", "settle"]

MOST_TRIES = 3
"""After as many runs that failed, a shopper waits until somebody asks for a retry."""

_CHUNK = 500


class Failure(NamedTuple):
    """One shopper that waits."""

    user_id: str
    history_hash: str
    generator: str
    reason: str
    tries: int
    first_at: datetime
    last_at: datetime

    @property
    def dead(self) -> bool:
        """Whether no run tries again by itself."""
        return self.tries >= MOST_TRIES


def failures(engine: Engine) -> dict[str, Failure]:
    """All who wait, by shopper."""
    table = ProfileFailure.__table__
    with speaking(engine), engine.connect() as connection:
        rows = connection.execute(select(table).order_by(table.c.user_id)).all()
    return {row.user_id: Failure(*row) for row in rows}


def record_failures(
    engine: Engine,
    reasons: Mapping[str, str],
    hashes: Mapping[str, str],
    generator: str,
    *,
    at: datetime | None = None,
) -> None:
    """Note that shoppers failed, once more or for the first time with this history."""
    now = at or datetime.now(UTC)
    known = failures(engine)
    rows = []
    for user, reason in sorted(reasons.items()):
        before = known.get(user)
        same = before is not None and before.history_hash == hashes[user]
        rows.append(
            {
                "user_id": user,
                "history_hash": hashes[user],
                "generator": generator,
                "reason": reason,
                "tries": before.tries + 1 if before and same else 1,
                "first_at": before.first_at if before and same else now,
                "last_at": now,
            }
        )
    with writing(engine) as connection:
        upsert(connection, ProfileFailure, rows)


def settle(engine: Engine, users: Collection[str]) -> int:
    """Forget failures of shoppers that have their profile now, or are erased."""
    gone, names = 0, sorted(users)
    with writing(engine) as connection:
        for start in range(0, len(names), _CHUNK):
            some = ProfileFailure.user_id.in_(names[start : start + _CHUNK])
            gone += connection.execute(delete(ProfileFailure).where(some)).rowcount
    return gone


def retry_failures(engine: Engine) -> int:
    """Let the next run try all again; returns how many."""
    with writing(engine) as connection:
        return connection.execute(update(ProfileFailure).values(tries=0)).rowcount
