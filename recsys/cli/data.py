"""`tailor sample`: raw files of the built-in shop."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recsys.cli.output import as_json, out, table
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("sample", help="write raw files of the built-in shop")
    command.add_argument("--users", type=int, required=True, metavar="N", help="shoppers")
    command.add_argument("--items", type=int, required=True, metavar="M", help="products")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="same seed, same bytes")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to fill")
    command.add_argument("--json", action="store_true", help="print the counts as JSON")
    command.set_defaults(run=_sample)


def _sample(args: argparse.Namespace, _settings: Settings) -> int:
    from recsys.sample import write

    report = write(args.out, users=args.users, items=args.items, seed=args.seed)
    if args.json:
        as_json(asdict(report))
        return 0
    table(
        "The built-in shop",
        ("", "count"),
        [
            ("shoppers", f"{report.users:,}"),
            ("items", f"{report.items:,}"),
            ("purchases", f"{report.purchases:,}"),
            ("bad rows planted", sum(report.bad_reviews.values()) + sum(report.bad_items.values())),
            ("exact duplicates planted", report.duplicates),
            ("purchases of unknown items planted", report.unknown_item_purchases),
            ("items without a title planted", report.items_without_title),
        ],
        right=("count",),
    )
    folder = out().escape(str(args.out))
    out().print(
        f"wrote {folder}; what was planted is in truth.json\n"
        f"next: tailor run --reviews {folder}/reviews.jsonl.gz --items {folder}/items.jsonl.gz",
        soft_wrap=True,
    )
    return 0
