"""Artifacts are whole or refused; releases swap in one step and survive damage."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.artifacts import Artifact, ArtifactStore, Manifest, Release, Releases
from recsys.errors import ArtifactError, NoReleaseError


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "a home")


def make(store: ArtifactStore, kind: str, version: str, text: str = "content") -> Artifact:
    manifest = Manifest(kind, version, created_at="", code="", inputs={}, parameters={})
    with store.create(manifest) as draft:
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "file.txt").write_text(text)
        draft.describe(metrics={"letters": len(text)})
    return store.open(kind, version)


def publish(releases: Releases, version: str) -> Release:
    make(releases.store, "ranker", version, text=f"model {version}")
    release = releases.draft({"ranker": version}, data_cut="2024-01-01", headline={})
    releases.write(release)
    releases.swap(release.id)
    return release


def test_an_artifact_opens_with_what_was_told_of_it(store: ArtifactStore) -> None:
    artifact = make(store, "ranker", "v1")
    assert artifact.manifest.metrics == {"letters": 7}
    assert list(artifact.manifest.files) == ["deep/file.txt"]
    assert store.current("ranker") == "v1"


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def edit(path: Path) -> None:
    path.write_text("CONTENT")


def add(path: Path) -> None:
    (path.parent / "stranger").write_text("")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (tear, "file torn: 6 bytes instead of 7"),
        (edit, "file edited"),
        (Path.unlink, "file missing"),
        (add, "does not belong"),
    ],
)
def test_a_damaged_artifact_is_refused_and_named(
    store: ArtifactStore, damage: Callable[[Path], None], message: str
) -> None:
    path = make(store, "ranker", "v1").path / "deep" / "file.txt"
    damage(path)
    with pytest.raises(ArtifactError, match=message) as error:
        store.open("ranker", "v1")
    assert str(path.parent) in str(error.value)


def test_a_torn_manifest_is_refused(store: ArtifactStore) -> None:
    artifact = make(store, "ranker", "v1")
    tear(artifact.path / "manifest.json")
    with pytest.raises(ArtifactError, match="manifest torn"):
        store.open("ranker", "v1")


def test_a_failed_build_leaves_nothing(store: ArtifactStore) -> None:
    manifest = Manifest("ranker", "v1", created_at="", code="", inputs={}, parameters={})
    with pytest.raises(ZeroDivisionError), store.create(manifest) as draft:
        (draft.path / "half").write_text(str(1 / 0))
    assert store.versions("ranker") == []
    assert list(store.folder("ranker").iterdir()) == []


def test_a_damaged_version_is_replaced_by_building_it_again(store: ArtifactStore) -> None:
    edit(make(store, "ranker", "v1").path / "deep" / "file.txt")
    assert make(store, "ranker", "v1").version == "v1"


def test_nothing_published_says_what_to_do(store: ArtifactStore) -> None:
    with pytest.raises(NoReleaseError, match="tailor run"):
        Releases(store).serving()


def test_a_damaged_release_is_refused_and_the_one_before_it_serves(store: ArtifactStore) -> None:
    releases = Releases(store)
    first, second = publish(releases, "v1"), publish(releases, "v2")
    assert releases.serving().release == second
    edit(store.folder("ranker", "v2") / "deep" / "file.txt")
    serving = releases.serving()
    assert serving.release == first
    assert "file torn" in serving.refused[second.id]


def test_an_edited_release_file_is_refused(store: ArtifactStore) -> None:
    releases = Releases(store)
    first, second = publish(releases, "v1"), publish(releases, "v2")
    path = releases.folder / f"{second.id}.json"
    path.write_text(path.read_text().replace("2024-01-01", "2030-01-01"))
    with pytest.raises(ArtifactError, match="release file edited"):
        releases.read(second.id)
    assert releases.serving().release == first


def test_when_nothing_intact_is_left_the_error_says_why(store: ArtifactStore) -> None:
    releases = Releases(store)
    publish(releases, "v1")
    edit(store.folder("ranker", "v1") / "deep" / "file.txt")
    with pytest.raises(NoReleaseError, match="file torn"):
        releases.serving()


def test_rollback_serves_the_release_before_and_remembers_the_newest(store: ArtifactStore) -> None:
    releases = Releases(store)
    first, second = publish(releases, "v1"), publish(releases, "v2")
    assert releases.rollback() == first
    assert releases.live() == first.id
    assert releases.newest() == second.id
    with pytest.raises(NoReleaseError, match="no release before"):
        releases.rollback()
    assert releases.rollback(second.id) == second


def test_rollback_refuses_a_damaged_release(store: ArtifactStore) -> None:
    releases = Releases(store)
    first, second = publish(releases, "v1"), publish(releases, "v2")
    edit(store.folder("ranker", "v1") / "deep" / "file.txt")
    with pytest.raises(ArtifactError):
        releases.rollback(first.id)
    assert releases.live() == second.id


def test_a_release_written_but_never_swapped_is_not_finished(store: ArtifactStore) -> None:
    releases = Releases(store)
    publish(releases, "v1")
    make(store, "ranker", "v2")
    unfinished = releases.draft({"ranker": "v2"}, data_cut="", headline={})
    releases.write(unfinished)
    assert not releases.finished(unfinished.id)
    assert releases.with_lineage({"ranker": "v2"}) == unfinished.id


def test_an_unknown_release_is_named(store: ArtifactStore) -> None:
    with pytest.raises(NoReleaseError, match="'nope'"):
        Releases(store).read("nope")
