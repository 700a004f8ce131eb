"""Small pictures beside numbers: a line of a trend, a bar of a share."""

from collections.abc import Sequence

from recsys.errors import extra
from recsys.service.console.pictures.marks import Drawing

with extra("report"):
    from markupsafe import Markup

WIDTH, HEIGHT, EDGE = 140.0, 32.0, 4.0


def spark(values: Sequence[float], label: str, *, width: float = WIDTH) -> Markup:
    """Draw a line through the values, oldest first, and a dot at the last."""
    drawing = Drawing(width, HEIGHT, label, "spark" if width == WIDTH else "spark wide")
    if not values:
        return drawing.done()
    low, high = min(values), max(values)
    span = high - low or 1.0
    step = (width - 2 * EDGE) / max(len(values) - 1, 1)
    flat = high == low
    points = [
        (
            EDGE + at * step,
            HEIGHT / 2 if flat else HEIGHT - EDGE - (value - low) / span * (HEIGHT - 2 * EDGE),
        )
        for at, value in enumerate(values)
    ]
    if len(points) > 1:
        drawing.path(points, "trend")
    drawing.dot(*points[-1], 3, "end")
    return drawing.done()


def bar(share: float, label: str) -> Markup:
    """Fill a track by a share from 0 to 1."""
    drawing = Drawing(100, 8, label, "bar")
    drawing.box(0, 0, 100, 8, "track")
    drawing.box(0, 0, 100 * min(max(share, 0.0), 1.0), 8, "fill")
    return drawing.done()
