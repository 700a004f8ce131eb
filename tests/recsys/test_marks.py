"""The mark of what is online outlives a killed run, and tells a store from another."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from recsys.artifacts import ArtifactStore
from recsys.pipeline import marks
from recsys.pipeline.observer import Silent
from recsys.pipeline.stage import Context
from recsys.settings import load
from tests.features.shop import day

MOMENT = day("2024-03-01")
MADE = SimpleNamespace(version="v1")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(load(), ArtifactStore(tmp_path), Silent())


def test_it_holds_only_after_all_was_brought_online(context: Context) -> None:
    assert (marks.moment(context), marks.holds(context, MADE)) == (None, False)
    marks.begin(context, MOMENT)
    assert (marks.moment(context), marks.holds(context, MADE)) == (MOMENT, False)
    marks.finish(context, "v1", MOMENT)
    assert (marks.moment(context), marks.holds(context, MADE)) == (MOMENT, True)
    assert not marks.holds(context, SimpleNamespace(version="v2"))


def test_another_store_was_not_filled(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    marks.finish(context, "v1", MOMENT)
    monkeypatch.setenv("TAILOR_FEATURES__STORE__ONLINE", "redis")
    monkeypatch.setenv("TAILOR_FEATURES__STORE__CONNECTION", "redis://:s3cret@127.0.0.1:6379/3")
    other = Context(load(), context.store, Silent())
    assert not marks.holds(other, MADE)
    marks.finish(other, "v1", MOMENT)
    assert marks.holds(other, MADE)
    assert not marks.holds(context, MADE)
    assert "s3cret" not in (context.store.home / "feast" / "filled-from").read_text()


def test_a_mark_of_an_earlier_version_holds_nothing(context: Context) -> None:
    folder = context.store.home / "feast"
    folder.mkdir()
    (folder / "filled-from").write_text(f"v1 {context.store.home}\n")
    assert (marks.moment(context), marks.holds(context, MADE)) == (None, False)
