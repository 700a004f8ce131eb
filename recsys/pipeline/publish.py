"""Publish: everything a release needs is in place before one pointer moves.

A kill at any step leaves the live release as it was: the lists of an unfinished release carry its
id, and readers ask only for those of the release the pointer names.
"""

import shutil
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from recsys.artifacts import Release, Releases
from recsys.errors import StageError, extra
from recsys.listing import LISTS, shopper_lists
from recsys.pipeline.batch.shards import work_folder
from recsys.pipeline.stage import Context
from recsys.results import records, writer

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.parquet as pq

STAGE = "publish"


Interval = tuple[datetime, datetime]


def publish(context: Context, engine: Engine, interval: Interval | None = None) -> tuple[str, bool]:
    """Make the artifacts at hand the live release; returns its id and whether it is new."""
    _refuse_unproved(context)
    releases = Releases(context.store)
    lineage = {kind: artifact.version for kind, artifact in context.inputs.items()}
    known = releases.with_lineage(lineage)
    # live already, or rolled back from on purpose: a run over the same inputs does not undo that
    if known is not None and known in {releases.live(), releases.newest()}:
        if not records.has_release(engine, known):  # another results database than it went to
            _write_results(context, engine, releases, releases.read(known), interval)
        _note(engine, known, lineage, interval)
        _clear(context, lineage)
        return known, False
    # one that was written but never swapped in comes from a killed publish: finish it; one that
    # served before others did comes back under a new name, so that ids stay in order of serving
    unfinished = known is not None and not releases.finished(known)
    release = releases.read(known) if known and unfinished else _draft(context, releases, lineage)
    _write_results(context, engine, releases, release, interval)
    _serve_online(context, release)
    releases.write(release)
    context.observer.event(STAGE, "release written")
    releases.swap(release.id)
    context.observer.event(STAGE, "pointer swapped")
    _note(engine, release.id, lineage, interval)
    _clear(context, lineage)
    return release.id, True


def _clear(context: Context, lineage: dict[str, str]) -> None:
    """Remove the shards that the lists were put together from."""
    shutil.rmtree(work_folder(context.store.home, lineage["lists"]), ignore_errors=True)


def _note(
    engine: Engine, release_id: str, lineage: dict[str, str], interval: Interval | None
) -> None:
    """Note that a release is out; it takes the place of others for its interval."""
    records.record_release(
        engine, release_id, status=records.PUBLISHED, lineage=lineage, interval=interval
    )
    records.supersede(engine, release_id)


def _refuse_unproved(context: Context) -> None:
    """A language model that counts in the lists must be proved to be personal."""
    weight = context.inputs["blend"].manifest.metrics["lm_weight"]
    proof = context.inputs["hypernet"].manifest.metrics.get("proof", {})
    if weight > 0 and not proof.get("proved"):
        raise StageError(
            f"the hypernetwork has weight {weight:g} and is not proved to be personal: "
            f"{proof.get('why', 'no proof was made')}",
            where=f"stage {STAGE!r}",
            fix="train it longer (personalizer.hypernet.steps), or go on from the stage `hypernet`",
        )


def _draft(context: Context, releases: Releases, lineage: dict[str, str]) -> Release:
    return releases.draft(
        lineage,
        data_cut=context.inputs["features"].manifest.data_cut,
        headline=context.inputs["report"].manifest.metrics["headline"] | _language_model(context),
    )


def _language_model(context: Context) -> dict[str, Any]:
    """Its weight in the lists, and why it is left out if so."""
    told = context.inputs["blend"].manifest.metrics
    left_out = told.get("lm_left_out", "")
    why = {"language model left out": left_out} if left_out else {}
    return {"language model weight": told["lm_weight"], **why}


def _write_results(
    context: Context,
    engine: Engine,
    releases: Releases,
    release: Release,
    interval: Interval | None,
) -> None:
    records.forget_unfinished(engine, finished=[*releases.ids(), release.id])
    records.record_release(
        engine,
        release.id,
        status=records.PUBLISHING,
        lineage=release.lineage,
        interval=interval,
    )
    writer.write_lists(engine, release.id, shopper_lists(context.path("lists")))
    records.record_report(engine, release.id, headline=release.headline)
    context.observer.event(STAGE, "lists in the results database")


def _serve_online(context: Context, release: Release) -> None:
    """Put the lists into the feature store, each under the id of its release."""
    from features.store import FeatureRepo

    settings = context.settings.features.store
    repo = FeatureRepo(context.store.home / "feast", settings)
    lists = pq.read_table(context.path("lists") / LISTS)
    count = lists.num_rows
    moment = lists["event_timestamp"]
    repo.write_recommendations(
        pa.table(
            {
                "user_id": lists["user_id"],
                "event_timestamp": moment,
                "item_ids": lists["item_ids"],
                "scores": lists["scores"],
                "release": pa.array([release.id] * count, pa.string()),
            }
        )
    )
    context.observer.event(STAGE, "lists online")
