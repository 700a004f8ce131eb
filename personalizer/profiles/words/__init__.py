"""Lists of words, one text file each."""

from functools import cache
from pathlib import Path

__all__ = ["word_set"]


@cache
def word_set(name: str) -> frozenset[str]:
    """The words of a file; lines that start with # say what they are."""
    text = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split())
