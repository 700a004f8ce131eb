"""Killing a run anywhere leaves the last release readable, and a re-run completes.

One home serves a release of one shop. A run over another shop is killed in the middle of all that
takes long, before what was written is in its place, and at every step of the publish. Each run goes
on where the one before it died, and what comes out is what a run that nobody disturbed makes.
"""

import signal
import subprocess
import sys
from pathlib import Path, PurePath

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from recsys.artifacts import Artifact
from recsys.pipeline.run import PUBLISH, run
from recsys.published import Published
from recsys.results import database
from recsys.results.models import Release
from recsys.settings import load
from tests import tiny
from tests.conftest import Home
from tests.faults.killer import HALFWAY

ROOT = Path(__file__).parent.parent.parent

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


def run_until_killed(shop: Path, stage: str, event: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.killer", stage, event, str(shop)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def recorded(status: str) -> list[str]:
    query = select(Release.id).where(Release.status == status)
    with database.of(load()).connect() as connection:
        return list(connection.scalars(query))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_killed_anywhere_leaves_the_release_and_goes_on(home: Home, tmp_path: Path) -> None:
    before = Published.open(load())
    shopper = some_shopper(before)
    her_list = before.list_of(shopper)
    other = tmp_path / "another shop"
    tiny.shop(other, seed=2)

    for stage, event in MOMENTS:
        died = run_until_killed(other, stage, event)
        assert died.returncode == -signal.SIGKILL, f"{stage} {event}: {died.stderr[-2000:]}"
        published = Published.open(load())
        assert published.refused == {}
        if event == "pointer swapped":
            assert published.release.id != before.release.id
        else:
            assert published.release.id == before.release.id, f"{stage} {event}"
            assert published.list_of(shopper) == her_list, f"{stage} {event}"

    completed = run_until_killed(other, "nothing", "at all")
    assert completed.returncode == 0, completed.stderr[-2000:]
    after = Published.open(load())
    assert after.release.id not in {before.release.id}
    assert completed.stdout.splitlines()[-1] == f"{PUBLISH} skip"
    undisturbed = run(tiny.settings(tmp_path / "undisturbed"), raw=tiny.raw_of(other)).artifacts
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
