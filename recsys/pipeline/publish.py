"""Publish: everything a release needs is in place before one pointer moves.

A kill at any step leaves the live release as it was: the lists of an unfinished release carry its
id, and readers ask only for those of the release the pointer names.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine

from features.store import FeatureRepo
from recsys.artifacts import Release, Releases
from recsys.errors import extra
from recsys.pipeline.stage import Context
from recsys.results import writer

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.parquet as pq

STAGE = "publish"


def publish(context: Context, engine: Engine) -> tuple[str, bool]:
    """Make the artifacts at hand the live release; returns its id and whether it is new."""
    releases = Releases(context.store)
    lineage = {kind: artifact.version for kind, artifact in context.inputs.items()}
    known = releases.with_lineage(lineage)
    if known is not None and releases.was_live(known):
        # live already, or rolled back on purpose: a run over the same inputs does not undo that
        return known, False
    release = releases.read(known) if known else _draft(context, releases, lineage)
    writer.forget_releases(engine, keep=[*releases.ids(), release.id])
    _write_results(context, engine, release)
    _serve_online(context, release)
    releases.write(release)
    context.observer.event(STAGE, "release written")
    releases.swap(release.id)
    return release.id, True


def _draft(context: Context, releases: Releases, lineage: dict[str, str]) -> Release:
    report = context.inputs["report"].manifest
    return releases.draft(
        lineage,
        data_cut=context.inputs["features"].manifest.data_cut,
        headline=dict(report.metrics.get("headline", {})),
    )
