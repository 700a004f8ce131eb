"""The results database, on SQLite always and on PostgreSQL where it answers."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, inspect, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import recsys.results as results
from recsys.results import Entry, ResultsError, ShopperList, history, quality
from recsys.results.models import VERSIONS, QuarantineCount, Recommendation, Release, Report, Run

SERVER = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
NOON = datetime(2024, 3, 31, 12, tzinfo=UTC)
TABLES = {
    "runs", "releases", "recommendations", "reports", "quarantine_counts", "quality_checks",
    "profile_failures", "erasures",
}  # fmt: skip


@pytest.fixture
def schema():
    """A PostgreSQL schema of this test's own; gives the URL that stays inside it."""
    admin = create_engine(SERVER, connect_args={"connect_timeout": 2}, isolation_level="AUTOCOMMIT")
    name = f"tailor_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
    except OperationalError:
        if os.environ.get("TESTS_REQUIRE_SERVERS"):
            raise
        pytest.skip("PostgreSQL on 127.0.0.1:5432 lets nobody in without a password")
    yield f"{SERVER}?options=-csearch_path%3D{name}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request, tmp_path):
    if request.param == "sqlite":
        return results.sqlite_url(tmp_path / "results.db")
    return request.getfixturevalue("schema")


@pytest.fixture
def bare(url):
    engine = results.connect(url)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(bare):
    results.upgrade(bare)
    results.record_release(bare, "r1", status="published", lineage={"cut": "2024"}, at=NOON)
    return bare


def shopper(name, *items, rung="ranker", why=""):
    entries = tuple(Entry(item, 1 / place, f"like {item}") for place, item in enumerate(items, 1))
    return ShopperList(name, entries, rung, why)


def rows_in(engine, model):
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(model))


def fill(engine):
    results.record_release(engine, "r0", status="published", lineage={})
    results.write_lists(engine, "r0", [shopper("ann", "a", "b")])
    results.record_report(engine, "r0", headline={"ndcg@10": 0.1})
    results.record_run(engine, "run", settings_digest="d")
    results.record_quarantine(engine, "run", {("items", "no id"): 3})
    quality.record(engine, "v0", [("item_stats", "trend", "psi", 0.1, 0.5, False)])


# --- migrations


def test_migrations_make_what_the_mappings_say(bare):
    assert results.check(bare)  # nothing there yet
    results.upgrade(bare)
    assert results.check(bare) == []


def test_migrations_go_up_down_and_up_with_data_in_place(bare):
    for _ in range(2):
        results.upgrade(bare)
        fill(bare)
        assert rows_in(bare, Recommendation) == 2
        results.downgrade(bare, "base")
        assert not TABLES & set(inspect(bare).get_table_names())
    results.upgrade(bare)
    assert results.check(bare) == []
    assert rows_in(bare, Recommendation) == 0


def test_upgrading_again_keeps_the_data(engine):
    fill(engine)
    results.upgrade(engine)
    assert results.lists_of(engine, "r0", "ann") == shopper("ann", "a", "b")


def test_check_sees_a_difference(engine):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE reports ADD COLUMN extra INTEGER"))
    assert "extra" in results.check(engine)[0]


def test_an_older_database_keeps_its_data_when_the_revision_moves_house(engine):
    fill(engine)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {VERSIONS} RENAME TO alembic_version"))
    results.upgrade(engine)
    assert "alembic_version" not in inspect(engine).get_table_names()
    assert results.lists_of(engine, "r0", "ann") == shopper("ann", "a", "b")


def test_somebody_elses_tables_and_revisions_are_left_alone(bare):
    with bare.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('of airflow')"))
    results.upgrade(bare)
    assert results.check(bare) == []
    results.downgrade(bare, "base")
    with bare.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "of airflow"


def upgrade_process(url, barrier):
    engine = results.connect(url)
    barrier.wait(30)
    results.upgrade(engine)


def test_two_processes_upgrade_once(bare, url):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    both = [context.Process(target=upgrade_process, args=(url, barrier)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert results.check(bare) == []


def test_migrations_run_from_an_awkward_path(tmp_path):
    home = tmp_path / "my shop 100%(x)s"
    root = Path(results.__file__).parents[2]
    for package in ("features", "personalizer", "recsys"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / package, home / package, ignore=ignore)
    code = (
        "import pathlib, recsys.results as r;"
        "e = r.connect(r.sqlite_url(pathlib.Path('state %41') / 'results.db'));"
        "r.upgrade(e); assert r.check(e) == []; print(r.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(home) in done.stdout
    assert (home / "state %41" / "results.db").exists()


# --- lists


def test_a_list_comes_back_as_it_was_written(engine):
    mine = shopper("ann", "é漢", "b'; DROP TABLE runs; --", rung="retrieval", why="model down")
    assert results.write_lists(engine, "r1", [mine, shopper("bob", "c")]) == 2
    assert results.lists_of(engine, "r1", "ann") == mine
    assert results.lists_of(engine, "r1", "nobody") is None
    assert results.lists_of(engine, "r2", "ann") is None


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_writing_twice_leaves_one_list(engine, chunk):
    lists = [shopper(f"u{n}", "a", "b", "c") for n in range(7)]
    for _ in range(2):
        results.write_lists(engine, "r1", iter(lists), chunk=chunk)
    assert rows_in(engine, Recommendation) == 21


def test_a_shorter_list_leaves_nothing_of_the_longer_one(engine):
    results.write_lists(engine, "r1", [shopper("ann", "a", "b", "c"), shopper("bob", "a", "b")])
    results.write_lists(engine, "r1", [shopper("ann", "d")])
    assert results.lists_of(engine, "r1", "ann") == shopper("ann", "d")
    assert results.lists_of(engine, "r1", "bob") == shopper("bob", "a", "b")
    results.write_lists(engine, "r1", [shopper("ann")])
    assert results.lists_of(engine, "r1", "ann") is None


def test_the_last_of_two_lists_of_a_shopper_counts(engine):
    results.write_lists(engine, "r1", [shopper("ann", "a", "b"), shopper("ann", "c")])
    assert results.lists_of(engine, "r1", "ann") == shopper("ann", "c")


def test_a_broken_chunk_leaves_the_lists_before_it(engine):
    good, bad = shopper("ann", "a"), ShopperList("bob", (Entry("b", float("nan"), ""),), "ranker")
    results.write_lists(engine, "r1", [good])
    with pytest.raises(ResultsError, match="not a number"):
        results.write_lists(engine, "r1", [shopper("ann", "z"), bad])
    assert results.lists_of(engine, "r1", "ann") == good


def test_lists_need_their_release(engine):
    with pytest.raises(ResultsError, match=r"(?i)foreign key"):
        results.write_lists(engine, "nowhere", [shopper("ann", "a")])


def test_erasing_a_shopper_reaches_all_releases(engine):
    results.record_release(engine, "r2", status="published", lineage={})
    for release in ("r1", "r2"):
        results.write_lists(engine, release, [shopper("ann", "a", "b"), shopper("bob", "a")])
    assert results.erase(engine, "ann") == 4
    assert rows_in(engine, Recommendation) == 2


def test_pruning_keeps_the_newest_and_the_named(engine):
    for n in range(2, 6):
        results.record_release(
            engine, f"r{n}", status="published", lineage={}, at=NOON + timedelta(days=n)
        )
        results.write_lists(engine, f"r{n}", [shopper("ann", "a")])
    assert sorted(results.prune(engine, 2, always=["r2"])) == ["r1", "r3"]
    assert rows_in(engine, Release) == rows_in(engine, Recommendation) == 3
    assert results.prune(engine, 9) == []


# --- records


def test_a_run_is_noted_from_start_to_end(engine):
    interval = (NOON - timedelta(days=1), NOON)
    for _ in range(2):  # begun, killed, begun again
        results.record_run(engine, "run", settings_digest="abc", interval=interval, at=NOON)
    results.finish_run(engine, "run", status="done", stages={"ingest": {"seconds": 1.5}})
    with Session(engine) as session:
        run = session.get_one(Run, "run")
        assert (run.started_at, run.interval_start, run.interval_end) == (NOON, *interval)
        assert run.finished_at.tzinfo is UTC
        assert (run.status, run.stages) == ("done", {"ingest": {"seconds": 1.5}})
    with pytest.raises(ResultsError, match="no run"):
        results.finish_run(engine, "other", status="done")


def test_times_are_utc_whatever_zone_they_came_in(engine):
    paris = timezone(timedelta(hours=2))
    results.record_run(engine, "run", settings_digest="", at=NOON.astimezone(paris))
    with Session(engine) as session:
        started = session.get_one(Run, "run").started_at
    assert (started, started.tzinfo) == (NOON, UTC)
    with pytest.raises(ResultsError, match="time zone"):
        results.record_run(engine, "run", settings_digest="", at=NOON.replace(tzinfo=None))


def test_a_release_keeps_its_birthday(engine):
    results.record_release(engine, "r1", status="retired", lineage={"cut": "2025"})
    with Session(engine) as session:
        release = session.get_one(Release, "r1")
        assert (release.created_at, release.status) == (NOON, "retired")


def test_reports_and_refusals_replace_the_ones_before(engine):
    results.record_report(engine, "r1", headline={"ndcg@10": 0.1})
    results.record_report(engine, "r1", headline={"ndcg@10": 0.2})
    results.record_run(engine, "run", settings_digest="")
    results.record_quarantine(engine, "run", {("items", "no id"): 3, ("items", "bad price"): 1})
    results.record_quarantine(engine, "run", {("items", "no id"): 4})
    with Session(engine) as session:
        assert session.scalars(select(Report)).one().headline == {"ndcg@10": 0.2}
        assert session.scalars(select(QuarantineCount)).one().rows == 4


def test_what_happened_is_read_newest_first(engine):
    for number, run in enumerate(("first", "second")):
        results.record_run(engine, run, settings_digest="", at=NOON + timedelta(hours=number))
    results.finish_run(engine, "first", status="done", at=NOON + timedelta(minutes=2))
    results.record_quarantine(engine, "first", {("items", "no id"): 3, ("items", "no price"): 4})
    newest, oldest = history.runs(engine)
    assert (newest.id, newest.took, newest.refused) == ("second", None, 0)
    assert (oldest.id, oldest.took, oldest.refused) == ("first", timedelta(minutes=2), 7)
    assert [run.id for run in history.runs(engine, 1)] == ["second"]
    assert history.quarantine(engine, "first") == [("items", "no price", 4), ("items", "no id", 3)]


def test_reports_and_measurements_are_read_over_time(engine):
    for number, release in enumerate(("r1", "r2")):
        at = NOON + timedelta(hours=number)
        results.record_release(engine, release, status="published", lineage={}, at=at)
        results.record_report(engine, release, headline={"ndcg@10": number}, at=at)
        quality.record(engine, f"v{number}", [("view", "", "rows", number, None, False)], at=at)
    assert [row.release_id for row in history.reports(engine)] == ["r2", "r1"]
    assert history.measured(engine) == {("view", "", "rows"): [0, 1]}


# --- connections


def test_sqlite_waits_and_keeps_its_references(tmp_path):
    engine = results.connect(f"sqlite:///{tmp_path}/new/folder/results.db")
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "busy_timeout": 30000, "foreign_keys": 1}


@pytest.mark.parametrize("url", ["not a url", "mysql://root@localhost/x"])
def test_an_unfit_url_is_refused(url):
    with pytest.raises(ResultsError, match=r"results\.url"):
        results.connect(url)


def test_an_unreachable_server_is_named_without_its_password():
    engine = results.connect("postgresql://me:secret@127.0.0.1:1/shop?connect_timeout=2")
    with pytest.raises(ResultsError) as caught:
        results.lists_of(engine, "r", "u")
    assert "127.0.0.1:1/shop" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_last_quality_checks_are_read_breaches_first(engine):
    assert quality.latest(engine) == []
    old = [("item_stats", "trend", "psi", 0.1, 0.5, False)]
    new = [("a_view", "", "rows", 3.0, None, False), ("item_stats", "trend", "psi", 0.9, 0.5, True)]
    quality.record(engine, "v2", new, at=NOON)
    quality.record(engine, "v1", old, at=NOON - timedelta(days=1))
    found = quality.latest(engine)
    assert [tuple(one)[:-1] for one in found] == new[::-1]
    assert {one.made_at for one in found} == {NOON}
    quality.record(engine, "v2", new[:1], at=NOON)  # again: in place of what was there
    assert [tuple(one)[:-1] for one in quality.latest(engine)] == new[:1]
    assert quality.noted(engine, "v1")
    assert not quality.noted(engine, "v3")


def test_old_quality_checks_go(engine, monkeypatch):
    monkeypatch.setattr(quality, "KEPT", 2)
    for n in range(4):
        at = NOON + timedelta(days=n)
        quality.record(engine, f"v{n}", [("v", "", "rows", 1.0, None, False)], at=at)
    assert [quality.noted(engine, f"v{n}") for n in range(4)] == [False, False, True, True]


def test_migrations_go_from_the_first_tables_to_these_and_back(bare):
    results.upgrade(bare, "0001")
    assert "quality_checks" not in inspect(bare).get_table_names()
    results.record_run(bare, "run", settings_digest="d")
    results.upgrade(bare)
    assert "quality_checks" in inspect(bare).get_table_names()
    results.downgrade(bare, "0001")
    assert "quality_checks" not in inspect(bare).get_table_names()
    assert rows_in(bare, Run) == 1
