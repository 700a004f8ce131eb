"""Whom a release is held against: the live one, and again the same one when nothing changed."""

import pytest

from recsys.artifacts import ArtifactStore, Manifest, Releases
from recsys.pipeline.champion import rival
from recsys.pipeline.observer import Silent
from recsys.pipeline.stage import Context
from recsys.settings import Settings


class Shop:
    """Releases of three artifacts, of which the last is the report."""

    def __init__(self, home):
        self.store = ArtifactStore(home)
        self.releases = Releases(self.store)

    def made(self, kind, version, **metrics):
        manifest = Manifest(
            kind=kind, version=version, created_at="", code="", inputs={}, parameters={}
        )
        with self.store.create(manifest) as draft:
            (draft.path / "file").write_text(version)
            draft.describe(metrics=metrics)
        return self.store.open(kind, version)

    def context(self, lists):
        inputs = {"tables": self.made("tables", "t"), "lists": self.made("lists", lists)}
        return Context(Settings(home=self.store.home), self.store, Silent(), inputs=inputs)

    def publish(self, lists):
        """Report and publish as a run would; the live release moves."""
        context = self.context(lists)
        against = rival(context)
        report = self.made("report", f"{lists} against {against}"[:40], live=against)
        lineage = {kind: each.version for kind, each in context.inputs.items()}
        release = self.releases.draft(
            lineage | {"report": report.version}, data_cut="", headline={}
        )
        self.releases.write(release)
        self.releases.swap(release.id)
        return release.id


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def test_the_first_release_has_no_rival(shop):
    assert rival(shop.context("a")) == ""


def test_a_new_release_is_held_against_the_live_one(shop):
    first = shop.publish("a")
    assert rival(shop.context("b")) == first


def test_over_the_same_inputs_the_rival_stays_the_same(shop):
    first = shop.publish("a")
    assert rival(shop.context("a")) == ""
    shop.publish("b")
    assert rival(shop.context("b")) == first


def test_a_rollback_changes_no_rival_of_what_was_rolled_back_from(shop):
    first = shop.publish("a")
    shop.publish("b")
    shop.releases.rollback(first)
    assert rival(shop.context("b")) == first
    assert rival(shop.context("c")) == first


def test_a_damaged_live_release_is_still_named(shop):
    first = shop.publish("a")
    (shop.releases.folder / f"{first}.json").write_text("{")
    assert rival(shop.context("b")) == first
