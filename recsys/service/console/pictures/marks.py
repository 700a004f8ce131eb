"""The few marks that pictures are made of."""

from recsys.errors import extra

with extra("report"):
    from markupsafe import Markup, escape


class Drawing:
    """An SVG in the making; a spoken label stands for the whole."""

    def __init__(self, width: float, height: float, label: str, kind: str) -> None:
        self.width, self.height = width, height
        self._label, self._kind = label, kind
        self._parts: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Draw a straight line."""
        at = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self._parts.append(f'<line {at} class="{kind}"/>')

    def path(self, points: list[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        through = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{through}" class="{kind}"/>')

    def dot(self, x: float, y: float, radius: float, kind: str, told: str = "") -> None:
        """Draw a dot; what it tells shows under the pointer."""
        title = f"<title>{escape(told)}</title>" if told else ""
        self._parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="{kind}">{title}</circle>'
        )

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Draw a filled box."""
        at = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self._parts.append(f'<rect {at} class="{kind}"/>')

    def text(self, x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> None:
        """Write a text."""
        at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}"'
        self._parts.append(f"<text {at}>{escape(said)}</text>")

    def done(self) -> Markup:
        """Hand out the picture."""
        box = f'viewBox="0 0 {self.width:.0f} {self.height:.0f}"'
        size = f'width="{self.width:.0f}" height="{self.height:.0f}"'
        head = f'<svg {box} {size} class="{self._kind}" role="img" '
        label = f'aria-label="{escape(self._label)}">'
        return Markup(head + label + "".join(self._parts) + "</svg>")  # noqa: S704 - escaped above


def short(text: str, most: int) -> str:
    """Cut a text to a length."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
