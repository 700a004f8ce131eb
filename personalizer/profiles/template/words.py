"""The small words of a sentence: numbers, lists, spans of time."""

from collections.abc import Sequence

__all__ = ["capital", "every", "listed", "number", "title_case"]

_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
_SMALL = {"and", "of", "de", "or", "for", "with"}


def number(count: int) -> str:
    """A count as it is written in running text."""
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def listed(parts: Sequence[str], word: str = "and") -> str:
    """a, b and c; where a part holds an "and" itself, a comma sets the last one off."""
    if len(parts) < 2:
        return "".join(parts)
    comma = "," if any(" and " in part or "," in part for part in parts) else ""
    return f"{', '.join(parts[:-1])}{comma} {word} {parts[-1]}"


def capital(text: str) -> str:
    """With its first letter large."""
    return text[:1].upper() + text[1:]


def title_case(label: str) -> str:
    """A label as it stands in a list of categories."""
    words = (w if w in _SMALL or w.isupper() else w[:1].upper() + w[1:] for w in label.split())
    return capital(" ".join(words))


def every(days: float) -> str:
    """How often something comes back."""
    if days < 10:
        return "every week or so"
    if days < 19:
        return "every other week"
    if days < 26:
        return "every three weeks or so"
    months = days / 30.4
    if months < 1.4:
        return "about once a month"
    if months < 11:
        return f"every {number(round(months))} months or so"
    return "about once a year" if months < 16 else "less than once a year"
