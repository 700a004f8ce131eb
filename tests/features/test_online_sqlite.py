"""Our SQLite store: rows outlive a change of the definitions, and Feast's own calls reach it."""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import StoreError
from features.online import sqlite
from features.online.layout import Row, View, entity_key
from features.online.sqlite import SqliteStore, file_of
from features.online.values import entry, message
from features.repo.types import Int64
from features.settings import StoreSettings
from features.store import FeatureRepo
from tests.features.stores import AS_OF, edge_table, write_view

ANN = entity_key("user_id", "ann")


def view(*names: str) -> View:
    return View("sizes", "user_id", dict.fromkeys(names, Int64))


def row(key: bytes, event: int | None, *numbers: int | None) -> Row:
    return Row(key, event, event, b"".join(entry(message(Int64, number)) for number in numbers))


@pytest.fixture
def store(tmp_path):
    made = SqliteStore("shop", tmp_path / "new folder" / "online.sqlite")
    made.prepare([view()])
    with closing(made):
        yield made


def written(store: SqliteStore, about: View, *rows: Row) -> None:
    store.change([about], [one.key for one in rows], lambda found: {about.name: rows})


def read(store: SqliteStore, about: View, key: bytes = ANN) -> dict[str, int | None]:
    return about.decoded(store.read([about], [key])["sizes"][key].messages)


def test_a_row_says_itself_which_features_it_has(store):
    """So a feature may come, go or move, and what was written before is still read right."""
    written(store, view("small", "large"), row(ANN, 1, 3, 500))
    assert read(store, view("large", "middle", "small")) == {
        "large": 500,
        "middle": None,
        "small": 3,
    }
    bob = entity_key("user_id", "bob")
    written(store, view("middle", "small"), row(bob, 2, 7, None))
    assert read(store, view("small", "middle"), bob) == {"small": None, "middle": 7}
    assert read(store, view("small", "large")) == {"small": 3, "large": 500}
    again = SqliteStore("shop", store.path)
    with closing(again):
        assert read(again, view("small", "large")) == {"small": 3, "large": 500}


def test_a_moment_is_kept_to_the_microsecond(store):
    """Feast's own store keeps whole seconds, of whatever zone the process is in."""
    moment = 1_700_000_000_123_456
    written(store, view("small"), row(ANN, moment, 3))
    assert store.read([view("small")], [ANN])["sizes"][ANN].event == moment


def test_what_is_not_carried_through_leaves_nothing_behind(store):
    """Not even the names of its features: their number may be another set's next."""
    about = view("small")

    def fails(found):
        assert found == {"sizes": {}}
        yield row(ANN, 1, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.change([about], [ANN], lambda found: {"sizes": [*fails(found)]})
    with pytest.raises(struct.error):
        written(store, about, row(ANN, 1, 3), row(ANN, None, 3))
    assert store.read([about], [ANN]) == {"sizes": {}}
    written(store, view("other"), row(ANN, 1, 4))
    assert read(store, view("other", "small")) == {"other": 4, "small": None}


def keys_in(store: SqliteStore) -> list[bytes]:
    with closing(sqlite3.connect(store.path)) as opened:
        told = [told for (told,) in opened.execute('SELECT told FROM "shop_user_id"')]
    return [row[4 : 4 + int.from_bytes(row[:4], "little")] for row in told]


def test_views_of_a_shopper_lie_side_by_side_and_leave_each_other_alone(store):
    about, likes = view("small"), View("likes", "user_id", {"small": Int64})
    of_items = View("stock", "item_id", {"small": Int64})
    written(store, about, row(ANN, 1, 3))
    store.prepare([likes, of_items])  # a view that comes later
    written(store, likes, row(ANN, 2, 4))
    written(store, of_items, row(entity_key("item_id", "soap"), 1, 9))
    written(store, about, row(ANN, 5, 6))
    assert keys_in(store) == [ANN]
    found = store.read([likes, of_items, about], [ANN])
    assert {name: rows[ANN].event for name, rows in found.items() if rows} == {
        "likes": 2,
        "sizes": 5,
    }


def test_a_shopper_of_whom_no_view_tells_any_more_is_gone(store):
    """Her key names her."""
    about, likes = view("small"), View("likes", "user_id", {"small": Int64})
    store.prepare([likes])
    bob = entity_key("user_id", "bob")
    for each in (about, likes):
        written(store, each, row(ANN, 1, 3), row(bob, 1, 3))
    store.erase([about], ANN)
    assert set(keys_in(store)) == {ANN, bob}
    store.erase([likes], ANN)
    assert keys_in(store) == [bob]
    written(store, likes, row(ANN, 1, 3))
    store.drop([likes])
    assert keys_in(store) == [bob]
    store.drop([about, likes])
    assert keys_in(store) == []


def test_a_view_that_another_removes_is_missed_and_not_made_up(store):
    """Of a view that is gone nothing is known; of one that is back, nobody has told yet."""
    about = view("small")
    written(store, about, row(ANN, 1, 3))
    assert store.read([about], [ANN])["sizes"]
    with closing(SqliteStore("shop", store.path)) as other:
        other.drop([about])
        assert store.read([about], [ANN]) == {}
        other.prepare([about])
    assert store.read([about], [ANN]) == {"sizes": {}}


def test_an_erasure_does_not_stop_at_a_view_without_a_place(store):
    written(store, view("small", "large"), row(ANN, 1, 3, 500))
    views = [View("never applied", "user_id", {"small": Int64}), view("small")]
    assert store.erase(views, ANN) == {"sizes": 2}
    assert store.erase(views, ANN) == {"sizes": 0}
    assert store.read(views, [ANN]) == {"sizes": {}}


def test_more_keys_than_a_query_takes_are_read_in_parts(store):
    keys = [entity_key("user_id", f"user {number}") for number in range(33_000)]
    about = view("small")
    written(store, about, *(row(key, 1, 5) for key in keys[::16_000]))
    assert set(store.read([about], keys)["sizes"]) == set(keys[::16_000])


def test_many_keys_are_read_as_each_alone(store):
    """Whatever their order."""
    full, empty = view("small"), View("empty", "user_id", {"small": Int64})
    store.prepare([empty])
    keys = [entity_key("user_id", f"user {number}") for number in range(100)]
    written(store, full, *(row(key, at, at) for at, key in enumerate(keys) if at % 3 == 0))
    many = store.read([empty, full], keys[::-1])
    assert many["empty"] == {}
    assert len(many["sizes"]) == 34
    for key in keys:
        alone = store.read([empty, full], [key])["sizes"].get(key)
        there = many["sizes"].get(key)
        assert (alone is None) == (there is None)
        if alone and there:
            assert (there.event, there.messages) == (alone.event, alone.messages)
    written(store, empty, row(keys[1], 7, 7))
    assert set(store.read([empty, full], keys)["empty"]) == {keys[1]}


WORDS = st.tuples(
    st.sampled_from(["write", "write", "write", "erase", "drop"]),
    st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=4),
    st.sampled_from(["sizes", "likes"]),
    st.integers(0, 99),
)


@given(said=st.lists(WORDS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_shoppers_whose_places_are_taken_are_found_all_the_same(said):
    """Three places for eight shoppers: all stand behind others, and some of those go."""
    views = {name: View(name, "user_id", {"small": Int64}) for name in ("sizes", "likes")}
    keys = {name: entity_key("user_id", name) for name in "abcdefgh"}
    told: dict[tuple[str, str], int] = {}
    with (
        pytest.MonkeyPatch.context() as patched,
        TemporaryDirectory() as folder,
        closing(SqliteStore("shop", Path(folder) / "online.sqlite")) as store,
        closing(SqliteStore("shop", store.path)) as reader,
    ):
        patched.setattr(sqlite, "crc32", lambda key: key[-1] % 3)
        store.prepare([*views.values()])
        for what, names, view, number in said:
            if what == "write":
                written(store, views[view], *(row(keys[name], 1, number) for name in names))
                told |= {(view, name): number for name in names}
            elif what == "erase":
                for name in names:
                    store.erase([views[view]], keys[name])
                    told.pop((view, name), None)
            else:
                store.drop([views[view]])
                store.prepare([views[view]])
                told = {key: each for key, each in told.items() if key[0] != view}
            found = reader.read([*views.values()], [*keys.values()])
            assert told == {
                (name, shopper): about.decoded(found[name][key].messages)["small"]
                for name, about in views.items()
                for shopper, key in keys.items()
                if key in found[name]
            }
            there = [key for key in keys_in(store) if key]
            assert len(there) == len({shopper for _, shopper in told})
        store.drop([*views.values()])
        assert keys_in(store) == []  # nor a place that is kept for nobody


def test_a_file_of_the_former_layout_is_removed(tmp_path):
    """It tells of people, and an erasure would no longer reach it."""
    repo = FeatureRepo(tmp_path / "home", StoreSettings())
    repo.home.mkdir()
    for end in ("", "-wal", "-shm"):
        (repo.home / f"online.db{end}").write_text("of the first layout")
        (repo.home / f"online.sqlite{end}").write_text("of the second")
        (repo.home / f"online_rows.sqlite{end}").write_text("of the third")
    repo.apply(tmp_path / "offline")
    assert [*repo.home.glob("online*")] == [file_of(repo.home)]


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by feast's calls")
    write_view(folder / "offline", "user_profile", edge_table("user_profile"))
    made = FeatureRepo(folder / "home", StoreSettings())
    made.apply(folder / "offline")
    return made


def handed(user: str, **texts: str):
    """A row as Feast hands it over: its moment is in UTC and doesn't say so."""
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    key = EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=user)])
    values = {name: Value(string_val=text) for name, text in texts.items()}
    return key, values, AS_OF.replace(tzinfo=None), None


def test_features_that_feast_is_not_given_stay_as_they_are(repo):
    """As in Feast's own store, where each feature is a row."""
    repo.materialize(AS_OF, AS_OF, ["user_profile"])
    (before,) = repo.read("user_profile", ["user_id 3"])["guidance"]
    about = repo.store.get_feature_view("user_profile")
    steps: list[int] = []
    rows = [handed("user_id 3", profile="likes combs")]
    feasts = repo.store._get_provider().online_store
    feasts.online_write_batch(repo.store.config, about, rows, steps.append)
    assert steps == [1]
    for found in (repo.read, repo.read_by_feast):
        told = found("user_profile", ["user_id 3"])
        assert told["profile"] == ["likes combs"]
        assert told["guidance"] == [before]
        assert told["event_timestamp"] == [AS_OF]


def test_feast_reads_the_features_that_were_asked_for(repo):
    repo.materialize(AS_OF, AS_OF, ["user_profile"])
    told = repo.store.get_online_features(
        features=["user_profile:level"],
        entity_rows=[{"user_id": "user_id 3"}, {"user_id": "nobody"}, {"user_id": "user_id 3"}],
    ).to_dict()
    (level,) = repo.read("user_profile", ["user_id 3"])["level"]
    assert level
    assert told["level"] == [level, None, level]


def test_a_view_that_feast_was_never_told_of_is_refused_by_name(repo):
    stranger = repo.store.get_feature_view("user_profile").__copy__()
    stranger.name = "stranger"
    write = repo.store._get_provider().online_store.online_write_batch
    with pytest.raises(StoreError, match="stranger"):
        write(repo.store.config, stranger, [handed("ann", profile="likes combs")], None)


def test_a_view_that_is_no_more_goes_with_its_rows_and_a_teardown_with_the_file(tmp_path):
    write_view(tmp_path / "offline", "user_profile", edge_table("user_profile"))
    repo = FeatureRepo(tmp_path / "home", StoreSettings())
    repo.apply(tmp_path / "offline")
    repo.materialize(AS_OF, AS_OF, ["user_profile"])
    repo.store.apply([], objects_to_delete=[repo.store.get_feature_view("user_profile")],
                     partial=False)  # fmt: skip
    with pytest.raises(StoreError, match="no place"):
        repo.read("user_profile", ["user_id 3"])
    assert repo.read("user_history", ["user_id 3"])["item_ids"] == [None]
    repo.store.teardown()
    assert [*repo.home.glob("online*")] == []
