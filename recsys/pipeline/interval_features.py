"""The features at the end of an interval: from those before it at a day's cost, else from all.

The moments that models learn from stay as they are; the next training chooses them anew. Both ways
give the same to the last digit, so which one was taken shows in nothing but time.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from recsys.artifacts import Artifact
from recsys.artifacts.store import Draft
from recsys.errors import extra
from recsys.pipeline import lineage as lineages
from recsys.pipeline.interval import CHAIN, ROOT, TABLES, Interval, link_tree, made
from recsys.pipeline.lineage import Lineage
from recsys.pipeline.lock import making
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.observer import Observer
from recsys.pipeline.stage import Context, code_digest
from recsys.pipeline.stages import STAGES
from recsys.pipeline.step import PATIENCE, opened
from recsys.settings import Settings, dump

with extra("features"):
    from pyspark.sql import SparkSession

__all__ = ["counted_alike", "features"]

FEATURES = "features"
_SERVE = ("serve", "links")
_TABLES = ("purchases", "items")


def features(
    settings: Settings,
    lineage: Mapping[str, str],
    interval: Interval,
    *,
    observer: Observer | None = None,
) -> Lineage:
    """Bring the features to the end of the tables; returns the lineage with them."""
    before = lineages.of_data(settings)[FEATURES]
    inputs = {TABLES: lineage[TABLES], FEATURES: before}
    with (
        making(settings.home.resolve(), FEATURES, wait=PATIENCE),
        opened(settings, inputs, observer) as context,
    ):
        standing = context.inputs[FEATURES]
        moments = RunMoments.read(standing.path)
        end = max(_end(context.inputs[TABLES], moments.serve), interval.end)
        taught = str(standing.manifest.parameters.get("taught", standing.version))
        recipe = {
            "taught": taught,
            "end": end.isoformat(),
            "code": _code(),
            TABLES: lineage[TABLES],
            **_counting(settings),
        }
        made_of = {TABLES: lineage[TABLES]}

        def fill(draft: Draft) -> None:
            _fill(context, standing, replace(moments, serve=end), draft)

        artifact = made(context, FEATURES, recipe, made_of, fill)
    return {**lineage, FEATURES: artifact.version}


def _end(tables: Artifact, serve: datetime) -> datetime:
    """Where the data end: the last interval's end, or what served before there were any."""
    if CHAIN not in tables.manifest.parameters:
        return serve
    return datetime.fromisoformat(tables.manifest.data_cut)


def counted_alike(standing: Artifact, settings: Settings) -> bool:
    """Whether the standing features were counted by this code and these settings.

    Otherwise no day can be added to them: the sum would be neither the one nor the other.
    """
    told = standing.manifest
    trained = next(stage for stage in STAGES if stage.kind == FEATURES)
    code = {_code(), code_digest(*trained.code, trained.module)}
    alike = all(told.parameters.get(key) == value for key, value in _counting(settings).items())
    return alike and told.code in code


def _code() -> str:
    return code_digest(FEATURES, __name__)


def _counting(settings: Settings) -> dict[str, Any]:
    return {k: v for k, v in dump(settings).items() if k.startswith("features.history.")}


def _fill(context: Context, standing: Artifact, moments: RunMoments, draft: Draft) -> None:
    from features.cuts import serving
    from features.daily import Step, advance
    from features.history import write_moment
    from features.timeline import in_memory

    for folder in sorted(standing.path.iterdir()):
        if folder.is_dir() and folder.name not in _SERVE:
            link_tree(folder, draft.path / folder.name)
    tables, settings = context.inputs[TABLES].path, context.settings.features.history
    start, end = RunMoments.read(standing.path).serve, moments.serve
    news = start < end and _follows(context, standing, context.inputs[TABLES])

    def a_day(spark: SparkSession) -> None:
        purchases, items = (spark.read.parquet(str(tables / part)) for part in _TABLES)
        step = Step(start, end, purchases, items, items)
        advance(step, standing.path, settings, draft.path)

    if news and counted_alike(standing, context.settings):
        context.a_day(a_day)
    else:
        purchases, items = (context.spark.read.parquet(str(tables / part)) for part in _TABLES)
        with in_memory(items) as held:
            write_moment(serving(purchases, moments.serve), held, settings=settings, out=draft.path)
    moments.write(draft.path)
    draft.describe(metrics={"serve": str(moments.serve)}, data_cut=moments.serve.isoformat())


def _follows(context: Context, standing: Artifact, tables: Artifact) -> bool:
    """Whether the tables only add what became known after the standing features."""
    told, had = tables.manifest.parameters, standing.manifest.inputs.get(TABLES, "")
    if told.get(ROOT) == had:
        chain: dict[str, str] = {}
    else:
        known = context.store.open(TABLES, had).manifest.parameters if had else {}
        if known.get(ROOT, "") != told.get(ROOT):
            return False
        chain = known.get(CHAIN, {})
    new = {key: version for key, version in told.get(CHAIN, {}).items() if key not in chain}
    same = all(told[CHAIN].get(key) == version for key, version in chain.items())
    serve = RunMoments.read(standing.path).serve
    starts = [Interval.parse(key.partition("-")[0], key.partition("-")[2]).start for key in new]
    return same and all(start >= serve for start in starts)
