"""`manifest.json`: what an artifact was made of, and the digest of each of its files."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from recsys.artifacts.files import sha256_of, sync, write_atomically
from recsys.errors import ArtifactError

NAME = "manifest.json"
_REBUILD = (
    "build it again with `tailor run`, or serve an earlier one with `tailor release rollback`"
)


@dataclass(frozen=True)
class Manifest:
    """Everything needed to trust an artifact and to make it again."""

    kind: str
    version: str
    created_at: str
    code: str
    inputs: dict[str, str]
    parameters: dict[str, Any]
    data_cut: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of an artifact folder."""
        path = folder / NAME
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise ArtifactError("manifest missing", where=str(path), fix=_REBUILD) from error
        except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
            raise ArtifactError(f"manifest torn: {error}", where=str(path), fix=_REBUILD) from error

    def write(self, folder: Path) -> None:
        """Write the manifest; the last file an artifact gets."""
        write_atomically(folder / NAME, json.dumps(asdict(self), indent=1, sort_keys=True))

    def verify(self, folder: Path) -> None:
        """Refuse a folder whose files are not exactly those that were written."""
        present = {relative for relative, _ in _files(folder)}
        if missing := sorted(self.files.keys() - present):
            raise ArtifactError("file missing", where=str(folder / missing[0]), fix=_REBUILD)
        if foreign := sorted(present - self.files.keys()):
            raise ArtifactError(
                "file does not belong to the artifact", where=str(folder / foreign[0]), fix=_REBUILD
            )
        for relative, expected in self.files.items():
            _check(folder / relative, expected)


def _check(path: Path, expected: dict[str, Any]) -> None:
    size = path.stat().st_size
    if size != expected["bytes"]:
        raise ArtifactError(
            f"file torn: {size} bytes instead of {expected['bytes']}", where=str(path), fix=_REBUILD
        )
    if sha256_of(path) != expected["sha256"]:
        raise ArtifactError("file edited: its sha256 differs", where=str(path), fix=_REBUILD)


def _files(folder: Path) -> list[tuple[str, Path]]:
    return sorted(
        (path.relative_to(folder).as_posix(), path)
        for path in folder.rglob("*")
        if path.is_file() and path != folder / NAME
    )


def digest_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and sha256 of every file, each made durable on the way."""
    digests = {}
    for relative, path in _files(folder):
        sync(path)
        digests[relative] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    return digests
