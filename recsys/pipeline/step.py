"""One stage on exactly these inputs: what a scheduled task runs, again and again if need be.

A stage's version follows from its inputs, settings and code, so a task that is retried, cleared or
run twice at once makes the same artifact once.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from recsys.artifacts import ArtifactStore
from recsys.errors import StageError
from recsys.pipeline.lineage import Lineage
from recsys.pipeline.lock import making
from recsys.pipeline.observer import Observer, Silent
from recsys.pipeline.run import RunResult, bring
from recsys.pipeline.stage import Context, Stage
from recsys.pipeline.stages import STAGES
from recsys.results import database
from recsys.settings import Settings

PATIENCE = 3_600.0
"""Seconds that a task waits for another one that makes the same kind of artifact."""


def stage_of(name: str) -> Stage:
    """A stage by its name."""
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise StageError(f"no stage {name!r}", fix=", ".join(stage.name for stage in STAGES))


@contextmanager
def opened(
    settings: Settings, lineage: Mapping[str, str], observer: Observer | None = None
) -> Iterator[Context]:
    """A context whose inputs are a lineage, every file checked; Spark ends with it."""
    store = ArtifactStore(settings.home)
    inputs = {kind: store.open(kind, version) for kind, version in lineage.items()}
    context = Context(settings, store, observer or Silent(), inputs=inputs)
    try:
        yield context
    finally:
        context.release_spark()


def step(
    settings: Settings,
    name: str,
    lineage: Mapping[str, str],
    *,
    observer: Observer | None = None,
    wait: float = PATIENCE,
) -> Lineage:
    """Run a stage on a lineage; returns the lineage with what it made."""
    stage = stage_of(name)
    database.upgrade(database.of(settings))
    needed = {kind: lineage[kind] for kind in stage.inputs if kind in lineage}
    with (
        making(settings.home.resolve(), stage.kind, wait=wait),
        opened(settings, needed, observer) as context,
    ):
        result = RunResult(context.store.home, artifacts=context.inputs)
        bring(context, result, stage)
        return {**lineage, stage.kind: context.inputs[stage.kind].version}
