"""`tailor explain`: why an item has the score it has, for one shopper."""

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recsys.cli.output import as_json, errors, out, table
from recsys.errors import TailorError
from recsys.settings import Settings

if TYPE_CHECKING:
    from recsys.ranker import Contribution, Explanation, Origin

SHOWN = 15  # contributions in the table; the others stand in one row


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("explain", help="what made an item's score for a shopper")
    command.add_argument("user", metavar="USER", help="the shopper's id")
    command.add_argument("item", metavar="ITEM", help="the item's id")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_explain)


def _explain(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.explaining import document, explained, known_shopper
    from recsys.pipeline import parts
    from recsys.published import Published

    published = Published.open(settings)
    for release, why in published.refused.items():
        errors().print(f"[yellow]refused[/] {release}: {errors().escape(why)}")
    inputs = published.artifacts
    catalogue = parts.catalogue_of(inputs)
    where = f"release {published.release.id}"
    item = catalogue.index.get(args.item)
    if item is None:
        raise TailorError(
            f"no item {args.item!r}", where=where, fix="`tailor recommend USER` shows ids of items"
        )
    shopper = known_shopper(parts.shoppers_at(inputs, "serve", catalogue), args.user, where)
    recommender = parts.two_stage_at(inputs, "serve", catalogue, settings)
    found, sources = explained(recommender, shopper, item)
    head = {
        "user": args.user,
        "item": args.item,
        "title": catalogue.titles[item],
        "release": published.release.id,
    }
    if args.json:
        as_json(head | document(found, sources))
    else:
        _show(head, found, sources, recommender.options.pool)
    return 0 if found else 1


def _show(
    head: dict[str, Any], found: "Explanation | None", sources: Sequence["Origin"], pool: int
) -> None:
    what = f"{head['title'] or 'without a title'} ({head['item']}) for {head['user']}"
    place = f"rank {found.rank + 1} of the candidates" if found else "not among the candidates"
    table(
        f"{what}: {place}",
        ("source", "rank", "score", "because"),
        [(one.source, one.rank + 1, f"{one.score:.4g}", one.because or "") for one in sources],
        right=("rank", "score"),
    )
    if found:
        _show_score(found)
    elif sources:
        out().print(f"these sources have it, but {pool} candidates were pooled without it")
    else:
        out().print("no source has it for this shopper")
    out().print(f"[dim]release {head['release']}[/]")


def _show_score(found: "Explanation") -> None:
    shown, others = found.contributions[:SHOWN], found.contributions[SHOWN:]
    rows = [("base", "", f"{found.base:+.4f}", "expected before anything is known")]
    rows += [_row(one) for one in shown]
    if others:
        rest = sum(one.contribution for one in others)
        rows.append((f"{len(others)} others", "", f"{rest:+.4f}", ""))
    table(
        f"Score {found.score:.4f} by the ranker, and what adds up to it",
        ("feature", "value", "adds", "in words"),
        rows,
        right=("value", "adds"),
    )


def _row(one: "Contribution") -> tuple[str, str, str, str]:
    value = "" if math.isnan(one.value) else f"{one.value:.4g}"
    return one.feature, value, f"{one.contribution:+.4f}", one.words
