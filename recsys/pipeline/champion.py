"""The release that a new one is to replace, on the same shoppers and the same purchases.

On the same data the live release's own figures stand beside the new ones. On other data its models
make lists from the features of now: what would be served if nothing were shipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recsys.artifacts import Artifact, Release, Releases
from recsys.decision import Decision
from recsys.errors import TailorError
from recsys.evaluation.case import Case
from recsys.evaluation.intervals import difference_interval
from recsys.evaluation.metrics import Numbers, ndcg
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.lists import recommender_at
from recsys.report.shoppers import read_gains

MODELS = ("ranker", "lm", "hypernet", "blend", "decision")
DATA = ("tables", "features")
REPORT, LIVE = "report", "live"


@dataclass(frozen=True)
class Compared:
    """How the new lists fare against the live release's; `why` where they can't be compared."""

    release: str
    how: str = ""
    why: str = ""
    n: int = 0
    live: float = 0.0
    ours: float = 0.0
    difference: float = 0.0
    interval: tuple[float, float] = (0.0, 0.0)


def rival(context: Context) -> str:
    """The release to compare with; empty where there is none.

    One that was made of these very inputs is no rival: its report names whom it was compared with.
    So a second run compares with the same release as the first.
    """
    releases = Releases(context.store)
    ours = {kind: artifact.version for kind, artifact in context.inputs.items() if kind != REPORT}
    for name in (releases.live(), releases.newest()):
        release = _read(releases, name)
        if release is None:
            continue
        theirs = {kind: version for kind, version in release.lineage.items() if kind != REPORT}
        if theirs == ours:
            return _compared_before(context, release)
    return releases.live() or ""


def _read(releases: Releases, name: str | None) -> Release | None:
    try:
        return releases.read(name) if name else None
    except TailorError:  # damaged: there is nothing to learn from it
        return None


def _compared_before(context: Context, release: Release) -> str:
    try:
        made = context.store.open(REPORT, release.lineage[REPORT])
    except (TailorError, KeyError):
        return ""
    return str(made.manifest.metrics.get(LIVE, ""))


def compare(context: Context, case: Case, gains: Numbers, k: int) -> Compared | None:
    """Compare the new lists' gains (U,) with the live release's; None where nothing is live."""
    name = rival(context)
    if not name:
        return None
    try:
        release, artifacts = Releases(context.store).open(name)
        theirs, rows, how = _theirs(context, case, release, artifacts, k)
    except Exception as error:  # what is wrong with the old release must not stop the new one
        return Compared(name, why=str(error) or type(error).__name__)
    if not len(rows):
        return Compared(name, why="none of its shoppers is measured now")
    found = difference_interval(gains[rows], theirs, seed=context.settings.seed)
    return Compared(
        name,
        how,
        n=len(rows),
        live=float(theirs.mean()),
        ours=float(gains[rows].mean()),
        difference=found.mean,
        interval=(found.low, found.high),
    )


def _theirs(
    context: Context, case: Case, release: Release, artifacts: Mapping[str, Artifact], k: int
) -> tuple[Numbers, Any, str]:
    same = all(release.lineage.get(kind) == context.inputs[kind].version for kind in DATA)
    measured = read_gains(artifacts[REPORT].path) if same else None
    if measured is not None:
        theirs, rows = measured.of(case.shoppers.user_ids)
        return theirs, rows, "as it was measured on the same data"
    inputs = dict(context.inputs)
    for kind in MODELS:
        inputs.pop(kind, None)
    inputs |= {kind: artifacts[kind] for kind in MODELS if kind in artifacts}
    decided = inputs.pop("decision", None)
    old = recommender_at(replace(context, inputs=inputs), "eval", case.catalogue)
    if decided is not None:
        # groups of taste are of a release's own data; what was decided is not
        own = recommender_at(context, "eval", case.catalogue).personas
        old = replace(old, decision=Decision.read(decided.path), personas=own)
    lists = old.recommend(case.shoppers, k)
    if lists.failures:
        raise TailorError(lists.failures[0], where=f"models of {release.id}")
    rows = np.arange(len(case.shoppers))
    return ndcg(lists.items, case.targets, k), rows, "its models on the data of now"
