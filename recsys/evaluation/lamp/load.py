"""Questions and outputs from JSON: what LaMP and LongLaMP publish, refused where it is not that."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.errors import LabelError
from recsys.evaluation.lamp.tasks import LampTask

FIX = "give the files as LaMP publishes them: *_questions.json and *_outputs.json"


@dataclass(frozen=True)
class LampQuestion:
    """One question about one person."""

    id: str
    text: str
    entries: tuple[str, ...]  # what the person wrote, read or bought, in the file's order
    labels: tuple[str, ...]  # possible answers; none where the answer is free text
    output: str


def load(task: LampTask, questions: Path, outputs: Path | None = None) -> list[LampQuestion]:
    """Read questions with their outputs; LongLaMP keeps both in one file."""
    rows = _read(questions)
    if not isinstance(rows, list):
        raise LabelError("not a list of questions", where=str(questions), fix=FIX)
    golds = _golds(outputs) if outputs is not None else {}
    return [_question(task, row, place, golds, questions) for place, row in enumerate(rows)]


def _golds(path: Path) -> dict[str, str]:
    """Outputs by the id of their question."""
    document = _read(path)
    rows = document.get("golds") if isinstance(document, Mapping) else None
    if not isinstance(rows, list):
        raise LabelError("no list `golds`", where=str(path), fix=FIX)
    try:
        return {str(row["id"]): str(row["output"]) for row in rows}
    except (KeyError, TypeError) as error:
        raise LabelError(f"a gold without id or output: {error}", where=str(path), fix=FIX) from (
            error
        )


def _question(
    task: LampTask, row: Any, place: int, golds: Mapping[str, str], path: Path
) -> LampQuestion:
    where = f"{path}, question {place + 1}"
    if not isinstance(row, Mapping) or not isinstance(row.get("input"), str):
        raise LabelError("no `input`", where=where, fix=FIX)
    profile = row.get("profile", [])
    if not isinstance(profile, Sequence) or isinstance(profile, str):
        raise LabelError("`profile` is not a list", where=where, fix=FIX)
    name = str(row.get("id", place))
    output = golds.get(name, row.get("output"))
    if output is None:
        raise LabelError(f"no output for {name!r}", where=where, fix=FIX)
    entries = tuple(_entry(task, entry, where) for entry in profile)
    text = row["input"]
    labels = task.labels(text) if task.labels else ()
    if task.labels and not labels:
        raise LabelError("the question names no possible answers", where=where, fix=FIX)
    return LampQuestion(name, text, tuple(e for e in entries if e), labels, str(output))


def _entry(task: LampTask, entry: Any, where: str) -> str:
    """One line; an entry that lacks a field is told without it."""
    if not isinstance(entry, Mapping):
        raise LabelError("an entry of `profile` is no object", where=where, fix=FIX)
    parts = (entry.get(field) for field in task.entry)
    told = (" ".join(str(part).split()) for part in parts if part is not None)
    return " | ".join(part for part in told if part)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabelError(f"can't be read: {error}", where=str(path), fix=FIX) from error
