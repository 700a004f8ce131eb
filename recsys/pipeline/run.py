"""`tailor run`: every stage in order, each skipped while what it made still holds."""

import hashlib
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from recsys.artifacts import Artifact, ArtifactStore, Manifest, Releases
from recsys.errors import ArtifactError, StageError
from recsys.pipeline.lock import exclusive
from recsys.pipeline.observer import Observer, Silent
from recsys.pipeline.stage import Context, RawFiles, Stage, code_digest
from recsys.pipeline.stages import STAGES
from recsys.results import database, records
from recsys.settings import Settings, dump

PUBLISH = "publish"
NAMES = (*(stage.name for stage in STAGES), PUBLISH)


@dataclass
class RunResult:
    """What a run did."""

    home: Path
    release: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)


def run(
    settings: Settings,
    *,
    raw: RawFiles | None = None,
    start: str = NAMES[0],
    until: str = PUBLISH,
    observer: Observer | None = None,
    stages: Sequence[Stage] = STAGES,
) -> RunResult:
    """Run the stages from `start` to `until`; stages before `start` are taken as they stand."""
    first, last = _position(start, stages), _position(until, stages)
    store = ArtifactStore(settings.home)
    context = Context(settings, store, observer or Silent(), raw)
    result = RunResult(store.home, artifacts=context.inputs)
    with exclusive(store.home):
        engine = database.of(settings)
        database.upgrade(engine)
        run_id = _start(engine, settings)
        try:
            for position, stage in enumerate(stages[: last + 1]):
                if not any(later.spark for later in stages[position : last + 1]):
                    context.release_spark()
                bring(context, result, stage, as_it_stands=position < first)
            if until == PUBLISH:
                result.release = _publish(context, result, engine)
                _hand_over(settings, context)
        except BaseException as error:
            facts = {**_facts(result), "error": str(error) or type(error).__name__}
            records.finish_run(engine, run_id, status="failed", stages=facts)
            raise
        records.finish_run(engine, run_id, status="succeeded", stages=_facts(result))
        records.record_quarantine(engine, run_id, _quarantined(result))
    return result


def _hand_over(settings: Settings, context: Context) -> None:
    """What was published is the data that scheduled tasks go on from."""
    from recsys.pipeline import lineage

    made = {kind: one.version for kind, one in context.inputs.items()}
    lineage.write(settings, lineage.DATA, {k: made[k] for k in lineage.DATA_KINDS if k in made})


def _start(engine: Engine, settings: Settings) -> str:
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    records.record_run(engine, run_id, settings_digest=_digest(dump(settings)))
    return run_id


def _position(name: str, stages: Sequence[Stage]) -> int:
    names = [*(stage.name for stage in stages), PUBLISH]
    if name not in names:
        raise StageError(f"no stage {name!r}", where="tailor run", fix=f"one of {', '.join(names)}")
    return names.index(name)


def bring(context: Context, result: RunResult, stage: Stage, *, as_it_stands: bool = False) -> None:
    """Have the stage's artifact at hand: as it stands, unchanged, or made now."""
    observer, began = context.observer, time.monotonic()
    observer.event(stage.name, "start")
    if as_it_stands or (not stage.inputs and context.raw is None):
        context.inputs[stage.kind] = _standing(context, stage)
        observer.event(stage.name, "kept")
        result.skipped.append(stage.name)
        return
    version = stage.version(context)
    artifact = _intact(context, stage, version)
    if artifact is None:
        artifact = _make(context, stage, version)
        observer.event(stage.name, "done")
    else:
        context.store.point(stage.kind, version)
        observer.event(stage.name, "skip")
        result.skipped.append(stage.name)
    context.inputs[stage.kind] = artifact
    result.seconds[stage.name] = round(time.monotonic() - began, 2)


def _standing(context: Context, stage: Stage) -> Artifact:
    version = context.store.current(stage.kind)
    if version is None:
        raise StageError(
            f"stage {stage.name!r} has not run yet",
            where=str(context.store.home),
            fix="run `tailor run --reviews FILE… --items FILE…` once",
        )
    return context.store.open(stage.kind, version)


def _intact(context: Context, stage: Stage, version: str) -> Artifact | None:
    try:
        artifact = context.store.open(stage.kind, version)
    except ArtifactError:  # never made, or damaged: make it again
        return None
    return artifact if stage.still_holds(context, artifact) else None


def _make(context: Context, stage: Stage, version: str) -> Artifact:
    manifest = Manifest(
        kind=stage.kind,
        version=version,
        created_at=datetime.now(UTC).isoformat(),
        code=code_digest(*stage.code, stage.module),
        inputs={kind: context.inputs[kind].version for kind in stage.inputs},
        parameters=stage.parameters(context),
    )
    with context.store.create(
        manifest, before_rename=lambda: context.observer.event(stage.name, "written")
    ) as draft:
        stage.run(context, draft)
    return context.store.open(stage.kind, version)


def _publish(context: Context, result: RunResult, engine: Engine) -> str:
    from recsys.pipeline.publish import publish  # pyarrow, which not every stage needs

    began = time.monotonic()
    context.observer.event(PUBLISH, "start")
    release, fresh = publish(context, engine)
    if fresh:
        context.observer.event(PUBLISH, "done", release)
    else:
        rolled_back = release != Releases(context.store).live()
        context.observer.event(
            PUBLISH, "skip", f"{release}{', rolled back from' if rolled_back else ''}"
        )
        result.skipped.append(PUBLISH)
    result.seconds[PUBLISH] = round(time.monotonic() - began, 2)
    return release


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _facts(result: RunResult) -> dict[str, Any]:
    return {"seconds": result.seconds, "skipped": result.skipped}


def _quarantined(result: RunResult) -> dict[tuple[str, str], int]:
    counts = result.artifacts["tables"].manifest.metrics["quarantined"]
    return {(table, why): n for table, reasons in counts.items() for why, n in reasons.items()}
