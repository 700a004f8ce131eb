"""Make a shop, let people shop in it for two years, write it all down."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.errors import SampleError
from recsys.sample import calendar, files, flaws, habits, ids, listing, reviews, truth, vocabulary
from recsys.sample.purchases import REASONS, Purchases
from recsys.sample.shop import stock
from recsys.sample.shoppers import invite

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SampleReport:
    """What was written."""

    users: int
    items: int
    purchases: int  # distinct good rows, those of unknown items included
    review_lines: int
    item_lines: int
    bad_reviews: dict[str, int]  # by reason
    bad_items: dict[str, int]
    duplicates: int  # exact copies, on top of `purchases`
    unknown_item_purchases: int
    items_without_title: int
    purchases_by_cause: dict[str, int]


@dataclass(frozen=True)
class Order:
    """What was asked for."""

    users: int
    items: int
    seed: int
    purchases_per_user: float
    bad_share: float

    def stream(self, part: str) -> np.random.Generator:
        """Randomness of one part: a change in one leaves the others as they were."""
        return np.random.default_rng(np.random.SeedSequence([self.seed, *part.encode()]))


def write(
    out: Path,
    *,
    users: int,
    items: int,
    seed: int,
    purchases_per_user: float = 12.0,
    bad_share: float = 0.01,
    progress: Progress | None = None,
) -> SampleReport:
    """Write a shop to `out`: `purchases_per_user` is a mean, `bad_share` a share of the lines."""
    order = Order(users, items, seed, purchases_per_user, bad_share)
    words = vocabulary.load()
    _check(order, words)
    with files.published(out) as folder:
        return _write(folder, order, words, progress)


def _write(
    folder: Path, order: Order, words: vocabulary.Vocabulary, progress: Progress | None
) -> SampleReport:
    user_ids = ids.users(order.users, order.stream("user ids"))
    item_ids = ids.items(order.items, order.stream("item ids"))
    shop = stock(words, order.items, order.stream("shop"))
    # a small shop wears out, since what lasts is bought once: begin more visits there
    visits = order.purchases_per_user * (1.2 + 3 * len(words.types) / order.items)
    people = invite(words, order.users, visits, order.stream("shoppers"))
    target = round(order.users * order.purchases_per_user)
    lives = habits.live(words, shop, people, target, order.stream("purchases"))
    bought, future = (lives.take((lives.time < calendar.END) == past) for past in (True, False))

    plan = reviews.plan(len(bought), order.bad_share, order.stream("plan"))
    rng = order.stream("reviews")
    ids_in_reviews = item_ids + ids.items(1 + len(plan.unknown) // 3, rng, taken=item_ids)
    columns = reviews.columns(
        words, shop, bought, rng, user_ids=user_ids, item_ids=ids_in_reviews, unknown=plan.unknown
    )
    listed = listing.write_up(words, shop, item_ids, order.stream("listing"))
    shoppers = truth.users(
        words, people, future, order.stream("truth"), user_ids=user_ids, item_ids=item_ids
    )

    files.write_lines(folder / files.REVIEWS, reviews.lines(columns, plan, rng, progress))
    files.write_lines(folder / files.ITEMS, listed.lines)
    files.write_lines(folder / files.TRUTH_USERS, shoppers)
    files.write_lines(folder / files.TRUTH_ITEMS, truth.items(words, shop, item_ids))
    report = _report(order, bought, plan, listed)
    told = {
        "layout": "amazon-2023",
        "arguments": asdict(order),
        "window": {"from": calendar.iso(calendar.START), "until": calendar.iso(calendar.END)},
        "counts": asdict(report),
        "types": truth.types(words),
        "bad_rows": truth.bad_rows(plan, listed.torn),
        "duplicates": [{"line": line, "same_as": same} for line, same in plan.duplicates],
        "unknown_items": ids_in_reviews[len(item_ids) :],
        "items_without_title": listed.untitled,
    }
    (folder / files.TRUTH).write_text(_readable(told), encoding="utf-8")
    return report


def _readable(told: dict[str, Any]) -> str:
    """JSON with one entry of a list per line."""
    parts = []
    for key, value in told.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value:
            rows = ",\n    ".join(json.dumps(row, ensure_ascii=False) for row in value)
            text = f"[\n    {rows}\n  ]"
        parts.append(f'  "{key}": {text}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _report(
    order: Order, bought: Purchases, plan: reviews.Plan, listed: listing.Listing
) -> SampleReport:
    bad = np.bincount(plan.flaw[plan.flaw >= 0], minlength=len(flaws.REASONS)).tolist()
    cause = np.bincount(bought.reason, minlength=len(REASONS)).tolist()
    return SampleReport(
        users=order.users,
        items=order.items,
        purchases=len(bought),
        review_lines=len(plan.source),
        item_lines=len(listed.lines),
        bad_reviews=dict(zip(flaws.REASONS, bad, strict=True)),
        bad_items={flaws.UNREADABLE: len(listed.torn)},
        duplicates=len(plan.duplicates),
        unknown_item_purchases=len(plan.unknown),
        items_without_title=len(listed.untitled),
        purchases_by_cause=dict(zip(REASONS, cause, strict=True)),
    )


def _check(order: Order, words: vocabulary.Vocabulary) -> None:
    """Refuse what can't be made, and say what could."""
    types = len(words.types)
    _need(order.users >= 1, "users", order.users, "at least 1")
    _need(order.items >= types, "items", order.items, f"at least {types}, one per product type")
    _need(order.seed >= 0, "seed", order.seed, "0 or more")
    _need(
        order.purchases_per_user >= 1, "purchases_per_user", order.purchases_per_user, "1 or more"
    )
    _need(0 <= order.bad_share <= 0.5, "bad_share", order.bad_share, "between 0 and 0.5")


def _need(good: bool, name: str, value: float, wanted: str) -> None:
    if not good:
        raise SampleError(
            f"{name} = {value} can't be used", where="sample", fix=f"make it {wanted}"
        )
