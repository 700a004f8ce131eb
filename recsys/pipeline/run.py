"""`tailor run`: every stage in order, each skipped while what it made still holds."""

from dataclasses import dataclass, field

from recsys.artifacts import Artifact, ArtifactStore
from recsys.pipeline.lock import exclusive
from recsys.pipeline.observer import Observer, Silent
from recsys.pipeline.stage import Context, RawFiles
from recsys.pipeline.stages import STAGES
from recsys.results import database, writer
from recsys.settings import Settings

PUBLISH = "publish"
NAMES = (*(stage.name for stage in STAGES), PUBLISH)


@dataclass
class RunResult:
    """What a run did."""

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
    force: bool = False,
    observer: Observer | None = None,
) -> RunResult:
    """Run the stages from `start` to `until`; stages before `start` are taken as they stand."""
    _known(start), _known(until)
    store = ArtifactStore(settings.home)
    context = Context(settings, store, observer or Silent(), raw)
    with exclusive(store.home):
        engine = database.connect(database.url_of(settings))
        database.upgrade(engine)
        run_id = writer.start_run(engine, settings_digest=_settings_digest(settings))
        result = RunResult()
        try:
            _run_stages(context, result, NAMES.index(start), NAMES.index(until), force)
            if until == PUBLISH:
                result.release = _publish(context, result, engine)
        except BaseException as error:
            writer.finish_run(engine, run_id, status="failed", stages=_facts(result, error))
            raise
        writer.finish_run(engine, run_id, status="succeeded", stages=_facts(result))
        _record_quarantine(engine, run_id, context)
    return result
