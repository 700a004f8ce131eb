"""The review file: one line per purchase, shuffled, with the planted flaws among them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from recsys.sample import flaws, ids
from recsys.sample.purchases import Purchases
from recsys.sample.shop import Shop
from recsys.sample.vocabulary import Vocabulary

Ints = NDArray[np.int64]

CHUNK = 50_000


@dataclass(frozen=True)
class Plan:
    """What stands on which line."""

    source: Ints  # (L,) purchase a line tells of
    flaw: Ints  # (L,) number of its reason in flaws.REASONS, -1: a good row
    unknown: Ints  # purchases whose item is in no item file
    duplicates: list[tuple[int, int]]  # (line, the earlier line it repeats), from 1


@dataclass(frozen=True)
class Columns:
    """What the review lines say, by purchase."""

    rating: Ints
    title: list[str]  # JSON, quotes included
    text: list[str]
    title_at: Ints
    text_at: Ints
    asin: list[str]
    parent: list[str]
    asin_at: Ints
    parent_at: Ints
    user: list[str]
    user_at: Ints
    time: Ints
    helpful: Ints
    verified: NDArray[np.bool_]


def plan(purchases: int, bad_share: float, rng: np.random.Generator) -> Plan:
    """Choose the flawed rows and shuffle all lines, so that their order says nothing."""
    unknown, repeated = max(2, purchases // 2000), max(2, purchases // 5000)
    chosen = rng.permutation(purchases)
    doubled = chosen[unknown : unknown + repeated]
    bad = rng.integers(0, purchases, round(purchases * bad_share / (1 - bad_share)))
    source = np.concatenate([np.arange(purchases), doubled, bad])
    flaw = np.full(len(source), -1)
    flaw[purchases + len(doubled) :] = np.arange(len(bad)) % len(flaws.REASONS)
    order = rng.permutation(len(source))
    line = np.empty(len(source), np.int64)
    line[order] = np.arange(1, len(source) + 1)
    twins = np.stack([line[doubled], line[purchases : purchases + len(doubled)]], axis=1)
    pairs = [(max(pair), min(pair)) for pair in twins.tolist()]
    return Plan(source[order], flaw[order], chosen[:unknown], sorted(pairs))


def columns(
    words: Vocabulary,
    shop: Shop,
    bought: Purchases,
    rng: np.random.Generator,
    *,
    user_ids: list[str],
    item_ids: list[str],
    unknown: Ints,
) -> Columns:
    """Ratings, words and ids of all purchases; `item_ids` ends with those of unknown items."""
    count, known = len(bought), len(shop.type)
    parent_at = bought.item.copy()
    parent_at[unknown] = known + np.arange(len(unknown)) % (len(item_ids) - known)
    variants = rng.integers(1, 5, len(item_ids))
    other = iter(ids.items(int(variants.sum()), rng, taken=item_ids))
    asins = (
        [item, *islice(other, count - 1)]
        for item, count in zip(item_ids, variants.tolist(), strict=True)
    )
    starts = np.cumsum(variants) - variants
    mood = rng.normal(0.0, 0.4, len(user_ids))[bought.user]
    pleased = 4.5 + shop.quality[bought.item] + mood + rng.normal(0.0, 0.8, count)
    rating = np.clip(np.round(pleased), 1, 5).astype(np.int64)
    title, title_at = _titles(words, rating, rng)
    text, text_at = _texts(words, shop.type[bought.item], rating, rng)
    return Columns(
        rating=rating,
        title=title,
        text=text,
        title_at=title_at,
        text_at=text_at,
        asin=list(chain.from_iterable(asins)),
        parent=item_ids,
        asin_at=starts[parent_at] + (rng.random(count) * variants[parent_at]).astype(np.int64),
        parent_at=parent_at,
        user=user_ids,
        user_at=bought.user,
        time=bought.time,
        helpful=rng.geometric(0.7, count) - 1,
        verified=rng.random(count) < 0.93,
    )


def _pick(sizes: Ints, group: Ints, rng: np.random.Generator) -> Ints:
    """Draw a number within each row's group, groups laid end to end."""
    starts = np.cumsum(sizes) - sizes
    picked: Ints = starts[group] + (rng.random(len(group)) * sizes[group]).astype(np.int64)
    return picked


def _titles(words: Vocabulary, rating: Ints, rng: np.random.Generator) -> tuple[list[str], Ints]:
    groups = [words.reviews[str(stars)]["titles"] for stars in range(1, 6)]
    flat = [json.dumps(title, ensure_ascii=False) for group in groups for title in group]
    return flat, _pick(np.array([len(group) for group in groups]), rating - 1, rng)


def _texts(
    words: Vocabulary, kind: Ints, rating: Ints, rng: np.random.Generator
) -> tuple[list[str], Ints]:
    groups = [
        [text.format(noun=product.noun.lower()) for text in words.reviews[str(stars)]["texts"]]
        for product in words.types
        for stars in range(1, 6)
    ]
    flat = [json.dumps(text, ensure_ascii=False) for group in groups for text in group]
    return flat, _pick(np.array([len(group) for group in groups]), kind * 5 + rating - 1, rng)


def lines(
    data: Columns,
    order: Plan,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None,
) -> Iterator[str]:
    """Yield the file's text, a chunk at a time."""
    total = len(order.source)
    for low in range(0, total, CHUNK):
        chunk = _good(data, order.source[low : low + CHUNK])
        flaw = order.flaw[low : low + CHUNK]
        for at in np.flatnonzero(flaw >= 0).tolist():
            chunk[at] = flaws.spoil(chunk[at], flaws.REASONS[flaw[at]], rng)
        yield "\n".join(chunk) + "\n"
        if progress:
            progress(min(low + CHUNK, total), total)


def _good(data: Columns, rows: Ints) -> list[str]:
    values = zip(
        data.rating[rows].tolist(),
        map(data.title.__getitem__, data.title_at[rows].tolist()),
        map(data.text.__getitem__, data.text_at[rows].tolist()),
        map(data.asin.__getitem__, data.asin_at[rows].tolist()),
        map(data.parent.__getitem__, data.parent_at[rows].tolist()),
        map(data.user.__getitem__, data.user_at[rows].tolist()),
        data.time[rows].tolist(),
        data.helpful[rows].tolist(),
        np.where(data.verified[rows], "true", "false").tolist(),
        strict=True,
    )
    return [
        f'{{"rating": {rating}.0, "title": {title}, "text": {text}, "images": [], '
        f'"asin": "{asin}", "parent_asin": "{parent}", "user_id": "{user}", '
        f'"timestamp": {time}, "helpful_vote": {helpful}, "verified_purchase": {verified}}}'
        for rating, title, text, asin, parent, user, time, helpful, verified in values
    ]
