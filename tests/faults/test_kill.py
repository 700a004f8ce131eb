"""Killing a run anywhere leaves the last release readable, and a re-run completes.

One home serves a release of one shop. A run over another shop is killed at the end of every stage
and at every step of the publish. Each run goes on where the one before it died.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from recsys.pipeline.run import NAMES, PUBLISH
from recsys.published import Published
from recsys.results import database
from recsys.results.models import Release
from recsys.settings import load
from tests import tiny
from tests.conftest import Home

ROOT = Path(__file__).parent.parent.parent

BOUNDARIES = [(stage, "done") for stage in NAMES if stage != PUBLISH]
# everything written, nothing in its place yet
HALFWAY = [("ingest", "written"), ("lm", "written"), ("report", "written")]
PUBLISHING = [
    (PUBLISH, "lists in the results database"),
    (PUBLISH, "lists online"),
    (PUBLISH, "release written"),
    (PUBLISH, "pointer swapped"),
]
MOMENTS = sorted([*HALFWAY, *BOUNDARIES, *PUBLISHING], key=lambda moment: NAMES.index(moment[0]))


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
    assert recorded("publishing") == []
    assert sorted(recorded("published")) == sorted([before.release.id, after.release.id])


def some_shopper(published: Published) -> str:
    """Anyone with a list."""
    from recsys.listing import shopper_lists

    return next(shopper_lists(published.artifacts["lists"].path)).user_id
