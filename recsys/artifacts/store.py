"""Where artifacts live: written aside, checked, then renamed into place."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from recsys.artifacts.files import link_atomically, sync
from recsys.artifacts.manifest import Manifest, digest_files
from recsys.errors import ArtifactError

# these two are what people come to look at; everything else is under artifacts/
_AT_TOP = {"tables", "features"}
_CURRENT = "current"


@dataclass(frozen=True)
class Artifact:
    """One immutable folder and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def kind(self) -> str:
        """What it is: tables, features, index, ranker and so on."""
        return self.manifest.kind

    @property
    def version(self) -> str:
        """Its version: a digest of inputs, parameters and code."""
        return self.manifest.version


class Draft:
    """An artifact in the making: a folder to fill, and what to tell of it."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest

    def describe(self, *, metrics: dict[str, object], data_cut: str = "") -> None:
        """Record what was measured while making it."""
        self.manifest = replace(self.manifest, metrics=metrics, data_cut=data_cut)


class ArtifactStore:
    """All artifacts of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()

    def folder(self, kind: str, version: str = "") -> Path:
        """Where a kind, or one version of it, lives."""
        base = self.home if kind in _AT_TOP else self.home / "artifacts"
        return base / kind / version

    def open(self, kind: str, version: str) -> Artifact:
        """Open a version after checking every file of it."""
        path = self.folder(kind, version)
        manifest = Manifest.read(path)
        if (manifest.kind, manifest.version) != (kind, version):
            raise ArtifactError(
                f"manifest is of {manifest.kind} {manifest.version}",
                where=str(path),
                fix="the folder was moved or renamed; build it again with `tailor run`",
            )
        manifest.verify(path)
        return Artifact(path, manifest)

    def versions(self, kind: str) -> list[str]:
        """All finished versions of a kind, intact or not."""
        folder = self.folder(kind)
        if not folder.is_dir():
            return []
        return sorted(
            path.name
            for path in folder.iterdir()
            if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
        )

    def current(self, kind: str) -> str | None:
        """The version built last, released or not."""
        link = self.folder(kind) / _CURRENT
        return link.readlink().name if link.is_symlink() else None

    def point(self, kind: str, version: str) -> None:
        """Make a version the one built last."""
        link_atomically(self.folder(kind) / _CURRENT, version)

    @contextmanager
    def create(
        self, manifest: Manifest, before_rename: Callable[[], None] = lambda: None
    ) -> Iterator[Draft]:
        """Fill a folder aside; it takes its place, whole, when the block ends well."""
        target = self.folder(manifest.kind, manifest.version)
        aside = target.with_name(f".{manifest.version}.{uuid.uuid4().hex[:8]}")
        self._sweep(target.parent)
        aside.mkdir(parents=True)
        draft = Draft(aside, manifest)
        try:
            yield draft
            replace(draft.manifest, files=digest_files(aside)).write(aside)
            before_rename()
            self._take_place(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        self.point(manifest.kind, manifest.version)

    def _take_place(self, aside: Path, target: Path) -> None:
        if target.exists():  # what stood here was refused, or it would have been reused
            target.rename(target.with_name(f".refused.{target.name}.{uuid.uuid4().hex[:8]}"))
        aside.rename(target)
        sync(target.parent)

    @staticmethod
    def _sweep(folder: Path) -> None:
        """Remove drafts that a killed run left behind. The home's lock makes this safe."""
        if folder.is_dir():
            for left in folder.glob(".*"):
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left, ignore_errors=True)
