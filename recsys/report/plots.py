"""Plots as inline SVG: drawn in the page's own colours and type, the same bytes every time."""

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recsys.errors import extra
from recsys.evaluation.harness import BASELINE
from recsys.report.formats import number, percent, signed

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

Difference = tuple[str, float, float, float]
"""What is compared, the mean difference, and its interval."""


def dot_plot(
    methods: Mapping[str, Mapping[str, Any]],
    metric: str,
    *,
    headline: str,
    label: str,
    show: Callable[[float], str] = number,
    key: str = "",
) -> str:
    """Draw a dot and its interval per method, best on top, popularity's mean as a dashed line."""
    names = sorted(methods, key=lambda name: methods[name][metric])
    with mpl.rc_context({**STYLE, "svg.hashsalt": key or metric}):
        figure = Figure(figsize=(4.1, 0.55 + 0.36 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        if BASELINE in methods:
            axes.axvline(methods[BASELINE][metric], color=MUTED, linewidth=0.8, dashes=(3, 3))
        for row, name in enumerate(names):
            _dot(axes, row, methods[name], metric, show, strong=name == headline)
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        axes.xaxis.set_major_formatter(lambda tick, _: _round_number(show(tick)))
        _quiet(axes, len(names))
        return _inline(figure, key or metric, label)


def forest(rows: Sequence[Difference], *, key: str, label: str) -> str:
    """Draw differences with their intervals around zero, the first on top.

    Filled: the whole interval is on one side; hollow: it could be chance.
    """
    rows = list(reversed(rows))
    with mpl.rc_context({**STYLE, "svg.hashsalt": key}):
        figure = Figure(figsize=(4.1, 0.55 + 0.3 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0, color=MUTED, linewidth=0.8, dashes=(3, 3))
        for at, (_, mean, low, high) in enumerate(rows):
            sure = low > 0 or high < 0
            axes.plot([low, high], [at, at], color=INK, linewidth=1.4)
            axes.plot(mean, at, "o", color=INK, markersize=6, mfc=INK if sure else PAPER, mew=1.4)
        axes.set_yticks(range(len(rows)), [_short(name) for name, *_ in rows])
        axes.xaxis.set_major_formatter(lambda tick, _: _round_number(signed(tick)))
        _quiet(axes, len(rows))
        return _inline(figure, key, label)


def reliability(bins: Sequence[Mapping[str, Any]], *, key: str, label: str) -> str:
    """Draw accuracy by confidence; on the dashed line they are the same."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": key}):
        figure = Figure(figsize=(4.1, 2.9), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, dashes=(3, 3))
        across = [each["confidence"] for each in bins]
        upward = [each["accuracy"] for each in bins]
        axes.plot(across, upward, "o-", color=ACCENT, markersize=5, linewidth=1.4)
        _framed(axes, "sure of it", "right")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda tick, _: percent(tick, 0))
        return _inline(figure, key, label)


def line(points: Sequence[tuple[str, float]], *, key: str, label: str) -> str:
    """Draw a figure over the releases, oldest on the left."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": key}):
        figure = Figure(figsize=(4.1, 2.3), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(range(len(points)), [value for _, value in points], "o-", color=ACCENT)
        shown = sorted({0, len(points) - 1})
        axes.set_xticks(shown, [points[at][0] for at in shown])
        first, *_, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
        axes.set_ylim(0, 1.15 * max(1e-4, *(value for _, value in points)))
        _framed(axes, "", "")
        axes.yaxis.set_major_formatter(lambda tick, _: _round_number(number(tick)))
        return _inline(figure, key, label)


def _framed(axes: Axes, across: str, upward: str) -> None:
    axes.set_xlabel(across, color=MUTED)
    axes.set_ylabel(upward, color=MUTED)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, colors=MUTED)


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
    return (
        f'role="img" aria-label="{html.escape(label)}" xmlns="http://www.w3.org/2000/svg" {xlink}'
    )
