"""`tailor config show`."""

import argparse
from typing import Any

from recsys.cli.output import as_json, table
from recsys.settings import Settings, show


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("config", help="settings").add_subparsers(required=True)
    command = group.add_parser("show", help="every setting, its value and where it came from")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_show)


def _show(args: argparse.Namespace, settings: Settings) -> int:
    values = show(settings)
    if args.json:
        as_json({v.key: {"value": v.value, "source": v.source} for v in values})
        return 0
    table(
        "Settings (defaults < tailor.toml < TAILOR_* environment)",
        ("setting", "value", "source", "meaning"),
        [(v.key, _text(v.value), v.source, v.description) for v in values],
    )
    return 0


def _text(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)
