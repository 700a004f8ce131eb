"""Online stores of a test's own, on real servers, and views full of values that could go wrong."""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
from pydantic import SecretStr

from features.online.connect import connect
from features.online.values import arrow_type
from features.repo.types import Array, Float32, Float64, Int64, String
from features.repo.views import SPECS, layout
from features.settings import StoreSettings
from tests.features.shop import day

KINDS = (
    "sqlite",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("postgres", marks=pytest.mark.postgres),
)
ADMIN = "postgresql://postgres@127.0.0.1:5432/postgres"
AS_OF = day("2024-03-01")


@contextmanager
def store_settings(kind: str, **more: Any) -> Iterator[StoreSettings]:
    """Settings of a store that nobody else uses; what is on a server is removed at the end."""
    name = f"tailor_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    if kind == "sqlite":
        yield StoreSettings(project=name, **more)
    elif kind == "redis":
        url = "redis://127.0.0.1:6379/0"
        yield StoreSettings(project=name, online="redis", connection=SecretStr(url), **more)
        with closing(redis.Redis.from_url(url)) as client:
            if keys := [*client.scan_iter(f"*{name}", count=1000)]:
                client.delete(*keys)
    else:
        with _database(name) as url:
            yield StoreSettings(project=name, online="postgres", connection=SecretStr(url), **more)


@contextmanager
def _database(name: str) -> Iterator[str]:
    try:
        admin = psycopg.connect(ADMIN, autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        if os.environ.get("TESTS_REQUIRE_SERVERS"):
            raise
        pytest.skip("PostgreSQL on 127.0.0.1:5432 lets nobody in without a password")
    with closing(admin):
        admin.execute(f"CREATE DATABASE {name}")
        yield f"postgresql://postgres@127.0.0.1:5432/{name}"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def everything_in(home: Path, settings: StoreSettings) -> dict[Any, Any]:
    """All that an online store holds, byte by byte."""
    store: Any = connect(home, settings)
    with closing(store):
        if settings.online == "redis":
            client = store._client
            return {
                key: dict(sorted(client.hgetall(key).items()))
                for key in client.scan_iter(f"*{settings.project}", count=1000)
            }
        rows = store._connection.execute
        if settings.online == "sqlite":
            return {
                (kind, bytes(row[0])): row[1:]
                for kind in sorted({layout(view).join_key for view in SPECS})
                for row in rows(f'SELECT * FROM "{settings.project}_{kind}"')
            }
        tables = [f"{settings.project}_{view}" for view in SPECS]
        return {  # a row per feature
            (table, bytes(row[0]), row[1]): row[2:]
            for table in tables
            for row in rows(f'SELECT * FROM "{table}"')
        }


EDGES: dict[Any, list[Any]] = {
    String: ["soap", "", None, "Bürste 刷", "x" * 300, "o'clock \"\\ \n"],
    Int64: [1, 0, -1, 127, 128, 2**40],
    Float64: [0.1, 0.0, -1.5, None, 1e300, float("nan")],
    Array(String): [["a", "b"], [], None, ["é" * 100], ["", "x" * 200], ["z"] * 50],
    Array(Int64): [[1, 2], [], None, [0, -5, 2**50], [1_700_000_000] * 50, [127, 128]],
    Array(Float32): [[0.5, -0.25], [], None, [1e-30] * 3, [0.1] * 384, [0.0]],
    Array(Float64): [[0.1, 0.2], [], None, [1e300], [0.0], [-1.0] * 40],
    Float32: [0.5, 0.0, None, -1.5, 1e-30, 2.0],
}


def edge_table(view: str, *, shift: int = 0) -> pa.Table:
    """Six rows with all the edges there are, each key once; `shift` moves values on by a row."""
    key = f"{SPECS[view].entity}_id"
    columns: dict[str, Any] = {key: [f"{key} {n}" if n else "刷 é" for n in range(6)]}
    for at, (name, kind) in enumerate(SPECS[view].columns.items()):
        values = EDGES[kind]
        turned = [values[(n + at + shift) % 6] for n in range(6)]
        columns[name] = pa.array(turned, arrow_type(kind))
    moment = pa.array([AS_OF] * 6, pa.timestamp("us", tz="UTC"))
    return pa.table(columns | {"event_timestamp": moment, "created_timestamp": moment})


def write_view(offline: Path, view: str, *tables: pa.Table) -> None:
    folder = offline / view
    folder.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{number}.parquet")


def sqlite_rows(file: Path, table: str) -> int:
    with closing(sqlite3.connect(file)) as opened:
        return int(opened.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])
