"""Whatever is wrong with a store, a look-up comes back with an outcome that says so."""

import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import SecretStr

from features.errors import StoreError
from features.lookup import Known, Lookup, Outcome
from features.repo.views import SPECS, layout, user_views
from features.settings import MaxAgeSettings, StoreSettings
from features.store import FeatureRepo
from tests.features.stores import AS_OF, KINDS, edge_table, store_settings, write_view

DAY = timedelta(days=1)
PASSWORD = "pass%20word"
URLS = {
    "redis": f"redis://:{PASSWORD}@127.0.0.1:{{port}}/0",
    "postgres": f"postgresql://postgres:{PASSWORD}@127.0.0.1:{{port}}/tailor?sslmode=disable",
}


@pytest.fixture(params=KINDS)
def settings(request):
    ages = MaxAgeSettings(user_profile=0.5)
    with store_settings(request.param, max_age_days=3, max_age=ages) as own:
        yield own


@pytest.fixture
def repo(settings, tmp_path) -> FeatureRepo:
    """All views of six shoppers; the last has no profile and no list, the first no history."""
    offline, views = tmp_path / "offline", user_views()
    for view in views:
        table = edge_table(view)
        rows = 5 if view == "user_profile" else 6
        if view == "user_history":
            histories = [[], *([["soap"]] * 5)]
            table = table.set_column(1, "item_ids", pa.array(histories, pa.list_(pa.string())))
        write_view(offline, view, table.slice(0, rows))
    made = FeatureRepo(tmp_path / "home", settings)
    made.apply(offline)
    made.materialize(AS_OF, AS_OF, views)
    return made


USERS = ("刷 é", *(f"user_id {n}" for n in range(1, 6)))


def test_values_are_those_that_feast_reads(repo):
    rows = Lookup(repo, None, lambda: AS_OF).lookup([*USERS, "nobody"])
    for view in user_views():
        expected = repo.read_by_feast(view, [*USERS, "nobody"])
        for at, row in enumerate(rows):
            got = row.views[view]
            assert got.event_timestamp == expected["event_timestamp"][at]
            if got.outcome is Outcome.FRESH:
                assert repr(dict(got.values)) == repr(
                    {name: expected[name][at] for name in SPECS[view].columns}
                )
            else:
                assert got.event_timestamp is None


def test_what_is_known_of_a_shopper_in_one_word(repo):
    rows = Lookup(repo, None, lambda: AS_OF).lookup([*USERS, "nobody"])
    assert [row.found for row in rows] == [
        Known.EMPTY_HISTORY, *([Known.WHOLE] * 4), Known.PARTLY, Known.UNKNOWN,
    ]  # fmt: skip
    assert rows[5].views["user_profile"].reason == "never written"


def test_each_view_has_an_age_of_its_own(repo):
    (row,) = Lookup(repo, None, lambda: AS_OF + DAY).lookup(["user_id 1"])
    assert row.views["user_history"].outcome is Outcome.FRESH
    assert row.views["user_profile"].outcome is Outcome.STALE
    assert row.views["user_profile"].reason == "1.0 days old, 0.5 allowed"
    assert dict(row.values("user_profile")) == {}
    assert row.found is Known.PARTLY


def test_embeddings_of_another_version_are_refused(repo):
    user = "user_id 5"  # whose encoder is told
    (row,) = Lookup(repo, None, lambda: AS_OF).lookup([user])
    version = row.values("user_embedding")["encoder"]
    for wanted, outcome in ((version, Outcome.FRESH), ("another-2", Outcome.REFUSED)):
        asked = Lookup(repo, None, lambda: AS_OF, versions={"user_embedding": wanted})
        (row,) = asked.lookup([user])
        assert row.views["user_embedding"].outcome is outcome
        assert row.views["user_collaborative"].outcome is Outcome.FRESH
    assert "the index by another-2" in row.views["user_embedding"].reason
    assert dict(row.values("user_embedding")) == {}


def test_a_view_without_a_place_is_missing_alone(repo, settings):
    if settings.online == "redis":
        pytest.skip("Redis has no tables")
    if settings.online == "sqlite":
        repo.online.drop([layout("user_profile")])
    else:
        repo.online._connection.execute(f'DROP TABLE "{settings.project}_user_profile"')
    (row,) = Lookup(repo, None, lambda: AS_OF).lookup(["user_id 1"])
    assert row.views["user_profile"].outcome is Outcome.UNAVAILABLE
    assert "tailor features apply" in row.views["user_profile"].reason
    assert row.views["user_history"].outcome is Outcome.FRESH


def test_an_erased_shopper_is_unknown(repo):
    removed = repo.erase("user_id 1")
    assert set(removed) == set(user_views())
    rows = Lookup(repo, None, lambda: AS_OF).lookup(["user_id 1", "user_id 2"])
    assert [row.found for row in rows] == [Known.UNKNOWN, Known.WHOLE]


@pytest.fixture
def hanging():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def unreachable(kind: str, port: int, home: Path, deadline_ms: int = 150) -> FeatureRepo:
    home.mkdir()
    (home / "registry.db").touch()  # it was applied
    url = SecretStr(URLS[kind].format(port=port))
    return FeatureRepo(home, StoreSettings(online=kind, connection=url, deadline_ms=deadline_ms))


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_slow_server_is_an_outcome_in_time(kind, hanging, tmp_path):
    lookup = Lookup(unreachable(kind, hanging, tmp_path / "home"), None, lambda: AS_OF)
    for _ in range(3):
        began = time.perf_counter()
        rows = lookup.lookup(["ann", "bob"])
        assert time.perf_counter() - began < 1
        assert [row.found for row in rows] == [Known.SLOW] * 2
        assert "no answer within 150 ms" in rows[0].views["user_history"].reason


ENDLESS = """
    CREATE VIEW "{name}" AS
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT i AS id, x'' AS told FROM n
"""


@pytest.mark.parametrize("what", ["held by another", "endless"])
def test_a_slow_file_is_an_outcome_in_time(what, tmp_path):
    repo = FeatureRepo(tmp_path / "home", StoreSettings(deadline_ms=50))
    repo.apply(tmp_path / "offline")
    with closing(sqlite3.connect(tmp_path / "home" / "online_entities.sqlite")) as other:
        if what == "endless":
            name = f"{repo.settings.project}_user_id"
            other.executescript(f'DROP TABLE "{name}"; {ENDLESS.format(name=name)}')
        else:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
        lookup = Lookup(repo, None, lambda: AS_OF)
        for _ in range(3):
            began = time.perf_counter()
            (row,) = lookup.lookup(["ann"])
            assert time.perf_counter() - began < 1
            assert row.found is Known.SLOW
            assert "no answer within 50 ms" in row.views["user_history"].reason
    if what == "held by another":
        assert lookup.lookup(["ann"])[0].found is Known.UNKNOWN


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_server_that_hangs_is_not_asked_without_end(kind, hanging, tmp_path):
    lookup = Lookup(unreachable(kind, hanging, tmp_path / "home", 10), None, lambda: AS_OF)
    lookup._asking._connect = lambda: time.sleep(60)
    reasons = [lookup.lookup(["ann"])[0].views["user_history"].reason for _ in range(18)]
    assert "no answer within 10 ms" in reasons[0]
    assert "16 earlier questions still wait" in reasons[-1]


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_server_that_is_down_is_an_outcome_without_the_password(kind, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    repo = unreachable(kind, port, tmp_path / "home", 5_000)
    (row,) = Lookup(repo, None, lambda: AS_OF).lookup(["ann"])
    reason = row.views["user_history"].reason
    assert row.found is Known.UNAVAILABLE
    assert str(port) in reason
    assert "pass" not in reason.replace("password", "")
    with pytest.raises(StoreError) as told:
        repo.read("user_history", ["ann"])
    assert "pass word" not in str(told.value)
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize(
    ("kind", "url", "complaint"),
    [
        ("redis", "", "not said where"),
        ("redis", "postgresql://:secret@host/0", "no URL of a redis server"),
        ("postgres", "postgresql://u:secret@host:no/db", "no URL of a postgres server"),
        ("redis", "redis://:secret@host/db", "databases have numbers"),
        ("postgres", "postgresql://u:secret@host/db?schema=a%20b", "no name of a schema"),
    ],
)
def test_a_wrong_setting_is_an_outcome_that_names_it(kind, url, complaint, tmp_path):
    (tmp_path / "registry.db").touch()
    repo = FeatureRepo(tmp_path, StoreSettings(online=kind, connection=SecretStr(url)))
    (row,) = Lookup(repo, None, lambda: AS_OF).lookup(["ann"])
    reason = row.views["user_history"].reason
    assert complaint in reason
    assert "features.store.connection" in reason
    assert "secret" not in reason


def test_a_look_up_imports_neither_feast_nor_spark():
    code = (
        "import sys, features.lookup, features.push, recsys.online; "
        "sys.exit(sorted({'feast', 'pyspark', 'torch', 'faiss'} & set(sys.modules)) or 0)"
    )
    root = Path(__file__).parent.parent.parent
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
