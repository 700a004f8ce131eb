"""`tailor explain`: why an item has the score it has, for one shopper."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.cli.output import as_json, errors, out, table
from recsys.errors import TailorError
from recsys.settings import Settings

if TYPE_CHECKING:
    from recsys.ranker import Contribution, Explanation, Origin
    from recsys.recommend import Recommender
    from recsys.shoppers import Shoppers

SHOWN = 15  # contributions in the table; the others stand in one row


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("explain", help="what made an item's score for a shopper")
    command.add_argument("user", metavar="USER", help="the shopper's id")
    command.add_argument("item", metavar="ITEM", help="the item's id")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_explain)


def _explain(args: argparse.Namespace, settings: Settings) -> int:
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
    shopper = _shopper(parts.shoppers_at(inputs, "serve", catalogue), args.user, where)
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


def _shopper(shoppers: "Shoppers", user: str, where: str) -> "Shoppers":
    rows = np.flatnonzero((shoppers.user_ids == user) & (shoppers.lengths > 0))
    if not len(rows):
        raise TailorError(
            f"no purchase of shopper {user!r} is known",
            where=where,
            fix="check the id; strangers get what is popular, with nothing to explain",
        )
    return shoppers.take(rows[:1])


def explained(
    recommender: "Recommender", shopper: "Shoppers", item: int
) -> tuple["Explanation | None", list["Origin"]]:
    """Explain an item to one shopper; one that was not pooled is looked for in all of a source."""
    from recsys.candidates.pool import DEPTH, build_pool
    from recsys.ranker import build_features, explain_item, origins

    if recommender.ranker is None:
        raise TailorError("there is no ranker", where="tailor explain", fix="run `tailor run`")
    size, mask = recommender.options.pool, recommender.options.mask_history
    pool = build_pool(shopper, recommender.sources, size, mask_history=mask)
    features = build_features(shopper, pool, recommender.shelf)
    found = explain_item(recommender.ranker, pool, features, item)
    depth = max(DEPTH, size) if found else len(recommender.shelf.catalogue)
    return found, origins(recommender.sources, shopper, item, depth)


def document(found: "Explanation | None", sources: Sequence["Origin"]) -> dict[str, Any]:
    """Lay an explanation out for machines: ranks from 1, null for what is not there."""
    return {
        "rank": found.rank + 1 if found else None,
        "score": found.score if found else None,
        "base": found.base if found else None,
        "sources": [asdict(one) | {"rank": one.rank + 1} for one in sources],
        "contributions": [
            asdict(one) | {"value": _known(one.value), "words": one.words}
            for one in (found.contributions if found else ())
        ],
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


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
