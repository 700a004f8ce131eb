"""Which versions belong together: what the days' data are, what a candidate is made of.

A release is a lineage that serves. Between two releases there are lineages that do not serve yet:
the data of the last interval, and models that wait for a verdict. Each is one small file, replaced
in one step, so that a task takes all of its inputs from one place, or from its arguments.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from recsys.artifacts import ArtifactStore, Releases
from recsys.artifacts.files import write_atomically
from recsys.errors import StageError
from recsys.pipeline.stages import STAGES
from recsys.settings import Settings

__all__ = ["CANDIDATE", "DATA", "DATA_KINDS", "MODEL_KINDS", "Lineage", "of_data", "read", "write"]

Lineage = dict[str, str]
"""Kind of artifact -> version."""
DATA, CANDIDATE = "data", "candidate"
MODEL_KINDS = ("ranker", "lm", "hypernet", "blend", "decision")
"""What is trained: it changes when a candidate is published, not with every day."""
_MADE_OF_BOTH = ("lists", "report", "preference")
DATA_KINDS = tuple(
    stage.kind for stage in STAGES if stage.kind not in (*MODEL_KINDS, *_MADE_OF_BOTH)
)


def write(settings: Settings, name: str, lineage: Mapping[str, str]) -> None:
    """Put a lineage in the place of the one before."""
    write_atomically(_path(settings, name), json.dumps(dict(lineage), indent=1, sort_keys=True))


def read(settings: Settings, name: str) -> Lineage | None:
    """Read a lineage; none where none was written."""
    path = _path(settings, name)
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def live(settings: Settings) -> Lineage:
    """What the live release is made of."""
    releases = Releases(ArtifactStore(settings.home))
    name = releases.live()
    if name is None:
        raise StageError(
            "nothing has been published in this home",
            where=str(releases.store.home),
            fix="once, run `tailor run --reviews FILE… --items FILE…` (or `tailor demo`)",
        )
    return dict(releases.read(name).lineage)


def of_data(settings: Settings) -> Lineage:
    """The data as the last interval left them, else those of the live release."""
    found = read(settings, DATA) or live(settings)
    return {kind: found[kind] for kind in DATA_KINDS if kind in found}


def _path(settings: Settings, name: str) -> Path:
    return settings.home.resolve() / "lineage" / f"{name}.json"
