"""Transactions that the database gives up are done again; lists go in by the bulk path."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

import recsys.results as results
from recsys.results import Entry, ResultsError, ShopperList, records, writer
from recsys.results.retry import passing, transact
from tests.recsys.test_results import schema, shopper  # noqa: F401 - a fixture


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Any:
    made = results.connect(request.getfixturevalue("schema"))
    results.upgrade(made)
    for name in ("r1", "r2"):
        results.record_release(made, name, status="new", lineage={})
    yield made
    made.dispose()


@pytest.mark.postgres
def test_a_real_deadlock_is_done_again(engine: Any) -> None:
    both = threading.Barrier(2)
    tries = {"r1": 0, "r2": 0}

    def crossing(first: str, second: str) -> str:
        def work(connection: Connection) -> str:
            tries[first] += 1
            set_status(connection, first)
            if tries[first] == 1:
                both.wait(20)  # each holds its row, and wants the other's
            set_status(connection, second)
            return first

        return transact(engine, work)

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(crossing, ("r1", "r2"), ("r2", "r1")))
    assert done == ["r1", "r2"]
    assert sorted(tries.values()) == [1, 2]


def set_status(connection: Connection, release: str) -> None:
    connection.execute(text("UPDATE releases SET status = 'x' WHERE id = :id"), {"id": release})


@pytest.mark.postgres
def test_what_can_not_pass_is_told_at_once(engine: Any) -> None:
    tries = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(ResultsError, match="nowhere"):
        transact(engine, work)
    assert len(tries) == 1


def test_a_locked_sqlite_file_may_pass() -> None:
    class LockedError(Exception):
        pass

    assert passing(DBAPIError("", {}, LockedError("database is locked")))
    assert not passing(DBAPIError("", {}, LockedError("no such table")))


@pytest.mark.postgres
def test_lists_go_in_by_copy_and_come_out_as_they_were(engine: Any) -> None:
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *told: said.append(told[2]))
    odd = ShopperList(
        "tab\tand\nline", (Entry("\\N", 0.1 + 0.2, "né \\ 漢"), Entry("b", -1e300, "")), "ranker"
    )
    lists = [odd, *(shopper(f"u{n}", "a", "b", "c") for n in range(50))]
    for _ in range(2):
        assert results.write_lists(engine, "r1", lists, chunk=20) == 51
    assert results.lists_of(engine, "r1", odd.user_id) == odd
    assert any("bulk_aside" in one and "ON CONFLICT" in one for one in said)
    assert not any(
        one.startswith("INSERT INTO recommendations (") and "VALUES" in one for one in said
    )
    results.write_lists(engine, "r1", [shopper("u1", "z")])
    assert results.lists_of(engine, "r1", "u1") == shopper("u1", "z")


@pytest.mark.postgres
def test_one_list_per_shopper_and_interval(engine: Any) -> None:
    from datetime import UTC, datetime

    day = (datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC))
    for name in ("r1", "r2"):
        results.record_release(engine, name, status="published", lineage={}, interval=day)
        results.write_lists(engine, name, [shopper("ann", "a", "b")])
    results.record_release(engine, "r3", status="published", lineage={})
    results.write_lists(engine, "r3", [shopper("ann", "a")])
    assert records.supersede(engine, "r2") == 2
    assert writer.lists_of(engine, "r1", "ann") is None
    assert writer.lists_of(engine, "r2", "ann") == shopper("ann", "a", "b")
    assert records.supersede(engine, "r3") == 0
