"""Numbers as people read them: even widths, real minus signs, no false precision."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

MINUS, NARROW_SPACE, NOTHING = "\u2212", "\u202f", "\u2013"


def number(value: float | None, digits: int = 4) -> str:
    """0.0412, or a dash where nothing was measured."""
    return NOTHING if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 4) -> str:
    """+0.0199; a difference says its direction."""
    return NOTHING if value is None else f"{value:+.{digits}f}".replace("-", MINUS)


def percent(value: float | None, digits: int = 1) -> str:
    """6.2 % of a share."""
    if value is None:
        return NOTHING
    return f"{100 * value:.{digits}f}{NARROW_SPACE}%".replace("-", MINUS)


def interval(bounds: Sequence[float] | None, show: Callable[[float], str] = number) -> str:
    """0.0171 to 0.0227, for reading aloud as much as for the eye."""
    return NOTHING if bounds is None else f"{show(bounds[0])} to {show(bounds[1])}"


def signed_interval(bounds: Sequence[float] | None, digits: int = 4) -> str:
    """Write the interval of a difference."""
    return interval(bounds, partial(signed, digits=digits))


def count(value: int | None) -> str:
    """Group the digits of a whole number: 198,502."""
    return NOTHING if value is None else f"{value:,}"


def moment(value: datetime | date | str | None) -> str:
    """Write a date, and the time of day only where it is not midnight."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return str(value)
    if isinstance(value, datetime):
        value = value.astimezone(UTC) if value.tzinfo else value
        midnight = (value.hour, value.minute, value.second) == (0, 0, 0)
        return f"{value:%Y-%m-%d}" if midnight else f"{value:%Y-%m-%d %H:%M} UTC"
    return NOTHING if value is None else value.isoformat()


def plain(value: float) -> str:
    """Write a setting as short as it goes: 0, 0.25."""
    return f"{value:g}"


def called(name: str) -> str:
    """Name a slice in words, beginning with a capital."""
    words = name.replace("tie_safe", "tie-safe").replace("ood", "OOD", 1 if name == "ood" else 0)
    words = words.replace("_", " ")
    return words[:1].upper() + words[1:]


def by_accuracy(methods: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of methods, the most accurate first."""
    return sorted(methods, key=lambda name: -methods[name]["accuracy"])


FILTERS: dict[str, Callable[..., Any]] = {
    "by_accuracy": by_accuracy,
    "called": called,
    "plain": plain,
    "number": number,
    "signed": signed,
    "percent": percent,
    "interval": interval,
    "signed_interval": signed_interval,
    "percent_interval": partial(interval, show=percent),
    "count": count,
    "moment": moment,
}
