"""Do a transaction again where the database asks for it: deadlocks and the like."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from recsys import log
from recsys.results.database import speaking, writing_as_told

T = TypeVar("T")

TRIES = 6
FIRST_PAUSE = 0.05
# of PostgreSQL: serialization_failure, deadlock_detected, lock_not_available, admin_shutdown,
# crash_shutdown, cannot_connect_now
_AGAIN = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03"}
_LOG = log.get("recsys.results")


def transact(engine: Engine, work: Callable[[Connection], T], *, tries: int = TRIES) -> T:
    """Do all of `work` in one transaction, or nothing; again, after a pause, where that may help.

    `work` may run several times, so it changes nothing but the database.
    """
    with speaking(engine):
        for nth in range(1, tries + 1):
            try:
                with writing_as_told(engine) as connection:
                    return work(connection)
            except DBAPIError as error:
                if nth == tries or not passing(error):
                    raise
                pause = FIRST_PAUSE * 2**nth * random.uniform(0.5, 1)  # noqa: S311 - no secret
                _LOG.warning(
                    "transaction again", nth=nth, why=str(error.orig), pause=round(pause, 2)
                )
                time.sleep(pause)
    raise AssertionError("unreachable")


def passing(error: DBAPIError) -> bool:
    """Whether the same transaction may well succeed a moment later."""
    state = getattr(error.orig, "sqlstate", None)
    locked = "database is locked" in str(error.orig)  # SQLite, after its own patience
    return state in _AGAIN or locked or error.connection_invalidated
