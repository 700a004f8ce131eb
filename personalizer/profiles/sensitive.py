"""What must not be said of a person: health, religion, orientation, pregnancy and so on.

By a list of words and a list of categories, both text files beside this module. A product may tell
such a thing without saying it, so categories count as well as words.
"""

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from personalizer.errors import ProfileError

__all__ = ["ATTRIBUTES", "Policy"]

_WORDS = Path(__file__).parent / "words"
ATTRIBUTES = (
    "health", "religion", "orientation", "pregnancy", "minors", "ethnicity", "politics",
)  # fmt: skip


@dataclass(frozen=True)
class Policy:
    """Which sensitive attributes may be told; none unless a setting says so."""

    allow: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if unknown := sorted(self.allow - set(ATTRIBUTES)):
            raise ProfileError(
                f"no sensitive attribute {unknown[0]!r}",
                where="personalizer.profiles.allow_sensitive",
                fix=f"name some of {', '.join(ATTRIBUTES)}",
            )

    def in_text(self, text: str) -> str:
        """The first attribute that a text tells and may not; empty where it tells none."""
        return next((name for name in _told(text) if name not in self.allow), "")

    def in_category(self, name: str) -> str:
        """The first attribute that a category tells and may not."""
        told = (*_categories().get(name.casefold().strip(), ()), *_told(name))
        return next((each for each in told if each not in self.allow), "")

    def without(self, text: str) -> str:
        """A short phrase without its sensitive words."""
        for name in ATTRIBUTES:
            if name not in self.allow:
                text = _patterns()[name].sub(" ", text)
        return " ".join(text.split())


@lru_cache(maxsize=65_536)
def _told(text: str) -> tuple[str, ...]:
    plain = _innocent().sub(" ", text)
    return tuple(name for name, pattern in _patterns().items() if pattern.search(plain))


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: _any_of(words) for name, words in _lines("sensitive.txt", ",")}


@cache
def _innocent() -> re.Pattern[str]:
    text = (_WORDS / "sensitive.txt").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("!"))
    return _any_of([word.strip() for word in line[1:].split(",")])


@cache
def _categories() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for attribute, names in _lines("categories.txt", ";"):
        for name in names:
            key = name.casefold()
            found[key] = (*found.get(key, ()), attribute)
    return found


def _any_of(words: list[str]) -> re.Pattern[str]:
    each = "|".join(
        re.escape(word).replace(r"\*", r"\w*").replace(r"\ ", r"[\s-]+") for word in words
    )
    return re.compile(rf"(?<![\w])(?:{each})(?:'s|s')?(?![\w])", re.IGNORECASE)


def _lines(file: str, between: str) -> list[tuple[str, list[str]]]:
    lines = (_WORDS / file).read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line and line[0] not in "#!")
    return [(name, [word.strip() for word in words.split(between)]) for name, words in pairs]
