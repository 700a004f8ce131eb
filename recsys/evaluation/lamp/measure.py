"""Some of a task's questions, answered by several ways of personalising, and judged."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from personalizer.methods import methods
from personalizer.profiles.generators import build
from personalizer.vectors import Encoder
from recsys.errors import SettingsError
from recsys.evaluation.lamp.load import LampQuestion
from recsys.evaluation.lamp.run import WRITTEN, chosen, judged, method_of, written
from recsys.evaluation.lamp.tasks import LampTask
from recsys.settings import Settings

if TYPE_CHECKING:
    from personalizer.lm.load import LanguageModel

Answer = Callable[[str, Sequence[LampQuestion]], list[str]]
OWN = "oppu"  # learns from the person's own entries, of nobody else
TEMPLATE = "template"


def evaluate_lamp(
    task: LampTask,
    asked: Sequence[LampQuestion],
    lessons: Sequence[LampQuestion],
    names: Sequence[str],
    settings: Settings,
) -> dict[str, Any]:
    """Answer the questions by every method that is named, and judge the answers.

    Where a question names its possible answers, the model weighs them; free text is written by the
    generator of the settings.
    """
    if not asked:
        raise SettingsError("no questions", where="lamp", fix="give a file with one at least")
    names = _checked(task, names, lessons)
    answer = _writer(settings) if task.kind == "text" else _chooser(lessons, settings)
    found = {}
    for name in names:
        began = time.perf_counter()
        told = answer(name, asked)
        seconds = round(time.perf_counter() - began, 3)
        figures = judged(task, told, asked)
        found[name] = {key: value for key, value in figures.items() if key not in {"task", "n"}} | {
            "seconds": seconds
        }
    return {"task": task.name, "n": len(asked), "lessons": len(lessons), "methods": found}


def _checked(
    task: LampTask, names: Sequence[str], lessons: Sequence[LampQuestion]
) -> Sequence[str]:
    """What was asked for, or what can be done; refuse what can't before anything is loaded."""
    free = task.kind == "text"
    able = WRITTEN if free else tuple(methods())
    for name in names:
        if name not in able:
            what = "does not write" if free and name in methods() else "is no method"
            raise SettingsError(f"{name!r} {what}", where="lamp", fix=f"one of {', '.join(able)}")
        if name not in {*WRITTEN, OWN} and not lessons:
            raise SettingsError(
                f"{name!r} learns, and there is nothing to learn from",
                where="lamp",
                fix="give the training questions by --learn",
            )
    return names or WRITTEN


def _writer(settings: Settings) -> Answer:
    config = settings.personalizer.profiles
    if config.generator == TEMPLATE:
        raise SettingsError(
            "free text takes a model that writes",
            where="personalizer.profiles.generator",
            fix="set it to openai or transformers",
        )

    def answer(name: str, asked: Sequence[LampQuestion]) -> list[str]:
        generator = build(config)
        try:
            return written(name, asked, generator)
        finally:
            generator.close()

    return answer


def _chooser(lessons: Sequence[LampQuestion], settings: Settings) -> Answer:
    from personalizer.cache import CachedEncoder
    from personalizer.encoder import TextEncoder

    lm = _model(settings)
    file = settings.home / "cache" / "lamp_embeddings.sqlite"
    encoder: Encoder = CachedEncoder(TextEncoder(settings.personalizer.encoder), file)

    def answer(name: str, some: Sequence[LampQuestion]) -> list[str]:
        return chosen(name, method_of(name, lm), some, lessons, encoder, seed=settings.seed)

    return answer


def _model(settings: Settings) -> "LanguageModel":
    """The model that the settings name; `tiny` is the live release's."""
    from personalizer.lm.load import load

    config = settings.personalizer.lm
    if config.name != "tiny":
        return load(config.name, config)
    from recsys.published import Published

    return load(str(Published.open(settings).artifacts["lm"].path), config)
