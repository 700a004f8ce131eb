"""Two-stage ranking against published methods, on raw files: the work of `tailor evaluate ranking`.

The product's own pipeline makes what is measured, in a home that nothing else uses.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys.errors import SettingsError
from recsys.evaluation.baselines import Baseline, chosen
from recsys.evaluation.case import Case
from recsys.evaluation.harness import evaluate
from recsys.evaluation.memory import peak
from recsys.evaluation.methods import HEADLINE, OURS, POPULARITY, STAGE, Made, make_lists
from recsys.pipeline import parts
from recsys.pipeline.observer import Observer, Silent
from recsys.pipeline.run import RunResult, run
from recsys.pipeline.stage import RawFiles
from recsys.settings import CutSettings, ResultsSettings, Settings, dump


def evaluate_ranking(
    raw: RawFiles,
    settings: Settings,
    *,
    protocol: str,
    mode: str = "refreshed",
    baselines: Sequence[str] = (),
    keep: Path | None = None,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Run the pipeline up to the ranker, then measure its lists beside the baselines'.

    `baselines` are named as in `chosen`; popularity is always among them. The home is removed at
    the end, unless `keep` says where to leave it.
    """
    observer, began = observer or Silent(), time.monotonic()
    kinds, cuts = baselines_of(baselines), cuts_of(settings.cuts, protocol, mode)
    with scratch(keep) as home, peak() as memory:
        # a results database of the shop's is not ours to write to: the home brings its own
        own: dict[str, object] = {"home": home, "cuts": cuts, "results": ResultsSettings()}
        # what is measured is the next item that is new to the shopper: teach it that way too
        own["candidates"] = settings.candidates.model_copy(update={"mask_history": True})
        # nothing is published here: what the quality watch finds is no reason to stop
        watched = settings.features.quality.model_copy(update={"stops": False})
        own["features"] = settings.features.model_copy(update={"quality": watched})
        # and no language model is weighed: everybody may teach the ranker
        own["ranker"] = settings.ranker.model_copy(update={"weigh_share": 0})
        settings = settings.model_copy(update=own)
        ran = run(settings, raw=raw, until="ranker", observer=observer)
        case = Case.of(ran.artifacts, STAGE)
        recommender = parts.two_stage_at(ran.artifacts, "eval", case.catalogue, settings)
        observer.event(STAGE, "start")
        made = make_lists(case, recommender, kinds, settings.seed, observer)
        made.fit |= _stage_seconds(ran)
        result = measure(case, made, protocol, mode, settings.seed)
        observer.event(STAGE, "done")
    return result | {
        "pool": recommender.options.pool,
        "seconds": ran.seconds,
        "seconds_total": round(time.monotonic() - began, 2),
        "peak_mib": memory.mib,
        "settings": {key: value for key, value in dump(settings).items() if key != "home"},
    }


def baselines_of(names: Sequence[str]) -> list[type[Baseline]]:
    """Give the chosen baselines, with popularity, which all methods are compared with."""
    kinds = chosen(names)
    known = [kind.name for kind in kinds]
    return kinds if POPULARITY in known else [*chosen([POPULARITY]), *kinds]


def cuts_of(cuts: CutSettings, protocol: str, mode: str) -> CutSettings:
    """Cut by the protocol asked for; refuse a mode that it does not have."""
    if protocol == "temporal" and mode != "refreshed":
        raise SettingsError(
            f"mode {mode!r} is one of leave-one-out",
            where="tailor evaluate ranking",
            fix="leave --mode out, or give --protocol leave-one-out",
        )
    return cuts.model_copy(update={"protocol": protocol, "mode": mode})


@contextmanager
def scratch(keep: Path | None) -> Iterator[Path]:
    """A home that nothing else uses, removed at the end; or the one to keep."""
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="tailor-evaluate-") as folder:
        yield Path(folder)


def _stage_seconds(ran: RunResult) -> dict[str, float]:
    """How long our methods took to train; nothing of what a kept home had ready."""
    return {
        name: round(sum(ran.seconds[stage] for stage in stages), 3)
        for name, (_, stages) in OURS.items()
        if not set(stages) & set(ran.skipped)
    }


def measure(case: Case, made: Made, protocol: str, mode: str, seed: int) -> dict[str, Any]:
    """All metrics of all methods, overall and in the slices, and the leak probe."""
    result = evaluate(
        made.lists,
        case.targets,
        popularity=case.popularity,
        n_items=len(case.catalogue),
        seed=seed,
        slices=case.slices(),
        seconds_fit=made.fit,
        seconds_score=made.score,
        headline=HEADLINE,
        protocol=protocol,
        mode=mode if protocol == "leave-one-out" else None,
        baseline=POPULARITY,
    )
    return result | {"failed": made.failed, "leak_probe": case.probe(seed)}
