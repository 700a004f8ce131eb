"""A profile as of t reflects nothing that was bought at or after t."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators import TemplateGenerator
from personalizer.profiles.history import History, Item, Purchase
from recsys.profiles.histories import histories
from recsys.profiles.run import Population, profiler_of, run
from recsys.profiles.state import State
from tests.recsys.profiles.world import engine_at

DAY = 86_400
# what is bought before the moment and what after are two catalogues: any word of the second leaks
PAST = [
    Item(f"p{n}", f"Old {n}", ("Home", "Past Goods", f"Pastware {n}"), f"Pastbrand {n}", 0.5)
    for n in range(6)
]
FUTURE = [
    Item(f"f{n}", f"New {n}", ("Futures", "Future Goods", f"Futureware {n}"), f"Later {n}", 0.9)
    for n in range(6)
]
PAST = [
    Item(f"p{n}", f"Old {n}", ("Home", "Past Goods", f"Pastware {n}"), f"Pastbrand {n}", 0.5)
    for n in range(6)
]
FUTURE = [
    Item(f"f{n}", f"New {n}", ("Futures", "Future Goods", f"Futureware {n}"), f"Later {n}", 0.9)
    for n in range(6)
]
KNOWN = {item.item_id: item for item in PAST + FUTURE}
CONFIG = ProfilesConfig(most_personas=3)


def write_histories(folder: Path, rows: dict[str, list[tuple[str, int]]]) -> Path:
    folder.mkdir(parents=True)
    table = pa.table(
        {
            "user_id": pa.array(list(rows)),
            "item_ids": pa.array([[item for item, _ in row] for row in rows.values()]),
            "item_times": pa.array([[time for _, time in row] for row in rows.values()]),
            "history_hash": pa.array([str(row) for row in rows.values()]),
        }
    )
    pq.write_table(table, folder / "part.parquet")
    return folder


def world(seed: int, as_of: int) -> dict[str, list[tuple[str, int]]]:
    """Random shoppers that buy up to the moment and on, at the very moment as well."""
    rng = random.Random(seed)
    rows = {}
    for n in range(25):
        before = sorted(rng.randrange(as_of - 400 * DAY, as_of) for _ in range(rng.randrange(7)))
        after = sorted([as_of, *(rng.randrange(as_of, as_of + 90 * DAY) for _ in range(3))])
        rows[f"u{n}"] = [(rng.choice(PAST).item_id, t) for t in before]
        rows[f"u{n}"] += [(rng.choice(FUTURE).item_id, t) for t in after]
    return rows


def profiles(folder: Path, people: list[History], as_of: datetime, state: State) -> list[dict]:
    vectors = np.random.default_rng(0).normal(size=(len(people), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    profiler = profiler_of(CONFIG, [], cache=folder / "cache", generator=TemplateGenerator())
    everybody = Population(people, vectors, list(KNOWN.values()), as_of)
    run(everybody, CONFIG, state, engine_at(folder), profiler=profiler, seed=0, out=folder)
    return pq.read_table(folder / "user_profile").to_pylist()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000))
def test_nothing_of_the_future_is_told(seed: int, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("world")
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    rows = world(seed, int(moment.timestamp()))
    people = histories(write_histories(folder / "history", rows), KNOWN, moment)
    found = profiles(folder, people, moment, State(folder / "profiles"))
    assert {row["user_id"] for row in found} == set(rows)
    for row in found:
        told = f"{row['profile']} {row['guidance']}".lower()
        assert "future" not in told
        assert "later" not in told
        assert row["event_timestamp"] < moment
        mine = [time for item, time in rows[row["user_id"]] if time < moment.timestamp()]
        if row["level"] == "user":
            assert row["event_timestamp"].timestamp() == max(mine)
        else:
            assert len(mine) < CONFIG.min_purchases


def test_the_future_changes_no_byte_of_the_past(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    rows = world(7, int(moment.timestamp()))
    past = {user: [e for e in row if e[1] < moment.timestamp()] for user, row in rows.items()}
    made = []
    for name, each in (("with", rows), ("without", past)):
        people = histories(write_histories(tmp_path / name / "history", each), KNOWN, moment)
        people = [replace(one, digest=str(one.purchases and one.last_seconds)) for one in people]
        made.append(profiles(tmp_path / name, people, moment, State(tmp_path / name / "profiles")))
    assert made[0] == made[1]


def test_a_run_as_of_an_earlier_moment_uses_no_later_profile(tmp_path: Path) -> None:
    later, earlier = (datetime(2024, m, 1, tzinfo=UTC) for m in (5, 2))
    rows = world(3, int(later.timestamp()))
    state = State(tmp_path / "profiles")
    folder = write_histories(tmp_path / "history", rows)
    profiles(tmp_path / "late", histories(folder, KNOWN, later), later, state)
    people = [
        replace(one, digest=f"{one.user_id} early") for one in histories(folder, KNOWN, earlier)
    ]
    early = profiles(tmp_path / "early", people, earlier, state)
    alone = profiles(tmp_path / "alone", people, earlier, State(tmp_path / "fresh"))
    assert early == alone
    assert all(row["event_timestamp"] < earlier for row in early)


def test_a_stale_profile_of_the_future_is_not_served(tmp_path: Path) -> None:
    """A run whose budget is spent serves what stands, but never what saw a later purchase."""
    later, earlier = (datetime(2024, m, 1, tzinfo=UTC) for m in (5, 2))
    mark = int(earlier.timestamp())
    old = [Purchase(PAST[n], mark - (9 - n) * DAY) for n in range(4)]
    new = Purchase(PAST[5], mark + 5 * DAY)
    crowd = [
        History(
            f"c{n}", tuple(Purchase(PAST[n % 3], mark - k * DAY) for k in (9, 6, 3)), digest="c"
        )
        for n in range(3)
    ]
    state = State(tmp_path / "profiles")
    ann_later = History("ann", (*old, new), digest="later")
    profiles(tmp_path / "late", [ann_later, *crowd], later, state)
    ann_before = History("ann", tuple(old), digest="before")
    config = replace(CONFIG, budget_seconds=1e-9)
    profiler = profiler_of(config, [], cache=tmp_path / "c", generator=TemplateGenerator())
    people = Population([ann_before, *crowd], np.zeros((4, 8), np.float32), [], earlier)
    engine = engine_at(tmp_path)
    run(people, config, state, engine, profiler=profiler, seed=0, out=tmp_path / "early")
    rows = pq.read_table(tmp_path / "early" / "user_profile").to_pylist()
    assert "pastware 5" not in str([row["profile"] for row in rows if row["user_id"] == "ann"])
