"""The preference task measured: from raw files in a home of its own, or on a run's artifacts."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recsys.evaluation.memory import peak
from recsys.evaluation.preference.figures import Answered
from recsys.evaluation.preference.harness import Harness
from recsys.evaluation.preference.joined import HEADLINE, join
from recsys.evaluation.preference.laws import law_named
from recsys.evaluation.preference.probes import probe
from recsys.evaluation.preference.save import Saved, save
from recsys.evaluation.preference.scorers import Scorer, chosen
from recsys.evaluation.preference.scorers.prompted import ROWS, WITHOUT_MODEL
from recsys.evaluation.preference.served import temperatures
from recsys.evaluation.preference.stages import stages_of
from recsys.evaluation.preference.task import Task, task_of
from recsys.evaluation.preference.tell import examples
from recsys.evaluation.ranking import scratch
from recsys.evaluation.slices import by_category, by_history, by_popularity, filled
from recsys.pipeline.observer import Observer, Silent
from recsys.pipeline.parts import Inputs, blend_weight
from recsys.pipeline.run import run
from recsys.pipeline.stage import RawFiles
from recsys.settings import ResultsSettings, Settings, dump

STAGE = "preference"
LAST, DRAWN = "hypernet", "index"  # stages that a measurement needs, and the questions alone
# of `next`: the validation's shoppers are needed to join the scores, not to teach the ranker
JOINING = 0.5
ROUNDS = 200  # of the ranker: one feature among many here


@dataclass(frozen=True)
class PreferenceResult:
    """All figures of one law; `to_json` gives them under the names that are a contract."""

    law: str
    n: int
    category_level: int | str
    methods: Mapping[str, Mapping[str, Any]]
    probes: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One document."""
        return {
            "law": self.law,
            "n": self.n,
            "category_level": self.category_level,
            "methods": dict(self.methods),
            "probes": dict(self.probes),
            **self.more,
        }


def evaluate_preference(
    raw: RawFiles,
    settings: Settings,
    *,
    law: str,
    keep: Path | None = None,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Make everything from raw files without the answers, then measure every scorer.

    The home is removed at the end, unless `keep` says where to leave it: further laws find it made.
    """
    observer, began = observer or Silent(), time.monotonic()
    hidden = law_named(law).answer == "hidden"
    wanted(settings)  # an unknown scorer is told before hours of work
    with scratch(keep) as home, peak() as memory:
        settings = apart(settings, home, hidden=hidden)
        ran = run(settings, raw=raw, until=LAST, observer=observer, stages=stages_of(hidden=hidden))
        most = settings.report.preference.shoppers
        result = measure(ran.artifacts, settings, law, most=most, observer=observer)
    return result.to_json() | {
        "seconds": ran.seconds,
        "seconds_total": round(time.monotonic() - began, 2),
        "peak_mib": memory.mib,
        "settings": {key: value for key, value in dump(settings).items() if key != "home"},
    }


def build_task(
    raw: RawFiles,
    settings: Settings,
    *,
    law: str,
    out: Path,
    keep: Path | None = None,
    observer: Observer | None = None,
) -> Saved:
    """Draw the questions of a law from raw files and save them; nothing is learned for that."""
    hidden = law_named(law).answer == "hidden"
    with scratch(keep) as home:
        settings = apart(settings, home, hidden=hidden)
        ran = run(
            settings, raw=raw, until=DRAWN, observer=observer, stages=stages_of(hidden=hidden)
        )
        most = settings.report.preference.shoppers
        task = task_of(law_named(law), ran.artifacts, settings, most=most)
        versions = {kind: artifact.version for kind, artifact in ran.artifacts.items()}
        return save(task, settings, versions, out)


def apart(settings: Settings, home: Path, *, hidden: bool) -> Settings:
    """The settings of a measurement: a home of its own, nothing published, nothing stopped."""
    watched = settings.features.quality.model_copy(update={"stops": False})
    own: dict[str, object] = {
        "home": home,
        "results": ResultsSettings(),
        "features": settings.features.model_copy(update={"quality": watched}),
        # every option is new to the shopper: so is what the ranker learns from
        "candidates": settings.candidates.model_copy(update={"mask_history": True}),
        "ranker": settings.ranker.model_copy(
            update={
                "weigh_share": 0 if hidden else JOINING,
                "rounds": min(settings.ranker.rounds, ROUNDS),
            }
        ),
    }
    return settings.model_copy(update=own)


def measure(
    inputs: Inputs,
    settings: Settings,
    law: str,
    *,
    most: int,
    observer: Observer | None = None,
) -> PreferenceResult:
    """Put a law to the artifacts of a run, and every scorer to its questions."""
    observer = observer or Silent()
    task = task_of(law_named(law), inputs, settings, most=most)
    harness = Harness(task, settings.seed)
    kinds = wanted(settings)
    total = len(kinds) + 1

    def told(name: str) -> None:
        observer.event(STAGE, "method", name)
        observer.progress(STAGE, len(harness.scored.test), total)

    harness.all(kinds, told)
    told(HEADLINE)
    ablations = join(harness)
    observer.progress(STAGE, total, total)
    weight = blend_weight(inputs) if "blend" in inputs else 0.0
    return _result(task, harness, ablations, temperatures(harness, weight))


def wanted(settings: Settings) -> list[type[Scorer]]:
    """The scorers that the settings name; the paper's rows among them where a model answers."""
    asked = settings.report.preference.methods
    kinds = chosen(asked)
    if not asked and settings.personalizer.profiles.generator != WITHOUT_MODEL:
        kinds = [*kinds, *chosen(ROWS)]
    return kinds


def _result(
    task: Task, harness: Harness, ablations: Mapping[str, Any], served: Mapping[str, float]
) -> PreferenceResult:
    answered = harness.scored.test
    headline = answered[HEADLINE]
    others = {name: each for name, each in answered.items() if name != HEADLINE}
    return PreferenceResult(
        task.law.name,
        len(task.test),
        int(task.level) if str(task.level).isdecimal() else task.level,
        {name: each.figures() for name, each in answered.items()},
        probe(task.test.view, task.test.questions),
        {
            "told": task.law.told,
            "options": task.test.questions.options.shape[1],
            "n_validation": len(task.validation),
            "dropped": task.dropped,
            "headline": HEADLINE,
            "best_single": max(others, key=lambda name: others[name].hits.mean()),
            "paired": {name: headline.minus(other) for name, other in others.items()},
            "ablations": ablations,
            "weights": harness.weights,
            "slices": _slices(task, answered),
            "calibration": {name: each.calibrated() for name, each in answered.items()},
            "positions": {
                "answers": task.test.questions.positions,
                **{name: each.by_position() for name, each in answered.items()},
            },
            "examples": examples(task, answered),
            "temperatures": dict(served),
            "failed": harness.scored.failed,
            "seed": harness.seed,
        },
    )


def _slices(task: Task, answered: Mapping[str, Answered]) -> dict[str, Any]:
    """Every method in the parts of the shoppers, and the headline against each there."""
    view, questions = task.test.view, task.test.questions
    slices = {
        **by_history(view.shoppers.lengths),
        **by_popularity(questions.answers, view.sold),
        **by_category(questions.answers, view.catalogue.categories),
    }
    headline = answered[HEADLINE]
    return {
        name: {
            "n": int(part.mask.sum()),
            "label": part.label,
            "methods": {each: one.within(part.mask) for each, one in answered.items()},
            "paired": {
                each: headline.minus(one, part.mask)
                for each, one in answered.items()
                if each != HEADLINE
            },
        }
        for name, part in filled(slices).items()
    }
