"""What the values of a view look like, in a few numbers per column: to watch, and to compare with.

Reads Parquet column by column in bounded memory. A view's rows lie in the order of a hash, so that
the first million of them are a fair sample.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.errors import extra

with extra("features"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

SAMPLE = 1_000_000
POINTS = 51
TIMES = frozenset({"first_purchase", "last_purchase", "first_seen", "item_times", "day"})
"""Points in time: they move with every release, as they should."""


@dataclass(frozen=True)
class Numbers:
    """The distribution of a column: `cumulative[i]` of its values are at most `grid[i]`."""

    nulls: float  # share
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    grid: tuple[float, ...] = ()
    cumulative: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: NDArray[np.float64], rows: int) -> Self:
        """Describe the values that are known, of so many rows."""
        values = values[np.isfinite(values)]
        nulls = 1 - len(values) / rows if rows else 0.0
        if not len(values):
            return cls(nulls)
        grid = np.unique(np.quantile(values, np.linspace(0, 1, POINTS), method="inverted_cdf"))
        return cls(
            nulls, float(values.min()), float(values.max()), float(values.mean()),
            tuple(grid.tolist()), tuple(below(values, grid).tolist()),
        )  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """A view: how many rows, and each column's numbers (of a list, its length)."""

    rows: int
    columns: dict[str, Numbers]

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """Read what `as_dict` gave."""
        numbers = {
            name: Numbers(**{**one, "grid": tuple(one["grid"]),
                             "cumulative": tuple(one["cumulative"])})
            for name, one in told["columns"].items()
        }  # fmt: skip
        return cls(told["rows"], numbers)


def profile(folder: Path) -> Profile:
    """Describe a view, one column in memory at a time."""
    view = ds.dataset(folder, format="parquet")
    rows = view.count_rows()
    return Profile(rows, {name: _numbers(view, name, rows) for name in _told(view.schema)})


def below(values: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of values at most as large as each point, as far as single precision tells.

    Where values repeat, a last bit that an engine gives otherwise would move them all to the next.
    """
    with np.errstate(over="ignore"):  # what is beyond single precision stays the largest
        mine, points = np.sort(values.astype(np.float32)), grid.astype(np.float32)
    share: NDArray[np.float64] = np.searchsorted(mine, points, side="right") / len(values)
    return share


def column(folder: Path, name: str) -> NDArray[np.float64]:
    """Read one column as numbers; nan where it is null."""
    return _read(ds.dataset(folder, format="parquet"), name)


def _told(schema: Any) -> Iterator[str]:
    for field in schema:
        if not pa.types.is_timestamp(field.type) and field.name not in TIMES:
            yield field.name


def _numbers(view: Any, name: str, rows: int) -> Numbers:
    return Numbers.of(_read(view, name), min(rows, SAMPLE))


def _read(view: Any, name: str) -> NDArray[np.float64]:
    values = view.head(SAMPLE, columns=[name])[name]
    if pa.types.is_list(values.type):
        values = pc.list_value_length(values)
    elif not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        values = pc.if_else(pc.is_valid(values), 1.0, None)  # known or not is all there is to say
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
