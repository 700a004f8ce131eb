"""All shoppers scored: by the ranker, then with the adapted model over the head of every list.

And how fast lists go into PostgreSQL. The models are trained first, untimed, in a home that is
removed at the end; or a home is taken as it stands.
"""

import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from recsys.artifacts import ArtifactStore
from recsys.errors import StageError
from recsys.evaluation.memory import peak
from recsys.ladder import Rung
from recsys.listing import lists_in
from recsys.pipeline.batch.shards import gather, score_shard
from recsys.pipeline.lineage import Lineage
from recsys.pipeline.parts import catalogue_of
from recsys.pipeline.run import run
from recsys.pipeline.stage import RawFiles
from recsys.pipeline.step import opened, stage_of
from recsys.recommend import Recommender
from recsys.results import database, records, writer
from recsys.results.errors import ResultsError
from recsys.settings import Settings
from recsys.tables import read_table

Told = Callable[[str], None]
SERVER = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
WEIGHT = 0.5  # of the model where validation gives it none: it is to work, not to help
KEYS = (
    "users_per_second",
    "users_per_second_with_lm",
    "lists",
    "rows_per_second_postgresql",
    "peak_mib",
)


def measure(
    reviews: Sequence[Path],
    items: Sequence[Path],
    settings: Settings,
    told: Told,
    *,
    home: Path | None = None,
    server: str = SERVER,
) -> dict[str, Any]:
    """Train in a home of its own (or take one as it stands), then score and write."""
    with _home(home) as folder, tempfile.TemporaryDirectory(prefix="tailor-lists-") as out:
        own = settings.model_copy(update={"home": folder})
        raw = RawFiles(tuple(reviews), tuple(items))
        lineage = _standing(own) or _trained(own, raw)
        told(f"models at hand, {own.batch.shards} shards")
        with peak() as memory:
            plain = _scored(own, lineage, Path(out) / "ranker", _without_model)
            told(f"ranker: {plain['rate']} shoppers per second")
            adapted = _scored(own, lineage, Path(out) / "model", _with_model)
            told(f"with the adapted model: {adapted['rate']} shoppers per second")
            rows = _written(Path(out) / "model", server, told)
            most = memory.mib
    if not adapted["rungs"].get(Rung.ADAPTED_LM):
        raise StageError(
            f"no list is of the adapted model: {adapted['rungs']}", where="benchmark batch"
        )
    if plain["lists"] != adapted["lists"]:
        raise StageError(
            f"{plain['lists']} lists, then {adapted['lists']}", where="benchmark batch"
        )
    figures = (plain["rate"], adapted["rate"], adapted["lists"], rows, most)
    return dict(zip(KEYS, figures, strict=True))


@contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="tailor-benchmark-") as folder:
        yield Path(folder)


def _standing(settings: Settings) -> Lineage | None:
    """What a home holds, if it holds all that lists are made of."""
    store = ArtifactStore(settings.home)
    found = {kind: store.current(kind) for kind in stage_of("lists").inputs}
    return None if None in found.values() else {k: v for k, v in found.items() if v}


def _trained(settings: Settings, raw: RawFiles) -> Lineage:
    made = run(settings, raw=raw, until="blend").artifacts
    return {kind: one.version for kind, one in made.items()}


def _without_model(recommender: Recommender) -> Recommender:
    return replace(recommender, reranker=None)


def _with_model(recommender: Recommender) -> Recommender:
    """Let the model reorder every list, whomever the release keeps it from."""
    weight = recommender.blend_weight or WEIGHT
    return replace(recommender, blend_weight=weight, decision=None)


def _scored(
    settings: Settings,
    lineage: Lineage,
    folder: Path,
    chosen: Callable[[Recommender], Recommender],
) -> dict[str, Any]:
    """Score all shards into files and put them together; loading the models is not timed."""
    from recsys.pipeline.stages.lists import recommender_at

    shards = settings.batch.shards
    with opened(settings, lineage) as context:
        catalogue = catalogue_of(context.inputs)
        recommender = chosen(recommender_at(context, "serve", catalogue))
        began = time.perf_counter()
        for shard in range(shards):
            score_shard(context, recommender, catalogue, folder, (shard, shards))
        seconds = time.perf_counter() - began
    told = gather(folder, shards, folder / "lists.parquet")
    users = read_table(folder / "lists.parquet", ["user_id"])["user_id"].to_pylist()
    if len(set(users)) != told["lists"]:
        raise StageError("a shopper has two lists", where=str(folder))
    return {
        "lists": told["lists"],
        "rungs": told["rungs"],
        "rate": round(told["lists"] / seconds, 1),
    }


def _written(folder: Path, server: str, told: Told) -> float | None:
    """List rows per second into a schema of a PostgreSQL server that is dropped at the end."""
    lists = list(lists_in(folder / "lists.parquet"))
    rows = sum(len(one.entries) for one in lists)
    try:
        with _schema(server) as url:
            engine = database.connect(url)
            database.upgrade(engine)
            records.record_release(engine, "r", status=records.PUBLISHING, lineage={})
            began = time.perf_counter()
            writer.write_lists(engine, "r", lists)
            seconds = time.perf_counter() - began
            engine.dispose()
    except ResultsError as error:
        told(f"PostgreSQL was not measured: {error}")
        return None
    told(f"PostgreSQL: {rows} rows in {seconds:.1f} s")
    return round(rows / seconds, 1)


@contextmanager
def _schema(server: str) -> Iterator[str]:
    name = f"tailor_benchmark_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with database.speaking(admin), admin.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        yield f"{server}?options=-csearch_path%3D{name}"
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        admin.dispose()
