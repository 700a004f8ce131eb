"""What the online store was last filled from. Light: asked on every run, even when nothing runs."""

from pathlib import Path

from features.online.connect import place
from recsys.artifacts import Artifact
from recsys.artifacts.files import write_atomically
from recsys.pipeline.stage import Context


def clear(context: Context) -> None:
    """Before filling: until it is done, the store holds a mixture."""
    _path(context).unlink(missing_ok=True)


def write(context: Context, version: str) -> None:
    """After filling."""
    write_atomically(_path(context), _mark(context, version))


def holds(context: Context, artifact: Artifact) -> bool:
    """Whether the online store was last filled from this artifact, and in this place."""
    path = _path(context)
    return path.exists() and path.read_text(encoding="utf-8") == _mark(context, artifact.version)


def _path(context: Context) -> Path:
    return context.store.home / "feast" / "filled-from"


def _mark(context: Context, version: str) -> str:
    # the registry holds whole paths: a home that was moved is filled again, and so is another store
    settings = context.settings.features.store
    online = place(settings, context.store.home)
    return f"{version} {context.store.home} {settings.project} {online}\n"
