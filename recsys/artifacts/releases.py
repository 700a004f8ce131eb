"""Releases: a set of artifact versions that serve together, behind one pointer."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from recsys.artifacts.files import write_atomically
from recsys.artifacts.store import Artifact, ArtifactStore
from recsys.errors import ArtifactError, NoReleaseError

_POINTER = "current"
_FIX = "publish again with `tailor run`, or go back with `tailor release rollback`"


@dataclass(frozen=True)
class Release:
    """What serves: the lineage maps each kind of artifact to its version."""

    id: str
    created_at: str
    data_cut: str
    lineage: dict[str, str]
    headline: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """The lineage key: two answers with the same key came from the same everything."""
        return lineage_key(self.lineage)


@dataclass(frozen=True)
class Serving:
    """An intact release with its artifacts, and why later ones were passed over."""

    release: Release
    artifacts: dict[str, Artifact]
    refused: dict[str, str]


def lineage_key(lineage: dict[str, str]) -> str:
    """A short digest of a lineage."""
    return _digest(lineage)[:16]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class Releases:
    """All releases of one home and the pointer to the live one."""

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self.folder = store.home / "releases"

    def ids(self) -> list[str]:
        """All releases, oldest first."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def live(self) -> str | None:
        """The release the pointer names."""
        return self._pointer()[0]

    def newest(self) -> str | None:
        """The newest release that ever served: another than the live one after a rollback."""
        return self._pointer()[1]

    def finished(self, release_id: str) -> bool:
        """Whether a publish got past this release; if not, it was cut off before its last step."""
        return release_id <= (self.newest() or "")

    def _pointer(self) -> tuple[str | None, str | None]:
        """The live release, and the newest that ever was: they differ after a rollback."""
        pointer = self.folder / _POINTER
        if not pointer.exists():
            return None, None
        live, newest = pointer.read_text(encoding="utf-8").split()
        return live, newest

    def read(self, release_id: str) -> Release:
        """Read one release; its own digest must match."""
        path = self.folder / f"{release_id}.json"
        if release_id not in self.ids():
            raise NoReleaseError(
                f"no release {release_id!r}", where=str(self.folder), fix="`tailor release list`"
            )
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            expected = document.pop("sha256")
            intact = expected == _digest(document)
            release = Release(**document)
        except (
            json.JSONDecodeError,
            UnicodeDecodeError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            raise ArtifactError("release file torn", where=str(path), fix=_FIX) from error
        if not intact:
            raise ArtifactError("release file edited", where=str(path), fix=_FIX)
        return release

    def open(self, release_id: str) -> tuple[Release, dict[str, Artifact]]:
        """Open a release after checking every file of every artifact in it."""
        release = self.read(release_id)
        return release, {
            kind: self.store.open(kind, version) for kind, version in release.lineage.items()
        }

    def serving(self) -> Serving:
        """Open the live release or, when it is damaged, the newest intact one before it."""
        live = self.live()
        if live is None:
            raise NoReleaseError(
                "nothing has been published yet", where=str(self.folder), fix="run `tailor run`"
            )
        refused: dict[str, str] = {}
        for release_id in reversed([known for known in self.ids() if known <= live]):
            try:
                release, artifacts = self.open(release_id)
            except ArtifactError as error:
                refused[release_id] = str(error)
            else:
                return Serving(release, artifacts, refused)
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items()) or f"{live} is gone"
        raise NoReleaseError(
            f"no intact release is left: {reasons}", where=str(self.folder), fix="run `tailor run`"
        )

    def with_lineage(self, lineage: dict[str, str]) -> str | None:
        """The release made of exactly these artifacts, if there is one."""
        for release_id in reversed(self.ids()):
            try:
                if self.read(release_id).lineage == lineage:
                    return release_id
            except ArtifactError:
                continue
        return None

    def draft(self, lineage: dict[str, str], *, data_cut: str, headline: dict[str, Any]) -> Release:
        """Name a new release; ids sort by the moment of their making."""
        now = datetime.now(UTC)
        release_id = f"{now:%Y%m%dT%H%M%S%f}"[:-3] + f"-{lineage_key(lineage)[:8]}"
        return Release(release_id, now.isoformat(), data_cut, lineage, headline)

    def write(self, release: Release) -> None:
        """Put a release on disk, not live yet."""
        document = asdict(release)
        document["sha256"] = _digest(document)
        text = json.dumps(document, indent=1, sort_keys=True)
        write_atomically(self.folder / f"{release.id}.json", text)

    def swap(self, release_id: str) -> None:
        """Make a release the live one: one atomic step, after checking it whole."""
        self.open(release_id)
        newest = max(release_id, self._pointer()[1] or "")
        write_atomically(self.folder / _POINTER, f"{release_id}\n{newest}\n")

    def before(self, release_id: str) -> str:
        """The release made just before another."""
        earlier = [known for known in self.ids() if known < release_id]
        if not earlier:
            raise NoReleaseError(
                f"there is no release before {release_id}",
                where=str(self.folder),
                fix="`tailor release list` shows what there is",
            )
        return earlier[-1]

    def rollback(self, release_id: str | None = None) -> Release:
        """Serve an earlier release (by default the one before the live one)."""
        live = self.live()
        if live is None:
            raise NoReleaseError(
                "nothing has been published yet", where=str(self.folder), fix="run `tailor run`"
            )
        target = release_id or self.before(live)
        self.swap(target)
        return self.read(target)
