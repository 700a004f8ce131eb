"""Upkeep removes what nobody needs, never what serves, and tells what is damaged."""

import os
import time

import pytest

from recsys.artifacts import ArtifactStore, Releases
from recsys.cli import main
from recsys.pipeline import lineage
from recsys.pipeline.batch import job
from recsys.pipeline.upkeep import integrity, maintain, retain
from recsys.published import Published
from recsys.settings import load
from tests.conftest import Home

pytestmark = [pytest.mark.slow, pytest.mark.spark]


def test_what_serves_stays_and_what_is_old_goes(home: Home) -> None:
    settings = load()
    store = ArtifactStore(home.path)
    releases = Releases(store)
    live = str(releases.live())
    made = job.plan(settings, shards=1)
    # versions that nobody is made of, and leavings of long ago
    stray = store.folder("ranker", "0123456789abcdef")
    stray.mkdir()
    (stray / "manifest.json").write_text("{}")
    old = home.path / "quarantine" / "of long ago"
    old.mkdir(parents=True)
    os.utime(old, (time.time() - 40 * 86_400,) * 2)
    assert "ranker/0123456789abcdef" in integrity(settings)
    done = maintain(settings, keep_releases=1, keep_days=30)
    assert done.artifacts == ["ranker/0123456789abcdef"]
    assert done.partitions == ["quarantine/of long ago"]
    assert done.damaged == {}
    assert "results.db" in done.vacuumed
    assert releases.live() == live
    assert Published.open(settings).refused == {}
    assert job.plan(settings, shards=1) == made  # the data at hand are all there
    again = retain(settings, keep_releases=1)
    assert (again.artifacts, again.partitions, again.releases) == ([], [], [])


def test_damage_is_told_and_fails_the_command(home: Home) -> None:
    model = home.path / "artifacts" / "ranker" / lineage.live(load())["ranker"] / "model.txt"
    model.write_text(model.read_text() + "\n")
    assert main(["maintenance", "--json"]) == 1
    assert "file torn" in str(integrity(load()))
