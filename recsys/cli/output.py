"""How the command line speaks: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.errors import SettingsError

# a pipe or a log has no width of its own; cells must not wrap at 80 there
_WIDTH = 140
_STDOUT = Path("-")


class Terminal(Console):
    """A rich console that knows how to escape untrusted text."""

    @staticmethod
    def escape(text: str) -> str:
        """Text that is shown as it is: titles and ids may hold anything."""
        return escape(text)


@cache
def out() -> Terminal:
    """The console of results."""
    return Terminal(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)


@cache
def errors() -> Terminal:
    """The console of errors and progress."""
    return Terminal(
        stderr=True, width=None if sys.stderr.isatty() else _WIDTH, highlight=False, soft_wrap=True
    )


def as_json(value: Any) -> None:
    """Print one JSON document, for machines."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()
) -> None:
    """Print a table; every cell is escaped."""
    out().print(f"[bold]{escape(title)}[/]", soft_wrap=True)  # a table's own title would wrap
    drawn = Table(header_style="dim", box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(str(cell)) for cell in row))
    out().print(drawn)
    out().print()


def hand_out(
    result: Mapping[str, Any], path: Path | None, draw: Callable[[Mapping[str, Any]], None]
) -> None:
    """Print the figures, as a table or as JSON, and write them where asked."""
    if path == _STDOUT:
        as_json(result)
        return
    draw(result)
    if path is not None:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        out().print(f"all figures: {out().escape(str(path))}", soft_wrap=True)


def make_room(path: Path | None) -> None:
    """See before hours of work that their result can be written."""
    if path in {None, _STDOUT}:
        return
    assert path is not None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise SettingsError(
            f"can't be written: {error.strerror}", where=f"--json {path}", fix="name another file"
        ) from error
