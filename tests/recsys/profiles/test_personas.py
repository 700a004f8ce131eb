"""Groups of shoppers, and who is spoken for by one."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators import TemplateGenerator
from personalizer.profiles.history import History, Item
from recsys.profiles.personas import find, pooled
from recsys.profiles.run import Population, profiler_of, run
from recsys.profiles.state import State
from tests.personalizer.profiles.shops import history
from tests.recsys.profiles.world import Counting, engine_at

TEA = [Item(f"t{n}", f"Tea {n}", ("Kitchen", "Tea", f"Teapots {n}"), "", 0.5) for n in range(4)]
BIKE = [Item(f"b{n}", f"Bike {n}", ("Sports", "Bikes", f"Saddles {n}"), "", 0.5) for n in range(4)]
NOON = datetime(2026, 1, 1, tzinfo=UTC)


def two_tastes(count: int = 24) -> tuple[list[History], np.ndarray]:
    """Tea drinkers and cyclists, half each, by their vectors as well."""
    rng = np.random.default_rng(1)
    people, vectors = [], []
    for n in range(count):
        shelf = (TEA, BIKE)[n % 2]
        people.append(history(*[shelf[(n + k) % 4] for k in range(4)], user=f"u{n:02}"))
        centre = np.eye(2, 8)[n % 2]
        vectors.append(centre + rng.normal(scale=0.05, size=8))
    found = np.array(vectors, np.float32)
    return people, found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_silhouette_finds_the_two_tastes() -> None:
    people, vectors = two_tastes()
    personas = find(people, vectors, most=6, seed=0)
    assert len(personas.groups) == 2
    assert personas.silhouette > 0.7
    for group in personas.groups:
        assert len({bought.item.categories[0] for bought in group.purchases}) == 1
        assert group.many == 12


def test_the_order_of_the_shoppers_changes_nothing() -> None:
    people, vectors = two_tastes()
    people = [replace(each, digest=each.user_id) for each in people]
    one = find(people, vectors, most=4, seed=0)
    other = find(people[::-1], vectors[::-1], most=4, seed=0)
    assert [group.digest for group in one.groups] == [group.digest for group in other.groups]
    assert one.everyone.digest == other.everyone.digest


def test_no_group_is_a_few_shoppers_in_disguise() -> None:
    people, vectors = two_tastes(9)
    personas = find(people, vectors, most=6, seed=0)
    assert personas.groups == ()
    assert personas.nearest(vectors).tolist() == [-1] * 9


def test_nobody_known_is_no_error() -> None:
    personas = find([], np.zeros((0, 8), np.float32), most=6, seed=0)
    assert personas.groups == ()
    assert personas.everyone.purchases == ()


def test_a_pooled_history_counts_each_shopper_once() -> None:
    glutton = history(*[TEA[0]] * 30, user="glutton")
    others = [history(TEA[1], user=f"o{n}") for n in range(3)]
    merged = pooled([glutton, *others], 4)
    assert [bought.item.item_id for bought in merged.purchases].count("t0") == 1


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, dict]:
    people, vectors = two_tastes()
    newcomers = [
        history(TEA[0], user="tea newcomer"),
        history(BIKE[0], user="bike newcomer"),
        history(TEA[1], user="stranger"),
    ]
    known = np.vstack([vectors, np.eye(3, 8, dtype=np.float32)])
    known[-1] = 0  # nothing is known of her taste
    config = ProfilesConfig(most_personas=4)
    profiler = profiler_of(config, [], cache=tmp_path / "c", generator=TemplateGenerator())
    everybody = Population([*people, *newcomers], known, [*TEA, *BIKE], NOON)
    run(everybody, config, State(tmp_path / "profiles"), engine_at(tmp_path), profiler=profiler,
        seed=0, out=tmp_path)  # fmt: skip
    found = pq.read_table(tmp_path / "user_profile").to_pylist()
    return {row["user_id"]: row for row in found}


def test_granularity_follows_what_is_known(rows: dict[str, dict]) -> None:
    assert rows["u00"]["level"] == "user"
    assert rows["tea newcomer"]["level"] == rows["bike newcomer"]["level"] == "persona"
    assert rows["stranger"]["level"] == "global"
    assert "saddles" in rows["bike newcomer"]["profile"]
    assert "saddles" not in rows["tea newcomer"]["profile"]
    assert "teapots" in rows["stranger"]["profile"]
    assert "saddles" in rows["stranger"]["profile"]


def test_a_groups_profile_is_dated_by_the_last_purchase_it_may_reflect(rows: dict) -> None:
    """Joined as of an earlier moment, it would tell what others bought later."""
    latest = max(row["event_timestamp"] for row in rows.values() if row["level"] == "user")
    assert rows["tea newcomer"]["event_timestamp"] >= latest


def test_every_row_tells_what_it_came_from(rows: dict[str, dict]) -> None:
    for row in rows.values():
        assert row["generator"].startswith("template@")
        assert row["prompt_version"].startswith("purchase-guided-")
        assert row["style"] == "guided"
        assert row["history_hash"]
        assert row["created_timestamp"] == NOON
        assert row["embedding"] == []


def test_groups_that_stay_are_not_written_again(tmp_path: Path) -> None:
    people, vectors = two_tastes()
    config = ProfilesConfig(generator="openai", most_personas=4)
    calls = []
    for _ in range(2):
        generator = Counting(lambda _: "This person seems to be a shopper of the store.")
        profiler = profiler_of(config, [], cache=tmp_path / "c", generator=generator)
        everybody = Population(people, vectors, [], NOON)
        run(everybody, config, State(tmp_path / "profiles"), engine_at(tmp_path),
            profiler=profiler, seed=0, out=tmp_path)  # fmt: skip
        calls.append(len(generator.asked))
    assert calls[0] > 0
    assert calls[1] == 0
