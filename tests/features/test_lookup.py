"""Freshness on a store of published lists: no Spark needed to write or to read them."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from features.lookup import Known, Lookup, Outcome
from features.settings import StoreSettings
from features.store import FeatureRepo
from tests.features.shop import day

NOW = day("2024-03-10")
WEEK = timedelta(days=7)


@pytest.fixture
def repo(tmp_path: Path) -> FeatureRepo:
    filled = FeatureRepo(tmp_path / "feast home", StoreSettings())
    filled.apply(tmp_path / "offline")
    moments = [day("2024-03-09"), day("2024-03-03"), day("2024-03-01"), day("2024-03-11")]
    filled.write_recommendations(
        pa.table(
            {
                "user_id": ["new", "edge", "old", "tomorrow"],
                "event_timestamp": pa.array(moments, pa.timestamp("us", tz="UTC")),
                "item_ids": [["soap"]] * 4,
                "scores": [[1.0]] * 4,
                "release": ["r1"] * 4,
            }
        )
    )
    return filled


def ask(repo: FeatureRepo, *users: str):
    found = Lookup(repo, WEEK, lambda: NOW).lookup(users)
    assert [row.user_id for row in found] == list(users)
    return [row.views["user_recommendations"] for row in found]


def test_fresh_rows_come_with_values_and_age(repo):
    new, edge = ask(repo, "new", "edge")
    assert (new.outcome, edge.outcome) == (Outcome.FRESH, Outcome.FRESH)
    assert dict(new.values) == {"item_ids": ["soap"], "scores": [1.0], "release": "r1"}
    assert (new.age, edge.age) == (timedelta(days=1), WEEK)
    assert new.event_timestamp == day("2024-03-09")


def test_a_stale_row_counts_as_missing_and_says_so(repo):
    (old,) = ask(repo, "old")
    assert old.outcome is Outcome.STALE
    assert dict(old.values) == {}
    assert old.age == timedelta(days=9)
    assert old.reason == "9.0 days old, 7.0 allowed"


def test_some_features_are_read_alone_and_only_of_a_fresh_row(repo):
    new, old, nobody = ask(repo, "new", "old", "nobody")
    assert dict(new.some(["scores", "release"])) == {"scores": [1.0], "release": "r1"}
    assert dict(old.some(["scores"])) == dict(nobody.some(["scores"])) == {}
    (row,) = Lookup(repo, WEEK, lambda: NOW).lookup(["new"])
    assert dict(row.some("user_recommendations", ["release"])) == {"release": "r1"}
    assert dict(row.some("user_history", ["item_ids"])) == dict(row.some("none", ["any"])) == {}


def test_features_of_the_coming_midnight_are_fresh(repo):
    (row,) = ask(repo, "tomorrow")
    assert (row.outcome, row.age) == (Outcome.FRESH, timedelta(0))


def test_an_unknown_shopper_misses_every_view(repo):
    (row,) = Lookup(repo, WEEK, lambda: NOW).lookup(["nobody"])
    assert set(row.views) == {
        "user_purchase_stats",
        "user_history",
        "user_embedding",
        "user_collaborative",
        "user_profile",
        "user_recommendations",
    }
    assert {view.outcome for view in row.views.values()} == {Outcome.MISSING}
    assert not row.known
    assert row.found is Known.UNKNOWN
    assert dict(row.values("user_history")) == {}


def test_many_shoppers_keep_their_order_and_may_repeat(repo):
    users = ["new", "nobody", "old"] * 700 + ["new"]
    outcomes = [row.outcome for row in ask(repo, *users)]
    assert outcomes[:3] == [Outcome.FRESH, Outcome.MISSING, Outcome.STALE]
    assert outcomes[2100] is Outcome.FRESH
    assert len(outcomes) == 2101


def test_the_moment_asked_for_overrules_the_clock(repo):
    (row,) = Lookup(repo, WEEK, lambda: NOW).lookup(["new"], now=day("2024-04-01"))
    assert row.views["user_recommendations"].outcome is Outcome.STALE


def test_a_store_that_is_down_is_an_outcome(repo):
    down = FeatureRepo(repo.home, StoreSettings())
    (repo.home / "online_entities.sqlite").write_bytes(b"no database" * 100)
    for name in ("online_entities.sqlite-wal", "online_entities.sqlite-shm"):
        (repo.home / name).unlink(missing_ok=True)
    for row in Lookup(down, WEEK, lambda: NOW).lookup(["new", "old"]):
        assert {view.outcome for view in row.views.values()} == {Outcome.UNAVAILABLE}
        assert "not a database" in row.views["user_history"].reason


def test_a_store_never_applied_is_an_outcome_and_stays_unmade(tmp_path: Path):
    nothing = tmp_path / "nothing"
    lookup = Lookup(FeatureRepo(nothing, StoreSettings()), WEEK, lambda: NOW)
    (row,) = lookup.lookup(["new"])
    assert {view.outcome for view in row.views.values()} == {Outcome.UNAVAILABLE}
    assert "never applied" in row.views["user_history"].reason
    assert not nothing.exists()
