"""API keys: made, told once, kept as digests.

A key is 32 random bytes, so a plain SHA-256 of it can't be guessed back; a slow hash would only
slow every request down.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Engine, delete, insert, select, update

from recsys.results.database import speaking, writing
from recsys.results.errors import ResultsError
from recsys.results.models import ApiKey

PREFIX = "tailor"


class Scope(StrEnum):
    """What a key may do; each may all that those before it may."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def allows(self, other: "Scope") -> bool:
        """Whether who has this scope may do what needs the other."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class Key:
    """A key as it is kept."""

    id: str
    name: str
    scope: Scope
    digest: str
    created_at: datetime
    expires_at: datetime | None

    def valid(self, now: datetime) -> bool:
        """Whether it may still be used."""
        return self.expires_at is None or now < self.expires_at


def digest_of(key: str) -> str:
    """How a key is kept."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def create(engine: Engine, name: str, scope: Scope, expires_at: datetime | None = None) -> str:
    """Make a key; it is told here and never again."""
    key_id = secrets.token_hex(6)
    key = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    row = {
        "id": key_id,
        "name": name,
        "scope": scope.value,
        "digest": digest_of(key),
        "created_at": datetime.now(UTC),
        "expires_at": expires_at,
    }
    with writing(engine) as connection:
        connection.execute(insert(ApiKey).values(row))
    return key


def every(engine: Engine) -> Sequence[Key]:
    """All keys, oldest first."""
    query = select(ApiKey.__table__).order_by(ApiKey.created_at, ApiKey.id)
    with speaking(engine), engine.connect() as connection:
        return [
            Key(row.id, row.name, Scope(row.scope), row.digest, row.created_at, row.expires_at)
            for row in connection.execute(query)
        ]


def revoke(engine: Engine, key_id: str) -> None:
    """Let a key open nothing any more."""
    with writing(engine) as connection:
        gone = connection.execute(delete(ApiKey).where(ApiKey.id == key_id)).rowcount
    if not gone:
        raise _unknown(key_id)


def rotate(engine: Engine, key_id: str, until: datetime) -> str:
    """Make a key that may do the same; the old one works until a moment, and no longer."""
    old = next((key for key in every(engine) if key.id == key_id), None)
    if old is None:
        raise _unknown(key_id)
    ends = until if old.expires_at is None else min(until, old.expires_at)
    made = create(engine, old.name, old.scope)
    with writing(engine) as connection:
        connection.execute(update(ApiKey).where(ApiKey.id == key_id).values(expires_at=ends))
    return made


def _unknown(key_id: str) -> ResultsError:
    return ResultsError(f"no key {key_id!r}", where="api_keys", fix="`tailor keys list` shows all")
