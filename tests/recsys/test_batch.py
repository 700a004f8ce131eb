"""Batch scoring: the same lists by any shards, nothing twice, nothing lost by a kill."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recsys.artifacts import ArtifactStore
from recsys.cli import main
from recsys.errors import StageError
from recsys.listing import LISTS
from recsys.pipeline.batch import job
from recsys.pipeline.batch.pace import Pace
from recsys.pipeline.batch.shards import complete, shard_file, work_folder
from recsys.published import Published
from recsys.settings import load
from recsys.tables import hash_order, shard_of
from tests.conftest import Home

ROOT = Path(__file__).parents[2]


def test_shards_are_pieces_of_one_order() -> None:
    users = [f"user {n}" for n in range(500)]
    ordered = [users[at] for at in hash_order(users)]
    for shards in (1, 3, 7):
        pieces = [[user for user in ordered if shard_of(user, shards) == n] for n in range(shards)]
        assert [user for piece in pieces for user in piece] == ordered
        assert all(len(piece) > 500 / shards / 2 for piece in pieces)


def test_the_pace_tells_rate_and_remaining_time() -> None:
    now = iter([0.0, 2.0, 2.0, 2.0, 2.0])
    pace = Pace(30, clock=lambda: next(now))
    pace.done = 10
    assert pace.rate == 5
    assert pace.remaining == 4


@pytest.mark.slow
@pytest.mark.spark
def test_lists_do_not_depend_on_the_shards_and_a_kill_costs_one(home: Home) -> None:
    settings = load()
    before = pq.read_table(home.path / "artifacts" / "lists" / "current" / LISTS)
    store = ArtifactStore(home.path)
    plan = job.plan(settings, shards=3)
    shutil.rmtree(store.folder("lists", plan.version), ignore_errors=True)
    code = (
        "import os, signal; from recsys.settings import load;"
        "from recsys.pipeline.batch import job;"
        "from recsys.pipeline.batch import shards; s = load(); p = job.plan(s, shards=3);"
        "job.score(s, p, 0);"
        "shards.sync = lambda path: os.kill(os.getpid(), signal.SIGKILL); job.score(s, p, 1)"
    )
    died = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    folder = work_folder(home.path, plan.version)
    assert [shard_file(folder, (n, 3)).exists() for n in range(3)] == [True, False, False]
    assert complete(folder) == 0

    assert job.score(settings, plan, 0).skipped
    assert not job.score(settings, plan, 1).skipped
    release = job.release(settings, job.finish(settings, plan), plan.moments)
    again = pq.read_table(store.folder("lists", plan.version) / LISTS)
    for column in ("user_id", "item_ids", "rung", "why", "reasons"):
        assert again[column].equals(before[column]), column
    assert not folder.exists()
    assert Published.open(settings).release.id == release


@pytest.mark.slow
@pytest.mark.spark
def test_by_hand(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "run", "--shards", "2", "--json"]) == 0
    assert '"release"' in capsys.readouterr().out
    with pytest.raises(StageError, match="no shard 5 of 2"):
        job.score(load(), job.plan(load(), shards=2), 5)
