"""What the online store was last filled from. Light: asked on every run, even when nothing runs."""

from datetime import datetime
from pathlib import Path

from features.online.connect import place
from recsys.artifacts import Artifact
from recsys.artifacts.files import write_atomically
from recsys.pipeline.stage import Context


def begin(context: Context, moment: datetime) -> None:
    """Before filling: until it is done, the store holds a mixture."""
    write_atomically(_path(context), f"{moment.isoformat()}\n")


def finish(context: Context, version: str, moment: datetime) -> None:
    """After filling."""
    write_atomically(_path(context), f"{moment.isoformat()}\n{_mark(context, version)}")


def moment(context: Context) -> datetime | None:
    """Of which moment what was brought online last is, even if that run did not finish."""
    path = _path(context)
    if not path.exists():
        return None
    try:
        return datetime.fromisoformat(path.read_text(encoding="utf-8").partition("\n")[0])
    except ValueError:  # of an earlier version
        return None


def holds(context: Context, artifact: Artifact) -> bool:
    """Whether the online store was last filled from this artifact, and in this place."""
    path = _path(context)
    if not path.exists():
        return False
    filled = path.read_text(encoding="utf-8").partition("\n")[2]
    return filled == _mark(context, artifact.version)


def _path(context: Context) -> Path:
    return context.store.home / "feast" / "filled-from"


def _mark(context: Context, version: str) -> str:
    # the registry holds whole paths: a home that was moved is filled again, and so is another store
    settings = context.settings.features.store
    online = place(settings, context.store.home)
    return f"{version} {context.store.home} {settings.project} {online}\n"
