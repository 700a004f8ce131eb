"""`tailor recommend` and `tailor lookup`: what is published, as an engineer reads it."""

import argparse
from datetime import datetime, timedelta
from typing import Any

from recsys.cli.output import as_json, errors, out, table
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the commands."""
    recommend = commands.add_parser("recommend", help="a shopper's published list, with reasons")
    recommend.set_defaults(run=_recommend)
    lookup = commands.add_parser("lookup", help="a shopper's features online, with their ages")
    lookup.set_defaults(run=_lookup)
    for command in (recommend, lookup):
        command.add_argument("user", metavar="USER", help="the shopper's id")
        command.add_argument("--json", action="store_true", help="print JSON")


def _recommend(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.published import Published

    published = Published.open(settings)
    for release, why in published.refused.items():
        errors().print(f"[yellow]refused[/] {release}: {errors().escape(why)}")
    found = published.list_of(args.user)
    titles = published.titles([entry.item_id for entry in found.entries])
    if args.json:
        as_json(
            {
                "user": args.user,
                "release": published.release.id,
                "lineage_key": published.release.key,
                "rung": found.rung,
                "why": found.why,
                "items": [
                    {"rank": rank, **entry._asdict(), "title": _of(titles, entry.item_id, "title")}
                    for rank, entry in enumerate(found.entries, start=1)
                ],
            }
        )
        return 0
    show_list(args.user, found, titles)
    out().print(f"[dim]release {published.release.id}, data up to {published.release.data_cut}[/]")
    return 0


def show_list(user: str, found: Any, titles: dict[str, dict[str, Any]]) -> None:
    """Draw one shopper's list."""
    because = f", because: {found.why.replace('_', ' ')}" if found.why not in {"", "best"} else ""
    table(
        f"For {user}, by {found.rung.replace('_', ' ')}{because}",
        ("", "item", "title", "price", "why"),
        [
            (
                rank,
                entry.item_id,
                _of(titles, entry.item_id, "title")[:70],
                _price(_of(titles, entry.item_id, "price")),
                entry.reason,
            )
            for rank, entry in enumerate(found.entries, start=1)
        ],
        right=("", "price"),
    )


def _of(titles: dict[str, dict[str, Any]], item: str, column: str) -> Any:
    return titles.get(item, {}).get(column) or ""


def _price(price: Any) -> str:
    return f"{price:.2f}" if price else ""


def _lookup(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.online import lookup_of
    from recsys.published import Published

    published = Published.open(settings)
    lookup = lookup_of(settings, published.release, published.artifacts)
    now = lookup.clock()
    row = lookup.lookup([args.user], now)[0]
    if args.json:
        as_json(
            {
                "user": args.user,
                "now": now,
                "found": row.found,
                "views": {
                    name: {
                        "outcome": view.outcome,
                        "event_timestamp": view.event_timestamp,
                        "age_days": view.age and view.age / timedelta(days=1),
                        "reason": view.reason,
                        "values": dict(view.values),
                    }
                    for name, view in row.views.items()
                },
            }
        )
    else:
        _show_row(row, now)
    return 0 if row.known else 1


def _show_row(row: Any, now: datetime) -> None:
    for name, view in row.views.items():
        age = f", {view.age / timedelta(days=1):.1f} days old" if view.age is not None else ""
        reason = f": {view.reason}" if view.reason else ""
        table(
            f"{name} ({view.outcome}{age}{reason})",
            ("feature", "value"),
            [(key, _short(value)) for key, value in view.values.items()],
        )
    out().print(f"[dim]{row.found}; ages measured at {now.isoformat()}[/]")
    if not row.known:
        errors().print(f"nothing fresh is known of {errors().escape(row.user_id)}")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple) and len(value) > 6:
        shown = ", ".join(_short(each) for each in value[-6:])
        return f"{len(value)} values, the last: {shown}"
    return str(value)
