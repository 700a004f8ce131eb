"""A shopper's purchases along time, a lane for each kind of item."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from recsys.errors import extra
from recsys.service.console.history import Bought
from recsys.service.console.pictures.marks import Drawing, short

with extra("report"):
    from markupsafe import Markup

TOP, RIGHT = 10.0, 40.0
LANES = 7
OTHERS = "other kinds"
STEPS = (1, 2, 3, 6, 12, 24, 60)  # months between ticks


class Shape(NamedTuple):
    """How a picture is laid out; where labels have no room beside the lanes, they stand above."""

    width: float
    labels: float
    lane: float
    ticks: int

    @property
    def above(self) -> bool:
        """Whether labels stand above the lanes."""
        return not self.labels


WIDE, NARROW = Shape(1060, 190, 28, 9), Shape(340, 0, 44, 3)


def timeline(purchases: Sequence[Bought], now: datetime, shape: Shape = WIDE) -> Markup:
    """Draw a dot per purchase; a hollow one is an item bought before."""
    counts = Counter(bought.item.category or OTHERS for bought in purchases)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    lanes = ranked if len(ranked) <= LANES else [*ranked[: LANES - 1], OTHERS]
    bottom = TOP + shape.lane * len(lanes)
    label = f"{len(purchases)} purchases by kind and time; the table below tells each"
    drawing = Drawing(shape.width, bottom + 28, label, "timeline")
    first, last = purchases[0].when, max(now, purchases[-1].when)
    span = max((last - first).total_seconds(), 1.0)

    def across(moment: datetime) -> float:
        share = (moment - first).total_seconds() / span
        return shape.labels + 10 + share * (shape.width - shape.labels - 10 - RIGHT)

    def down(row: int) -> float:
        return TOP + shape.lane * (row + (0.68 if shape.above else 0.5))

    for tick, name in _ticks(first, last, shape.ticks):
        drawing.line(across(tick), TOP, across(tick), bottom, "grid")
        drawing.text(across(tick), bottom + 18, name, "tick", "middle")
    for row, name in enumerate(lanes):
        y = down(row)
        drawing.line(shape.labels, y, shape.width - RIGHT, y, "lane")
        if shape.above:
            drawing.text(0, y - 14, short(name, 44), "name")
        else:
            drawing.text(shape.labels - 8, y + 4, short(name, 26), "name", "end")
    for bought in purchases:
        kind = bought.item.category or OTHERS
        row = lanes.index(kind if kind in lanes else OTHERS)
        told = f"{bought.when:%Y-%m-%d}: {bought.item.title}"
        mark = "again" if bought.times_before else "first"
        drawing.dot(across(bought.when), down(row), 6, mark, told)
    return drawing.done()


def _ticks(first: datetime, last: datetime, most: int) -> list[tuple[datetime, str]]:
    """Beginnings of months, as many as have room."""
    months = (last.year - first.year) * 12 + last.month - first.month
    step = next((each for each in STEPS if months / each <= most), STEPS[-1])
    start = first.year * 12 + first.month  # the month after the first, counted from 0
    ticks = []
    for month in range(start, start + months + 1):
        year, at = divmod(month, 12)
        moment = datetime(year, at + 1, 1, tzinfo=UTC)
        if at % step == 0 and first + timedelta(days=1) < moment <= last:
            ticks.append((moment, f"{moment:%b %Y}" if step < 12 else f"{year}"))
    return ticks
