"""The shop's two years, and the weeks after them that only the truth file knows."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

DAY = 86_400_000  # milliseconds
START = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp()) * 1000
END = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 1000  # exclusive
HORIZON = END + 90 * DAY  # purchases in [END, HORIZON) are the planted future

_HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 9, 9, 11, 10, 9, 9, 10, 11, 13, 16, 18, 17, 11, 5])


def iso(moment: int) -> str:
    """Milliseconds since 1970 as ISO 8601."""
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")


def months(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Month of each time, from 0."""
    month = times.astype("datetime64[ms]").astype("datetime64[M]")
    number: NDArray[np.int64] = month.astype(np.int64) % 12
    return number


def busy_days() -> NDArray[np.float64]:
    """Cumulated share of visits by day: weekends and the weeks before Christmas are busy."""
    days = np.datetime64(START, "ms").astype("datetime64[D]") + np.arange((HORIZON - START) // DAY)
    monthly = np.array([0.95, 0.9, 0.95, 1, 1, 1, 1.1, 1, 1, 1, 1.35, 1.6])
    weight = monthly[days.astype("datetime64[M]").astype(np.int64) % 12]
    weight = weight * np.where(np.is_busday(days), 1.0, 1.2)
    total: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()
    return total


def at_some_hour(days: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a time on each day, mostly in the evening, to the millisecond."""
    hours = np.searchsorted(np.cumsum(_HOURS) / _HOURS.sum(), rng.random(len(days)), side="right")
    times: NDArray[np.int64] = days + hours * 3_600_000 + rng.integers(0, 3_600_000, len(days))
    return times
