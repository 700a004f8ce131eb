"""How the command line speaks: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# a pipe or a log has no width of its own; cells must not wrap at 80 there
_WIDTH = 140


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
