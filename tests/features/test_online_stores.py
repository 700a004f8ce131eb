"""One contract, three stores: what is written here is what Feast would have written."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import SecretStr

from features.errors import StoreError
from features.repo.views import SPECS
from features.store import FeatureRepo
from tests.features.stores import (
    AS_OF,
    KINDS,
    edge_table,
    everything_in,
    sqlite_rows,
    store_settings,
    write_view,
)

DAY = timedelta(days=1)
VIEWS = [view for view in SPECS if view != "user_recommendations"]


def moved(table: pa.Table, column: str, by: timedelta) -> pa.Table:
    at = table.schema.get_field_index(column)
    moments = [moment + by for moment in table[column].to_pylist()]
    return table.set_column(at, column, pa.array(moments, table.schema.field(at).type))


def equal(one, other) -> bool:
    """Values are the same; a NaN would be nothing on both sides."""
    return repr(one) == repr(other)


@pytest.fixture(scope="module")
def offline(tmp_path_factory) -> Path:
    """Every view with late, early, corrected and repeated rows around the ones that count."""
    folder = tmp_path_factory.mktemp("off line")
    for view in VIEWS:
        right = edge_table(view)
        write_view(
            folder,
            view,
            moved(edge_table(view, shift=1), "event_timestamp", -DAY / 2),  # earlier
            right,
            moved(edge_table(view, shift=2), "event_timestamp", 3 * DAY),  # outside
            moved(edge_table(view, shift=3), "created_timestamp", -DAY / 2),  # corrected since
        )
    return folder


@pytest.fixture(scope="module", params=KINDS)
def settings(request):
    with store_settings(request.param, chunk_rows=4) as own:
        yield own


@pytest.fixture(scope="module")
def repo(settings, offline, tmp_path_factory) -> FeatureRepo:
    made = FeatureRepo(tmp_path_factory.mktemp("feast home"), settings)
    made.apply(offline)
    return made


@pytest.fixture(scope="module")
def by_feast(request, settings, offline, tmp_path_factory, spark):
    """The same rows, in a store of their own, as Feast ships it; under the same keys."""
    with store_settings(settings.online) as own:
        made = FeatureRepo(tmp_path_factory.mktemp("by feast"), own)
        made.apply(offline)
        made.materialize_by_feast(AS_OF - DAY, AS_OF + DAY, VIEWS)
        yield made


def named(everything, project: str):
    """Keys hold the project's name: the same name for both."""
    same = {}
    for key, value in everything.items():
        if isinstance(key, bytes):
            same[key.replace(project.encode(), b"project")] = value
        else:
            same[(key[0].replace(project, "project"), *key[1:])] = value
    return same


@pytest.mark.spark
def test_every_byte_is_what_feast_would_have_written(repo, by_feast):
    steps: list[tuple[int, int]] = []
    count = repo.materialize(AS_OF - DAY, AS_OF + DAY, VIEWS, lambda *step: steps.append(step))
    assert count == 6 * len(VIEWS)
    assert steps[:3] == [(4, count), (6, count), (10, count)]
    ours = named(everything_in(repo.home, repo.settings), repo.settings.project)
    theirs = named(everything_in(by_feast.home, by_feast.settings), by_feast.settings.project)
    assert set(ours) == set(theirs)
    assert [key for key in ours if not equal(ours[key], theirs[key])] == []
    assert len(ours) >= 12


@pytest.mark.spark
def test_our_sqlite_store_gives_feast_what_its_own_would(offline, tmp_path):
    """A row per entity instead of one per feature: through Feast there is no telling them apart."""
    with store_settings("sqlite") as own:
        shipped = FeatureRepo(tmp_path / "shipped", own, shipped=True)
        ours = FeatureRepo(tmp_path / "ours", own)
        shipped.apply(offline)
        ours.apply(offline)
        shipped.materialize_by_feast(AS_OF - DAY, AS_OF + DAY, VIEWS)
        ours.materialize(AS_OF - DAY, AS_OF + DAY, VIEWS)
        features = len(SPECS["user_profile"].columns)
        theirs = f"{own.project}_user_profile"
        assert sqlite_rows(shipped.home / "shipped.db", theirs) == 6 * features
        assert sqlite_rows(ours.home / "online_entities.sqlite", f"{own.project}_user_id") == 6
        for view in VIEWS:
            keys = [*edge_table(view)[f"{SPECS[view].entity}_id"].to_pylist(), "nobody"]
            expected = shipped.read_by_feast(view, keys)
            assert equal(ours.read_by_feast(view, keys), expected), view


@pytest.mark.spark
def test_feast_reads_back_what_was_computed_and_so_do_we(repo, by_feast):
    repo.materialize(AS_OF - DAY, AS_OF + DAY, VIEWS)
    for view in VIEWS:
        keys = [*edge_table(view)[f"{SPECS[view].entity}_id"].to_pylist(), "nobody"]
        expected = by_feast.read_by_feast(view, keys)
        assert expected["event_timestamp"] == [AS_OF] * 6 + [None]
        assert equal(repo.read_by_feast(view, keys), expected), view
        assert equal(repo.read(view, keys), expected), view


def test_unchanged_rows_are_not_written_again(repo):
    repo.materialize(AS_OF - DAY, AS_OF + DAY, VIEWS)
    before = everything_in(repo.home, repo.settings)
    assert repo.materialize(AS_OF - DAY, AS_OF + DAY, VIEWS) == 0
    assert everything_in(repo.home, repo.settings) == before


def test_changed_rows_are_written_and_later_ones_kept(repo, tmp_path):
    view = "user_profile"
    repo.materialize(AS_OF - DAY, AS_OF + DAY, [view])
    row = edge_table(view).slice(0, 1)
    write_view(tmp_path, view, row.set_column(1, "profile", pa.array(["likes combs"])))
    repo.apply(tmp_path)
    assert repo.materialize(AS_OF - DAY, AS_OF + DAY, [view]) == 1  # same time, other values
    assert repo.read(view, ["刷 é"])["profile"] == ["likes combs"]

    write_view(tmp_path, view, moved(row, "event_timestamp", -DAY / 2))
    assert repo.materialize(AS_OF - DAY, AS_OF + DAY, [view]) == 0  # would go back in time
    assert repo.read(view, ["刷 é"])["profile"] == ["likes combs"]
    assert repo.materialize(AS_OF - DAY, AS_OF + DAY, [view], replace=True) == 1
    assert repo.read(view, ["刷 é"])["event_timestamp"] == [AS_OF - DAY / 2]


def lists(release: str, *users: str) -> pa.Table:
    return pa.table(
        {
            "user_id": list(users),
            "event_timestamp": pa.array([AS_OF] * len(users), pa.timestamp("us", tz="UTC")),
            "item_ids": [["comb", "soap"]] * len(users),
            "scores": [[0.75, 0.5]] * len(users),
            "release": [release] * len(users),
        }
    )


def test_a_published_list_replaces_the_one_of_the_same_moment(repo):
    view = "user_recommendations"
    assert repo.write_recommendations(lists("r1", "ann", "bob")) == 2
    assert repo.write_recommendations(lists("r2", "ann")) == 1
    for read in (repo.read, repo.read_by_feast):
        got = read(view, ["ann", "bob", "eve"])
        assert got["release"] == ["r2", "r1", None]
        assert got["item_ids"] == [["comb", "soap"], ["comb", "soap"], None]
        assert got["scores"][0] == [0.75, 0.5]
        assert got["event_timestamp"] == [AS_OF, AS_OF, None]


def test_an_erased_shopper_is_gone_from_every_view_and_nobody_else_is(repo):
    repo.write_recommendations(lists("r1", "ann", "bob"))
    assert repo.erase("ann") == {"user_recommendations": 3}
    assert repo.erase("ann") == {}
    assert repo.read_by_feast("user_recommendations", ["ann"])["release"] == [None]
    assert repo.read("user_recommendations", ["bob"])["release"] == ["r1"]


def test_a_folder_without_a_column_is_refused_by_name(repo, tmp_path):
    write_view(tmp_path, "user_profile", edge_table("user_profile").drop_columns(["guidance"]))
    repo.apply(tmp_path)
    with pytest.raises(StoreError, match=r"user_profile.*has no column guidance"):
        repo.materialize(AS_OF - DAY, AS_OF, ["user_profile"])


@pytest.mark.postgres
def test_the_registry_may_be_in_postgresql(tmp_path):
    with store_settings("postgres") as own:
        url = own.connection.get_secret_value()
        asked = own.model_copy(update={"registry": SecretStr(url)})
        write_view(tmp_path / "offline", "user_profile", edge_table("user_profile"))
        repo = FeatureRepo(tmp_path / "home", asked)
        repo.apply(tmp_path / "offline")
        assert not (tmp_path / "home" / "registry.db").exists()
        assert repo.materialize(AS_OF, AS_OF, ["user_profile"]) == 6
        status = {view.name: view for view in FeatureRepo(tmp_path / "home", asked).status()}
        assert status["user_profile"].materialized_until == AS_OF


@pytest.mark.spark
def test_feasts_own_push_reaches_the_views(repo):
    """Whoever pushes through Feast, as its server does, is read as well."""
    row = edge_table("user_history").slice(3, 1)
    name = row["user_id"][0].as_py()
    repo.erase(name)
    repo.store.push("user_history_push", row.to_pandas())
    assert repo.read("user_history", [name])["item_ids"] == row["item_ids"].to_pylist()
    assert repo.read("user_history", [name]) == repo.read_by_feast("user_history", [name])
