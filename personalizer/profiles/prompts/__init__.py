"""Prompts are text files beside this module, each with its version in its name."""

import hashlib
import re
from functools import cache
from pathlib import Path

from personalizer.errors import ProfileError

__all__ = ["embedding_text", "render", "text_of", "version_of"]

_HERE = Path(__file__).parent
_PLACE = re.compile(r"{{\s*(\w+)\s*}}")


@cache
def text_of(name: str) -> str:
    """A template by its name, without the end of its last line."""
    try:
        return (_HERE / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        known = ", ".join(sorted(path.stem for path in _HERE.glob("*.txt")))
        raise ProfileError(
            f"no prompt {name!r}", where=str(_HERE), fix=f"one of {known}"
        ) from error


def render(name: str, **values: str) -> str:
    """Fill a template in one pass: what a value holds is never read as a template itself."""

    def value(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise ProfileError(f"nothing to put in place of {place[1]!r}", where=f"prompt {name!r}")
        return values[place[1]]

    return _PLACE.sub(value, text_of(name))


def version_of(*names: str) -> str:
    """Eight characters that change with any character of the templates."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0{text_of(name)}\0".encode())
    return digest.hexdigest()[:8]


def embedding_text(task_description: str, profile: str) -> str:
    """A profile as the encoder reads it, under the paper's instruction."""
    return render("embedding.v1", task_description=task_description, user_profile=profile)
