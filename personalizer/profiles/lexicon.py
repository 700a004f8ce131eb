"""What a title sells, for items without categories: the noun it ends in, by a list of nouns."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from personalizer.profiles.words import word_set

__all__ = ["Sold", "noun_of", "plural", "sold_by"]

_FILE = Path(__file__).parent / "words" / "lexicon.txt"
# the name of a product ends where its description starts
_ENDS = re.compile(r"\s+[-|]+\s+|[,;:(\[|]|\s(?:with|for|by|from|in|of|featuring)\s", re.IGNORECASE)
_SIZE = re.compile(r"\d")
_MASS = word_set("uncountable")


class Sold(NamedTuple):
    """A kind of product and its aisle."""

    label: str
    aisle: str


def sold_by(title: str) -> Sold | None:
    """What a title sells by the list: the noun that stands last in the product's name."""
    name, *rest = [part for part in _ENDS.split(title) if part and part.strip()] or [""]
    return _last_known(name) or next((found for part in rest if (found := _last_known(part))), None)


def noun_of(title: str) -> str:
    """What a title sells by its own words: the two words its name ends in; empty where unsure."""
    name = next((part for part in _ENDS.split(title) if part and part.strip()), "")
    words = [word for word in name.split() if not _SIZE.search(word)]
    while words and not words[-1].isalpha():
        words.pop()
    tail = [word for word in words[-2:] if word.isalpha()]
    return " ".join(tail).lower() if len(words) >= 2 else ""


def plural(noun: str) -> str:
    """More than one of it, where English counts it."""
    head = noun.rsplit(maxsplit=1)[-1]
    if head in _MASS or head.endswith(("s", "ics", "wear", "ware")):
        return noun
    if head.endswith(("ch", "sh", "x")):
        return noun + "es"
    return noun[:-1] + "ies" if head.endswith("y") and head[-2:-1] not in "aeiou" else noun + "s"


def _last_known(text: str) -> Sold | None:
    """The known noun that ends last in a text, and of those the longest."""
    words = re.findall(r"[a-z][a-z'-]*", text.lower())
    for end in range(len(words), 0, -1):
        for length in (3, 2, 1):
            if end >= length and (found := _nouns().get(" ".join(words[end - length : end]))):
                return found
    return None


@cache
def _nouns() -> dict[str, Sold]:
    found: dict[str, Sold] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or ":" not in line:
            continue
        aisle, nouns = line.split(":", 1)
        for entry in nouns.split(","):
            noun, _, said = entry.strip().partition("=")
            sold = Sold(said or plural(noun), aisle)
            found |= {noun: sold, plural(noun): sold}
    return found
