"""The release that serves, and its replacement."""

import threading
import time

import pytest

from recsys.artifacts import ArtifactStore, Releases
from recsys.benchmark.service.home import variants
from recsys.service.errors import ServiceError
from recsys.service.serving import Serving
from tests.recsys.service.conftest import settings_of


def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_new_release_is_taken_without_a_pause_and_no_answer_is_torn(own):
    made = variants(own.home)
    made.releases.swap(made.without.id)
    seen, stop = [], threading.Event()
    with own() as running:

        def ask(client=running.client):
            while not stop.is_set():
                told = client.post("/v1/recommendations", json={"users": made.users[:3], "k": 1})
                seen.append((told.status_code, told.json()))

        asking = threading.Thread(target=ask)
        asking.start()
        other = made.releases.draft(
            made.without.lineage | {"ranker": made.other.lineage["ranker"]},
            data_cut=made.without.data_cut,
            headline={},
        )
        made.releases.write(other)
        made.releases.swap(other.id)
        until(lambda: seen[-1][1]["release"] == other.id)
        stop.set()
        asking.join()
    keys = {made.without.id: made.without.key, other.id: other.key}
    assert {status for status, _ in seen} == {200}
    for _, body in seen:
        assert body["lineage_key"] == keys[body["release"]]
        assert {one["release"] for one in body["results"]} == {body["release"]}
    assert {body["release"] for _, body in seen} == set(keys)


def test_what_is_the_same_is_shared_and_the_old_release_is_let_go_last(own):
    made = variants(own.home)
    made.releases.swap(made.without.id)
    serving = Serving(settings_of(own.home))
    assert serving.refresh()
    closed = []
    with serving.hold() as old:
        object.__setattr__(
            old, "lookup", type("Lookup", (), {"close": lambda _: closed.append(1)})()
        )
        other = made.releases.draft(
            made.without.lineage | {"ranker": made.other.lineage["ranker"]},
            data_cut=made.without.data_cut,
            headline={},
        )
        made.releases.write(other)
        made.releases.swap(other.id)
        object.__setattr__(old, "has", old.has)
        assert serving.refresh()
        with serving.hold() as new:
            assert new.release.id == other.id
            assert new.catalogue is old.catalogue
            assert new.recommender.ranker is not old.recommender.ranker
        assert not closed
    assert closed
    serving.stop()


def test_a_bad_release_is_refused_and_the_old_one_serves_on(own):
    made = variants(own.home)
    made.releases.swap(made.without.id)
    serving = Serving(settings_of(own.home))
    serving.refresh()
    broken = ArtifactStore(own.home).folder("ranker", made.other.lineage["ranker"]) / "model.txt"
    made.releases.swap(made.other.id)
    broken.write_text(broken.read_text() + "\n")  # after the pointer moved: an edited file
    assert not serving.refresh()
    assert "edited" in serving.refused[made.other.id] or "torn" in serving.refused[made.other.id]
    with serving.hold() as snapshot:
        assert snapshot.release.id == made.without.id
    assert not serving.refresh()  # it is not tried again and again
    serving.stop()


def test_without_a_release_it_is_not_ready_and_says_why(tmp_path):
    serving = Serving(settings_of(tmp_path))
    assert not serving.refresh()
    with pytest.raises(ServiceError) as refused, serving.hold():
        pass
    assert refused.value.status == 503
    assert Releases(ArtifactStore(tmp_path)).live() is None
