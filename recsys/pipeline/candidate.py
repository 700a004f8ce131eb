"""Models that wait for a verdict: trained on the data at hand, held against the live release.

The candidate is a lineage in a file. Nobody is served by it before it is published; held back, it
stays where it is until somebody publishes it or another takes its place.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from recsys.errors import StageError
from recsys.evaluation.case import Case
from recsys.evaluation.intervals import difference_interval
from recsys.pipeline import lineage as lineages
from recsys.pipeline.batch import job
from recsys.pipeline.lineage import CANDIDATE, MODEL_KINDS, Lineage
from recsys.pipeline.observer import Observer
from recsys.pipeline.run import NAMES
from recsys.pipeline.stage import Context
from recsys.pipeline.step import opened, stage_of, step
from recsys.rerank import ndcg_of_one
from recsys.settings import Settings

__all__ = ["HOLD", "LEARNED", "Verdict", "judge", "propose", "publish", "train"]

# tables are at hand; the moments to learn from are chosen anew
LEARNED = ("features", "embeddings", "quality", "index", *MODEL_KINDS)
HOLD = ("worse", "not better", "never")
"""When a candidate is held back: known to be worse, not known to be better, or not at all."""
_K = 10


@dataclass(frozen=True)
class Verdict:
    """A candidate against the live release, on the same shoppers."""

    publish: bool
    why: str
    shoppers: int
    ndcg: float
    live_ndcg: float
    accuracy: float  # share of shoppers whose next purchase comes first
    live_accuracy: float
    difference: tuple[float, float]  # 95 % interval of the difference in NDCG

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def train(settings: Settings, observer: Observer | None = None) -> Lineage:
    """All of a training, one stage after the other."""
    lineage = lineages.of_data(settings)
    for name in LEARNED:
        lineage = step(settings, name, lineage, observer=observer)
    return propose(settings, lineage)


def propose(settings: Settings, lineage: Mapping[str, str]) -> Lineage:
    """Note a lineage as the candidate."""
    needed = set(stage_of("lists").inputs)
    if missing := sorted(needed - set(lineage)):
        raise StageError(f"the candidate has no {', '.join(missing)}", where="candidate")
    whole = {**lineages.of_data(settings), **lineage}
    lineages.write(settings, CANDIDATE, whole)
    return whole


def waiting(settings: Settings) -> Lineage:
    """The candidate."""
    found = lineages.read(settings, CANDIDATE)
    if found is None:
        raise StageError("there is no candidate", where="candidate", fix="`tailor candidate train`")
    return found


def judge(
    settings: Settings, *, hold: str = HOLD[0], observer: Observer | None = None
) -> tuple[Lineage, Verdict]:
    """Report on the candidate, and hold it against the models that serve now."""
    if hold not in HOLD:
        raise StageError(f"hold {hold!r}", where="candidate", fix=f"one of {', '.join(HOLD)}")
    lineage = waiting(settings)
    for name in ("preference", "report"):
        if name in NAMES:
            lineage = step(settings, name, lineage, observer=observer)
    lineages.write(settings, CANDIDATE, lineage)
    served = {kind: lineages.live(settings)[kind] for kind in MODEL_KINDS}
    needed = {kind: lineage[kind] for kind in stage_of("lists").inputs}
    with opened(settings, needed, observer) as context:
        case = Case.of(context.inputs, "candidate")
        mine = _gains(context, case)
        context.inputs.update(
            {kind: context.store.open(kind, version) for kind, version in served.items()}
        )
        theirs = _gains(context, case)
    return lineage, _verdict(mine, theirs, hold, settings.seed)


def publish(settings: Settings, observer: Observer | None = None) -> str:
    """Make lists by the candidate's models from the data at hand, then the live release."""
    lineage = {**waiting(settings), **lineages.of_data(settings)}
    planned = job.plan(settings, lineage=lineage)
    for shard in range(planned.shards):
        job.score(settings, planned, shard, observer)
    return job.release(settings, job.finish(settings, planned, observer), observer=observer)


def _gains(context: Context, case: Case) -> Any:
    """NDCG of one and hit at one by shopper, by the models at hand."""
    from recsys.pipeline.stages.lists import recommender_at

    recommender = recommender_at(context, "eval", case.catalogue)
    items = recommender.recommend(case.shoppers, _K).items
    return ndcg_of_one(items, case.targets, _K), ndcg_of_one(items, case.targets, 1)


def _verdict(mine: Any, theirs: Any, hold: str, seed: int) -> Verdict:
    interval = difference_interval(mine[0], theirs[0], seed=seed)
    worse, better = interval.high < 0, interval.low > 0
    kept = {"worse": worse, "not better": not better, "never": False}[hold]
    state = "worse" if worse else "better" if better else "not told apart"
    return Verdict(
        publish=not kept,
        why=f"{state} than the live release by NDCG@{_K}; held back when {hold}",
        shoppers=len(mine[0]),
        ndcg=float(mine[0].mean()),
        live_ndcg=float(theirs[0].mean()),
        accuracy=float(mine[1].mean()),
        live_accuracy=float(theirs[1].mean()),
        difference=(float(interval.low), float(interval.high)),
    )
