"""What the online store knows of a shopper, view by view, with its moment and its age."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from features.lookup import Outcome, ShopperRow
from features.repo.views import SPECS

SHOWN = 6  # of a list of values
_MOMENTS = {"first_purchase", "last_purchase"}
_NUMBERS = {"embedding"}


@dataclass(frozen=True)
class Panel:
    """One view of one shopper."""

    name: str
    description: str
    outcome: str
    good: bool
    reason: str
    event_timestamp: datetime | None
    age_days: float | None
    values: list[tuple[str, str]]


def panels_of(row: ShopperRow) -> list[Panel]:
    """Lay a look-up out."""
    return [
        Panel(
            name,
            SPECS[name].description,
            str(view.outcome),
            view.outcome is Outcome.FRESH,
            view.reason,
            view.event_timestamp,
            view.age / timedelta(days=1) if view.age is not None else None,
            [(key.replace("_", " "), shown(key, value)) for key, value in view.values.items()],
        )
        for name, view in row.views.items()
    ]


def shown(name: str, value: Any) -> str:
    """Write a value as short as it stays true."""
    if value is None:
        return "not known"
    if name in _MOMENTS:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M} UTC"
    if name in _NUMBERS:
        return f"{len(value)} numbers"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return _listed(value)
    return str(value) or "none"


def _listed(values: Any) -> str:
    some = ", ".join(shown("", each) for each in values[-SHOWN:])
    if len(values) > SHOWN:
        return f"{len(values)} values, the last: {some}"
    return some or "none"


@dataclass(frozen=True)
class Profile:
    """What a shopper is like in words, and what that was written from."""

    profile: str
    guidance: str
    level: str
    style: str
    generator: str
    prompt_version: str

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Profile | None":
        """Read it from the view; None where there is none that is fresh."""
        names = ("profile", "guidance", "level", "style", "generator", "prompt_version")
        return cls(*(str(values[name] or "") for name in names)) if values else None
