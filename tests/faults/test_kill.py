"""Killing a run anywhere leaves the last release readable, and a re-run completes.

One home serves a release of one shop. A run over another shop is killed in the middle of all that
takes long, before what was written is in its place, and at every step of the publish. Each run goes
on where the one before it died, and what comes out is what a run that nobody disturbed makes.
"""

import multiprocessing
import shutil
import signal
from collections.abc import Callable
from pathlib import Path, PurePath

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from recsys.artifacts import Artifact
from recsys.pipeline.run import PUBLISH
from recsys.pipeline.stages import STAGES
from recsys.published import Published
from recsys.results import database
from recsys.results.models import Release
from recsys.settings import load
from tests import tiny
from tests.conftest import Home
from tests.faults import killer
from tests.faults.killer import HALFWAY

HEAVY = ["faiss", "lightgbm", "pyspark.sql", "sklearn", "torch", "transformers"]
TABLES = ("tables", "features", "embeddings", "ranker", "lm", "hypernet", "profiles", "lists")
MOMENTS = [
    ("ingest", "written"),  # everything is written, nothing in its place yet
    ("features", HALFWAY),
    ("embeddings", HALFWAY),
    ("ranker", HALFWAY),
    ("profiles", HALFWAY),
    ("store", HALFWAY),
    ("lm", HALFWAY),
    ("lm", "written"),
    ("hypernet", HALFWAY),
    ("lists", HALFWAY),
    ("report", "written"),
    (PUBLISH, "lists in the results database"),
    (PUBLISH, "lists online"),
    (PUBLISH, "release written"),
    (PUBLISH, "pointer swapped"),
]


RunUntilKilled = Callable[[Path, Path, str, str], tuple[int | None, str]]


@pytest.fixture
def run_until_killed(tmp_path: Path) -> RunUntilKilled:
    """Run in a process of its own, forked where all is imported; gives its end and what it said."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([stage.module for stage in STAGES] + HEAVY)
    log = tmp_path / "said.log"

    def killed(shop: Path, home: Path, stage: str, event: str) -> tuple[int | None, str]:
        process = context.Process(target=killer.main, args=(stage, event, shop, home, log))
        process.start()
        process.join()
        return process.exitcode, log.read_text(encoding="utf-8")

    return killed


def recorded(status: str) -> list[str]:
    query = select(Release.id).where(Release.status == status)
    with database.of(load()).connect() as connection:
        return list(connection.scalars(query))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_killed_anywhere_leaves_the_release_and_goes_on(
    home: Home, tmp_path: Path, run_until_killed: RunUntilKilled
) -> None:
    before = Published.open(load())
    shopper = some_shopper(before)
    her_list = before.list_of(shopper)
    other = tmp_path / "another shop"
    tiny.shop(other, seed=2)
    # with as full a cache of vectors: their last digits hang on which texts go together
    alone = tmp_path / "undisturbed"
    shutil.copytree(home.path, alone, symlinks=True)

    for stage, event in MOMENTS:
        end, said = run_until_killed(other, home.path, stage, event)
        assert end == -signal.SIGKILL, f"{stage} {event}: {said[-2000:]}"
        published = Published.open(load())
        assert published.refused == {}
        if event == "pointer swapped":
            assert published.release.id != before.release.id
        else:
            assert published.release.id == before.release.id, f"{stage} {event}"
            assert published.list_of(shopper) == her_list, f"{stage} {event}"

    end, said = run_until_killed(other, home.path, "nothing", "at all")
    assert end == 0, said[-2000:]
    after = Published.open(load())
    assert after.release.id not in {before.release.id}
    assert said.splitlines()[-1] == f"{PUBLISH} skip"
    # in such a process as well: sums depend on the number of threads
    end, said = run_until_killed(other, alone, "nothing", "at all")
    assert end == 0, said[-2000:]
    undisturbed = Published.open(tiny.settings(alone)).artifacts
    for kind in TABLES:
        assert contents(after.artifacts[kind]) == contents(undisturbed[kind]), kind
    assert recorded("publishing") == []
    assert sorted(recorded("published")) == sorted([before.release.id, after.release.id])


def contents(artifact: Artifact) -> dict[str, object]:
    """Every table of an artifact as its rows in order of themselves, every other file by digest."""
    rows: dict[str, list[str]] = {}
    others = {}
    for name, file in artifact.manifest.files.items():
        if name.endswith(".parquet"):
            table = pq.ParquetFile(artifact.path / name).read()
            rows.setdefault(str(PurePath(name).parent), []).extend(map(repr, table.to_pylist()))
        elif not name.endswith((".json", ".crc")):  # figures tell seconds; Spark's names are random
            others[name] = file["sha256"]
    found = {folder: sorted(told) for folder, told in rows.items()} | others
    assert found
    return found


def some_shopper(published: Published) -> str:
    """Anyone with a list."""
    from recsys.listing import shopper_lists

    return next(shopper_lists(published.artifacts["lists"].path)).user_id
