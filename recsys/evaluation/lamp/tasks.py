"""The tasks of LaMP and LongLaMP: what a person's entries hold, and how an answer is judged.

Only the layout of the files is known here; the data have licences of their own and are not ours.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from recsys.errors import SettingsError

Kind = Literal["choice", "rating", "text"]
_TAGS = re.compile(r"tags:\s*\[([^\]]+)\]", re.IGNORECASE)


def _pair(_: str) -> tuple[str, ...]:
    return ("[1]", "[2]")


def _stars(_: str) -> tuple[str, ...]:
    return ("1", "2", "3", "4", "5")


def _tags(text: str) -> tuple[str, ...]:
    """The tags that a question of LaMP-2 names itself."""
    found = _TAGS.search(text)
    return tuple(tag.strip() for tag in found.group(1).split(",")) if found else ()


@dataclass(frozen=True)
class LampTask:
    """One task: the fields of an entry from which its text is made, and the kind of answer."""

    name: str
    kind: Kind
    entry: tuple[str, ...]  # fields of a profile's entry, in the order they are told
    labels: Callable[[str], tuple[str, ...]] | None = None  # of a question's text


LAMP: Mapping[str, LampTask] = {
    task.name: task
    for task in (
        LampTask("LaMP-1", "choice", ("title", "abstract"), _pair),
        LampTask("LaMP-2", "choice", ("description", "tag"), _tags),
        LampTask("LaMP-3", "rating", ("text", "score"), _stars),
        LampTask("LaMP-4", "text", ("text", "title")),
        LampTask("LaMP-5", "text", ("abstract", "title")),
        LampTask("LaMP-7", "text", ("text",)),
        LampTask("LongLaMP-2", "text", ("title", "abstract")),
        LampTask("LongLaMP-3", "text", ("overall", "summary", "description", "reviewText")),
        LampTask("LongLaMP-4", "text", ("summary", "content")),
    )
}


def lamp_task(name: str) -> LampTask:
    """A task by its name, however it is written."""
    plain = {re.sub(r"[^a-z0-9]", "", known.lower()): task for known, task in LAMP.items()}
    asked = re.sub(r"[^a-z0-9]", "", name.lower())
    if asked not in plain:
        raise SettingsError(f"no LaMP task {name!r}", where="lamp", fix=f"one of {', '.join(LAMP)}")
    return plain[asked]
