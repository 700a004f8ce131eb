"""Dot plots as inline SVG: drawn in the page's own colours and type, the same bytes every time."""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

from recsys.errors import extra
from recsys.evaluation.harness import BASELINE
from recsys.report.formats import number

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

# colours that stand for the page's own, which differ between light, dark and print
INK, MUTED, RULE, ACCENT, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
ROLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", ACCENT: "--accent", PAPER: "--paper"}
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9.5,
    "axes.unicode_minus": True,
}
LONGEST_NAME = 22


def dot_plot(
    methods: Mapping[str, Mapping[str, Any]],
    metric: str,
    *,
    headline: str,
    label: str,
    show: Callable[[float], str] = number,
) -> str:
    """Draw a dot and its interval per method, best on top, popularity's mean as a dashed line."""
    names = sorted(methods, key=lambda name: methods[name][metric])
    with mpl.rc_context({**STYLE, "svg.hashsalt": metric}):
        figure = Figure(figsize=(4.1, 0.55 + 0.36 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        if BASELINE in methods:
            axes.axvline(methods[BASELINE][metric], color=MUTED, linewidth=0.8, dashes=(3, 3))
        for row, name in enumerate(names):
            _dot(axes, row, methods[name], metric, show, strong=name == headline)
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        axes.xaxis.set_major_formatter(lambda tick, _: _round_number(show(tick)))
        _quiet(axes, len(names))
        return _inline(figure, metric, label)


def _dot(
    axes: Axes,
    row: int,
    method: Mapping[str, Any],
    metric: str,
    show: Callable[[float], str],
    *,
    strong: bool,
) -> None:
    """Fill the headline's dot and leave others hollow, so that it stands out without colour."""
    colour = ACCENT if strong else INK
    value, (low, high) = method[metric], method[f"{metric}_ci"]
    axes.plot([low, high], [row, row], color=colour, linewidth=2.2 if strong else 1.2)
    axes.plot(value, row, "o", color=colour, markersize=7, mfc=colour if strong else PAPER, mew=1.4)
    axes.annotate(
        show(value),
        (1.0, row),
        xycoords=("axes fraction", "data"),
        xytext=(38, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        color=colour,
    )


def _quiet(axes: Axes, rows: int) -> None:
    axes.set_ylim(-0.6, rows - 0.4)
    axes.margins(x=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, colors=MUTED)
    axes.tick_params(axis="y", labelcolor=INK)


def _round_number(text: str) -> str:
    """Drop the zeros that a tick does not need: 0.0500 is 0.05, 20.0 % is 20 %."""
    return re.sub(r"\.?0+(?=\D*$)", "", text)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _inline(figure: Figure, key: str, label: str) -> str:
    """Cut the drawing out of its file: ids of its own, the page's colours, a spoken label."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    prefix = re.sub(r"\W", "-", key)
    text = re.sub(r'((?:\bid="|href="#|url\(#))', rf"\g<1>{prefix}-", text)
    for colour, role in ROLES.items():
        text = text.replace(colour, f"var({role})")
    return re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf"<svg \1 {_spoken(label)}>", text, count=1
    )


def _spoken(label: str) -> str:
    xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg" {xlink}'
