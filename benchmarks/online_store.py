"""Fill and read an online store, by Feast as shipped and by the fast path, in one process.

    python benchmarks/online_store.py --users 20000 --online sqlite --json OUT

Rows are made up: the columns are those of the views, the histories as long as asked. `--connection`
says where a server is.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import SecretStr

from features.lookup import Lookup
from features.online.values import arrow_type
from features.repo.types import Array, Float32, Int64, String
from features.repo.views import SPECS
from features.settings import SparkSettings, StoreSettings
from features.spark import session
from features.store import FeatureRepo

AS_OF = datetime(2024, 3, 1, tzinfo=UTC)
VIEWS = ("user_purchase_stats", "user_history", "user_embedding")
DIMENSIONS, SINGLES = 384, 1_000


def made_up(view: str, users: int, history: int, seed: int) -> pa.Table:
    """A view of that many shoppers."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {"user_id": [f"A{number:012d}" for number in range(users)]}
    for name, kind in SPECS[view].columns.items():
        columns[name] = pa.array(_values(kind, users, history, random), arrow_type(kind))
    moment = pa.array([AS_OF] * users, pa.timestamp("us", tz="UTC"))
    return pa.table(columns | {"event_timestamp": moment, "created_timestamp": moment})


def _values(kind: Any, users: int, history: int, random: np.random.Generator) -> Any:
    if kind == Array(Float32):
        return list(random.normal(size=(users, DIMENSIONS)).astype(np.float32))
    if kind == Array(String):
        return [[f"B{item:09d}" for item in random.integers(9**9, size=history)]] * users
    if kind == Array(Int64):
        return [sorted(random.integers(10**9, 2 * 10**9, size=history))] * users
    if isinstance(kind, Array):
        return [random.normal(size=history)] * users
    if kind == String:
        return [f"{number:064x}" for number in range(users)]
    return random.integers(1, 400, size=users) if kind == Int64 else random.normal(size=users)


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--history", type=int, default=9)
    parser.add_argument("--online", default="sqlite")
    parser.add_argument("--connection", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tailor-online-") as folder:
        result = measure(args, Path(folder))
    text = json.dumps(result, indent=2)
    print(text)  # noqa: T201
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fill by Feast, fill by us, look up by us and by Feast."""
    for view in VIEWS:
        (folder / "offline" / view).mkdir(parents=True)
        table = made_up(view, args.users, args.history, args.seed)
        pq.write_table(table, folder / "offline" / view / "part.parquet")
    session(SparkSettings(driver_memory="2g")).range(1).count()  # the JVM is not what is measured
    seconds = {}
    for how in ("feast", "ours"):
        repo = _repo(args, folder, how)
        fill = repo.materialize_by_feast if how == "feast" else repo.materialize
        seconds[how] = timed(lambda fill=fill: fill(AS_OF, AS_OF, VIEWS))  # type: ignore[misc]
    again = timed(lambda: repo.materialize(AS_OF, AS_OF, VIEWS))
    rows = args.users * len(VIEWS)
    return {
        "online": args.online,
        "users": args.users,
        "rows": rows,
        "materialize_rows_per_second": round(rows / seconds["ours"]),
        "feast_materialize_rows_per_second": round(rows / seconds["feast"]),
        "times_faster": round(seconds["feast"] / seconds["ours"], 1),
        "unchanged_rows_per_second": round(rows / again),
    } | look_ups(repo, args.users)


def _repo(args: argparse.Namespace, folder: Path, how: str) -> FeatureRepo:
    settings = StoreSettings(
        project=f"bench_{folder.name.replace('-', '_')}_{how}".lower(),
        online=args.online,
        connection=SecretStr(args.connection),
    )
    repo = FeatureRepo(folder / how, settings, shipped=how == "feast")
    repo.apply(folder / "offline")
    return repo


def look_ups(repo: FeatureRepo, users: int) -> dict[str, float]:
    """One at a time and a thousand at once, every value read; and one at a time by Feast."""
    lookup = Lookup(repo, timedelta(days=7), lambda: AS_OF)
    random = np.random.default_rng(1)
    names = [f"A{number:012d}" for number in random.integers(users, size=SINGLES)]
    lookup.lookup(names[:1])
    ones = [timed(lambda name=name: _read(lookup, [name])) for name in names]  # type: ignore[misc]
    many = min(timed(lambda: _read(lookup, names)) for _ in range(5))
    unread = min(timed(lambda: lookup.lookup(names)) for _ in range(5))
    feast = [timed(lambda name=name: _by_feast(repo, name)) for name in names[:50]]  # type: ignore[misc]
    return {
        "lookup_ms_p50": round(statistics.median(ones) * 1e3, 3),
        "lookup_1000_one_by_one_ms": round(sum(ones) * 1e3, 1),
        "lookup_1000_users_ms": round(many * 1e3, 1),
        "lookup_1000_users_unread_ms": round(unread * 1e3, 1),
        "feast_lookup_ms_p50": round(statistics.median(feast) * 1e3, 3),
    }


def _read(lookup: Lookup, names: list[str]) -> None:
    for row in lookup.lookup(names):
        for view in row.views:
            dict(row.values(view))


def _by_feast(repo: FeatureRepo, name: str) -> None:
    for view in VIEWS:
        repo.read_by_feast(view, [name])


if __name__ == "__main__":
    main()
