"""What is measured of the online store: writing, looking up, and whether it says the same."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Any

from features.lookup import Lookup
from features.skew import skew
from recsys.benchmark.home import USER_VIEWS, Home
from recsys.errors import extra
from recsys.settings import Settings
from recsys.tables import hash_order, read_table

with extra("features"):
    from pyspark.sql import DataFrame

DAY = timedelta(days=1)
SINGLE, TOGETHER = 500, 1_000
STAMPS = {"event_timestamp", "created_timestamp", "user_id"}


def writing(home: Home, settings: Settings, as_of: datetime) -> dict[str, float]:
    """Write the same user rows into two empty stores: our way, and as Feast ships it."""
    ours: Any = home.repo(settings, "ours")
    shipped: Any = home.repo(settings, "shipped", shipped=True)
    ways: dict[str, tuple[Any, Callable[..., Any]]] = {
        "materialize_rows_per_second": (ours, ours.materialize),
        "feast_materialize_rows_per_second": (shipped, shipped.materialize_by_feast),
    }
    serve = home.next_features / "serve"
    rows = sum(read_table(serve / view, ["user_id"]).num_rows for view in USER_VIEWS)
    told = {}
    for name, (repo, materialize) in ways.items():
        repo.apply(home.offline(serve))
        began = time.perf_counter()
        materialize(as_of - DAY, as_of + DAY, list(USER_VIEWS))
        told[name] = round(rows / (time.perf_counter() - began), 1)
    return told


def looking_up(home: Home, settings: Settings, as_of: datetime) -> dict[str, float]:
    """Look shoppers up one by one, and many in one call."""
    users, look_up = _shoppers(home, TOGETHER), _lookup(home, settings, as_of)
    look_up.lookup(users[:10])  # connections are made once
    single = [_milliseconds(partial(look_up.lookup, [name])) for name in users[:SINGLE]]
    together = median(_milliseconds(partial(look_up.lookup, users)) for _ in range(5))
    return {
        "lookup_ms_p50": round(median(single), 3),
        "lookup_1000_users_ms": round(together, 1),
    }


def skewed(
    home: Home, settings: Settings, as_of: datetime, views: Mapping[str, DataFrame]
) -> dict[str, int]:
    """Compare what is online with a computation from all purchases, for a thousand shoppers."""
    users, mismatches = _shoppers(home, TOGETHER), 0
    found = _lookup(home, settings, as_of).lookup(users)
    for view, frame in views.items():
        names = [name for name in frame.columns if name not in STAMPS]
        rows = frame.filter(frame["user_id"].isin(users)).collect()  # a thousand
        offline = {row["user_id"]: row.asDict() for row in rows}
        online = {row.user_id: row.values(view) for row in found}
        mismatches += skew(online, offline, names).mismatches
    return {"skew_mismatches": mismatches}


def _shoppers(home: Home, most: int) -> list[str]:
    ids = read_table(home.next_features / "serve" / "user_history", ["user_id"])["user_id"]
    names: Sequence[str] = ids.to_pylist()
    return [names[at] for at in hash_order(names)[:most]]


def _lookup(home: Home, settings: Settings, as_of: datetime) -> Lookup:
    age = timedelta(days=settings.features.store.max_age_days)
    return Lookup(home.repo(settings, "feast"), age, lambda: as_of)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000
