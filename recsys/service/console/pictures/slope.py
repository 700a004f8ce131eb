"""How a list came to its order: a column per stage, a line per item, its rank as height."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from recsys.errors import extra
from recsys.service.console.order import Line
from recsys.service.console.pictures.marks import Drawing, short

with extra("report"):
    from markupsafe import Markup

ROW, TOP, LEFT, AFTER = 22.0, 34.0, 44.0, 34.0
BELOW = 6  # rows for all ranks beyond the list
NOWHERE = 10_000  # the rank of what is not there: at the very bottom
LETTER = 8.5  # width of one, at most on average: of wide letters and a wide font


class Shape(NamedTuple):
    """How wide a picture is: between its first and last column, and for titles beside it."""

    columns: float
    titles: float

    @property
    def letters(self) -> int:
        """Characters of a title that have room."""
        return int((self.titles - AFTER) / LETTER)


WIDE, NARROW = Shape(440, 420), Shape(132, 167)


def slope(
    stages: Sequence[str], lines: Sequence[Line], k: int, label: str, shape: Shape = WIDE
) -> Markup:
    """Draw the ranks; those beyond the list fall together towards the bottom."""
    steps = max(len(stages) - 1, 1)
    across = [LEFT + min(shape.columns / steps, 260) * at for at in range(len(stages))]
    right = across[-1]
    beyond = any(rank is None or rank > k for line in lines for rank in line.ranks)
    rows = k + BELOW if beyond else k
    drawing = Drawing(right + shape.titles, TOP + ROW * rows + 8, label, "slope")
    for x, name in zip(across, stages, strict=True):
        if x == LEFT:
            drawing.text(LEFT - 30, 16, name, "stage")
        else:
            drawing.text(x, 16, name, "stage", "middle")
        drawing.line(x, TOP - 8, x, TOP + ROW * rows, "axis")
    if beyond:
        floor = TOP + ROW * (k + 0.25)
        drawing.line(LEFT, floor, right, floor, "border")
        drawing.text(LEFT - 10, floor + 18, f"{k + 1}+", "rank", "end")
    for line in sorted(lines, key=lambda each: each.kept):
        _draw(drawing, line, k, across, shape)
    return drawing.done()


def _draw(drawing: Drawing, line: Line, k: int, across: Sequence[float], shape: Shape) -> None:
    kind = _kind(line)
    heights = [_height(rank or NOWHERE, k) for rank in line.ranks]
    points = list(zip(across, heights, strict=True))
    if len(points) > 1:
        drawing.path(points, f"way {kind}")
    for (x, y), rank in zip(points, line.ranks, strict=True):
        if rank:
            drawing.dot(x, y, 4, kind, f"{line.title}: {rank}")
    first, last = line.ranks[0], line.ranks[-1]
    if first and first <= k:
        drawing.text(LEFT - 10, points[0][1] + 4, str(first), "rank", "end")
    if line.kept and last:
        x, y = points[-1]
        drawing.text(x + 10, y + 4, str(last), "rank")
        drawing.text(x + AFTER, y + 4, short(line.title, shape.letters), "title")


def _kind(line: Line) -> str:
    """Up, down, same or gone: told by colour and by dash."""
    first, last = line.ranks[0] or NOWHERE, line.ranks[-1] or NOWHERE
    if not line.kept:
        return "gone"
    if last == first:
        return "same"
    return "up" if last < first else "down"


def _height(rank: int, k: int) -> float:
    """A row per rank of the list; what is beyond it nears the bottom by its logarithm."""
    if rank <= k:
        return TOP + ROW * (rank - 0.5)
    beyond = min(math.log(rank / k) / math.log(30), 1.0)
    return TOP + ROW * (k + 0.8 + beyond * (BELOW - 1))
