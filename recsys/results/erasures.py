"""Requests to erase a shopper, and what is remembered of those that were carried out."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select, update

from recsys.results.database import speaking, writing
from recsys.results.models import Erasure
from recsys.results.upsert import upsert

__all__ = ["digest_of", "done", "erased", "request", "waiting"]


def digest_of(user_id: str) -> str:
    """How an erased shopper is remembered: not by her name."""
    return hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()


def request(engine: Engine, user_id: str, *, at: datetime | None = None) -> str:
    """Note that a shopper is to be erased; returns the digest she is remembered by."""
    digest = digest_of(user_id)
    row = {
        "user_digest": digest,
        "user_id": user_id,
        "requested_at": at or datetime.now(UTC),
        "erased_at": None,
        "receipt": {},
    }
    with writing(engine) as connection:
        upsert(connection, Erasure, [row], keep={"requested_at"})
    return digest


def waiting(engine: Engine) -> list[str]:
    """Who is still to be erased, oldest request first."""
    asked = select(Erasure.user_id).where(Erasure.user_id.is_not(None))
    with speaking(engine), engine.connect() as connection:
        rows = connection.scalars(asked.order_by(Erasure.requested_at, Erasure.user_digest))
        return [user for user in rows if user is not None]


def done(engine: Engine, digest: str, receipt: Mapping[str, Any]) -> None:
    """Note that it was done; from here on only the digest tells who it was."""
    values = {"user_id": None, "erased_at": datetime.now(UTC), "receipt": dict(receipt)}
    with writing(engine) as connection:
        connection.execute(update(Erasure).where(Erasure.user_digest == digest).values(values))


def erased(engine: Engine) -> set[str]:
    """Digests of all who asked to be erased: they are not read in again."""
    with speaking(engine), engine.connect() as connection:
        return set(connection.scalars(select(Erasure.user_digest)))
