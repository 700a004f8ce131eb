"""Ways of personalising, put to questions of LaMP: answers, and how good they are."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from personalizer.methods import Lesson, Method, MethodSettings, Question, methods
from personalizer.profiles.generators import Generator, Request
from personalizer.prompts import CHAT, personal_input
from personalizer.vectors import Encoder
from recsys.arrays import Floats
from recsys.errors import SettingsError
from recsys.evaluation.lamp.load import LampQuestion
from recsys.evaluation.lamp.tasks import LampTask
from recsys.evaluation.texts import label_figures, rating_figures, text_figures

WRITTEN = ("base", "rag", "pag", "full_history")  # what a prompt alone can say
RETRIEVED = 2
JUDGES: dict[str, Callable[[Sequence[str], Sequence[str]], dict[str, float]]] = {
    "choice": label_figures,
    "rating": rating_figures,
    "text": text_figures,
}


def judged(task: LampTask, told: Sequence[str], asked: Sequence[LampQuestion]) -> dict[str, Any]:
    """The figures that the task is judged by."""
    wanted = [question.output for question in asked]
    found: dict[str, Any] = JUDGES[task.kind](told, wanted)
    if task.kind == "rating":
        found |= {"accuracy": label_figures(told, wanted)["accuracy"]}
    return {"task": task.name, "n": len(asked), **found}


def written(method: str, asked: Sequence[LampQuestion], generator: Generator) -> list[str]:
    """Let a model that writes answer, with what the method puts into its prompt."""
    if method not in WRITTEN:
        raise SettingsError(
            f"{method!r} does not write", where="lamp", fix=f"one of {', '.join(WRITTEN)}"
        )
    prompts = [_prompt(method, question) for question in asked]
    answers = generator.answer([Request("profile", prompt, task="tweet") for prompt in prompts])
    return [answer.text for answer in answers]


def _prompt(method: str, question: LampQuestion) -> str:
    entries: Sequence[str] = ()
    summary = ""
    if method == "full_history":
        entries = question.entries
    elif method != "base":
        _, entries = personal_input("", question.entries, question.text, k=RETRIEVED)
    if method == "pag":
        summary = summary_of(question)
    return CHAT.render(summary, entries, question.text)


def summary_of(question: LampQuestion, words: int = 60) -> str:
    """The latest entries in short: a summary that needs no model."""
    told = " ".join(question.entries[-3:]).split()
    return " ".join(told[:words])


def chosen(
    name: str,
    method: Method,
    asked: Sequence[LampQuestion],
    lessons: Sequence[LampQuestion],
    encode: Encoder,
    *,
    seed: int = 0,
) -> list[str]:
    """Let a language model weigh the possible answers, personalised in any way it can be."""
    if any(not question.labels for question in asked):
        raise SettingsError(
            "free text has no options to weigh", where=f"method {name}", fix="let a model write"
        )
    if lessons:
        taught = zip(_questions(lessons, encode), lessons, strict=True)
        method.fit([Lesson(question, told.output) for question, told in taught], seed=seed)
    scores = [method.score([question])[0] for question in _questions(asked, encode)]
    return [q.labels[int(np.argmax(row))] for q, row in zip(asked, scores, strict=True)]


def method_of(name: str, lm: Any, settings: MethodSettings | None = None) -> Method:
    """A way of personalising by its name, on a model."""
    known = methods()
    if name not in known:
        raise SettingsError(f"no method {name!r}", where="lamp", fix=f"one of {', '.join(known)}")
    return known[name](lm, settings)


def _questions(asked: Sequence[LampQuestion], encode: Encoder) -> list[Question]:
    """The questions as the methods take them; a person is the mean of her entries' vectors."""
    return [Question(_person(q, encode), summary_of(q), q.entries, q.text, q.labels) for q in asked]


def _person(question: LampQuestion, encode: Encoder) -> Floats:
    texts = list(question.entries) or [question.text]
    vectors = np.asarray(encode.encode(texts), np.float32)
    mean: Floats = vectors.mean(axis=0)
    if not question.entries:
        return np.zeros_like(mean)
    return mean / max(float(np.linalg.norm(mean)), 1e-6)
