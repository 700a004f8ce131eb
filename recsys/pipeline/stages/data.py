"""From raw files to features and embeddings, offline and online."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recsys.artifacts.store import Draft
from recsys.errors import StageError, extra
from recsys.pipeline import marks
from recsys.pipeline.moments import NAMES, SERVE, RunMoments
from recsys.pipeline.stage import Context
from recsys.results import database, erasures
from recsys.scrub import leave_out
from recsys.settings import CutSettings
from recsys.tables import read_table

with extra("features"):
    from pyspark.sql import DataFrame

    from features import cuts, history, moments
    from features import embeddings as embedding
    from features.ingest import ingest as read_raw
    from features.repo.views import VIEWS
    from features.timeline import in_memory

FILLED = "views.txt"
DAY = timedelta(days=1)
PROFILES = "user_profile"
EVER = datetime(1970, 1, 1, tzinfo=UTC)


def ingest(context: Context, draft: Draft) -> None:
    """Read raw files into canonical tables."""
    if context.raw is None:
        raise StageError("no raw files", where="ingest", fix="give --reviews and --items")
    report = read_raw(
        context.spark,
        context.raw.reviews,
        context.raw.items,
        draft.path,
        quarantine_out=context.store.home / "quarantine" / draft.manifest.version,
        format=context.raw.format,
        max_bad_share=context.settings.features.ingest.max_bad_share,
        now=datetime.now(UTC),
        progress=context.progress("ingest"),
    )
    keep_out_erased(context, draft.path / "purchases")
    draft.describe(metrics=report.as_dict())


def keep_out_erased(context: Context, purchases: Path) -> None:
    """Who asked to be erased is not read in again."""
    leave_out(purchases, erasures.erased(database.of(context.settings)))


def features(context: Context, draft: Draft) -> None:
    """Compute the features at each moment, and what is to be predicted there."""
    spark, settings = context.spark, context.settings
    purchases = spark.read.parquet(str(context.path("tables") / "purchases"))
    listed = spark.read.parquet(str(context.path("tables") / "items"))
    capped = 0
    with _cuts(purchases, settings.cuts) as taken, in_memory(listed) as items:
        for done, cut in enumerate(taken, start=1):
            capped = history.write_moment(
                cut, items, settings=settings.features.history, out=draft.path
            )
            context.observer.progress("features", done, len(taken))
    when = {cut.name: cut.as_of for cut in taken}
    moment = {name: when.get(name, taken[-1].as_of) for name in NAMES}
    run_moments = RunMoments(**moment, protocol=settings.cuts.protocol, mode=settings.cuts.mode)
    run_moments.write(draft.path)
    draft.describe(
        metrics={name: str(when[name]) for name in run_moments.names} | {"capped_shoppers": capped},
        data_cut=run_moments.serve.isoformat(),
    )


@contextmanager
def _cuts(purchases: DataFrame, settings: CutSettings) -> Iterator[list[cuts.Cut]]:
    """Cut by the protocol of the settings; what its cuts share is in memory meanwhile."""
    if settings.protocol == "temporal":
        chosen = moments.choose(
            purchases,
            holdout_share=settings.holdout_share,
            validate_share=settings.validate_share,
            label_share=settings.label_share,
        )
        yield cuts.temporal(purchases, chosen)
        return
    with in_memory(cuts.numbered(purchases)) as numbered:
        yield cuts.leave_one_out(numbered, settings.mode)


def embeddings(context: Context, draft: Draft) -> None:
    """Embed items and shoppers, by the encoder of the settings."""
    from personalizer.cache import CachedEncoder
    from personalizer.encoder import TextEncoder

    settings = context.settings
    encoder = CachedEncoder(
        TextEncoder(settings.personalizer.encoder),
        context.store.home / "cache" / "embeddings.sqlite",
    )
    run_moments = RunMoments.read(context.path("features"))
    vectors = embedding.embed_items(
        read_table(context.path("tables") / "items", ["item_id", "title", "categories"]),
        encoder.encode,
        encoder.version,
        seed=settings.seed,
        as_of=run_moments.serve,
        out=draft.path,
        progress=context.progress("embeddings"),
    )
    for name in run_moments.names:
        embedding.write_user_embeddings(
            read_table(context.path("features") / name / "user_history"),
            draft.path,
            half_life=settings.features.embedding.half_life_purchases,
            as_of=getattr(run_moments, name),
            out=draft.path / name / "user_embedding",
        )
    draft.describe(metrics={"items": len(vectors), "encoder": encoder.version})


def store(context: Context, draft: Draft) -> None:
    """Apply the feature definitions and bring the features that serve online."""
    moments_of_run = RunMoments.read(context.path("features"))
    if SERVE not in moments_of_run.names:
        raise StageError(
            f"nothing to serve at: by {moments_of_run.protocol} each shopper has her own moment",
            where="store",
            fix="use `tailor evaluate ranking`, or set cuts.protocol to temporal",
        )
    from features.quality.late import LATE, stored
    from features.store import FeatureRepo

    offline = _offline(context)
    for view in LATE:
        if (offline / view).exists():
            stored(offline / view, view)
    repo = FeatureRepo(context.store.home / "feast", context.settings.features.store)
    moment, before = moments_of_run.serve, marks.moment(context)
    marks.begin(context, moment)
    repo.apply(offline)
    views = [view for view in VIEWS if (offline / view).exists()]
    written = 0
    for view in views:
        written += repo.materialize(
            # a profile is dated by the last purchase it saw, whenever that was
            EVER if view == PROFILES else moment - DAY,
            moment + DAY,
            [view],
            # other data, if they end before what is online: not to be mixed with these
            replace=before is not None and before > moment,
        )
        context.observer.progress("store", views.index(view) + 1, len(views))
    (draft.path / FILLED).write_text("\n".join(views) + "\n", encoding="utf-8")
    marks.finish(context, draft.manifest.version, moment)
    draft.describe(metrics={"views": len(views), "as_of": str(moment), "written": written})


def _offline(context: Context) -> Path:
    """One folder of views for Feast, by links that move with the artifacts at hand."""
    offline = context.store.home / "feast" / "offline"
    offline.mkdir(parents=True, exist_ok=True)
    for view in VIEWS:
        (offline / view).unlink(missing_ok=True)
        for artifact in context.inputs.values():
            for folder in (artifact.path / SERVE / view, artifact.path / view):
                if folder.is_dir():
                    (offline / view).symlink_to(folder)
                    break
    return offline
