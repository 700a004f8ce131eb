"""Purchases that follow from others: the refill after the device, and what is used up."""

import numpy as np

from recsys.sample import calendar
from recsys.sample.purchases import (
    FOLLOW_UP,
    REPLENISHMENT,
    Purchases,
    in_order,
    once_each,
    thin,
    together,
)
from recsys.sample.shop import Shop
from recsys.sample.shoppers import Shoppers
from recsys.sample.visits import begin
from recsys.sample.vocabulary import Vocabulary

SOON = 0.15  # share of follow-ups that land in the same basket


def live(
    words: Vocabulary, shop: Shop, people: Shoppers, target: int, rng: np.random.Generator
) -> Purchases:
    """All purchases up to the horizon, about `target` of them in the window, in order."""
    lasting = (words.every_days == 0)[shop.type]
    bought = once_each(begin(words, shop, people, rng), np.ones(len(shop.type), np.bool_))
    parts = [bought]
    for _ in range(2):  # a follow-up may have one of its own
        parts.append(follow_up(words, shop, parts[-1], rng))
    parts.extend(replenish(words, shop, people, once_each(together(parts), lasting), rng))
    everything = once_each(together(parts), lasting)
    everything = everything.take(everything.time < calendar.HORIZON)
    return in_order(thin(everything, target, rng))


def follow_up(
    words: Vocabulary, shop: Shop, bought: Purchases, rng: np.random.Generator
) -> Purchases:
    """Buy what purchases lead to, mostly some days later."""
    steps = [product.then[0] if product.then else None for product in words.types]
    chance = np.array([step.chance if step else 0.0 for step in steps])
    days = np.array([step.days if step else 0.0 for step in steps])
    kind = shop.type[bought.item]
    led = (shop.follow[bought.item] >= 0) & (rng.random(len(bought)) < chance[kind])
    cause = bought.take(led)
    wait = days[kind[led]] * rng.lognormal(0.0, 0.5, len(cause))
    soon = rng.random(len(cause)) < SOON
    at_once = cause.time + rng.integers(20_000, 300_000, len(cause))
    later = cause.time // calendar.DAY * calendar.DAY + (1 + wait).astype(np.int64) * calendar.DAY
    item = shop.follow[cause.item]
    time = np.where(soon, at_once, calendar.at_some_hour(later, rng))
    reason = np.full(len(cause), FOLLOW_UP)
    made = Purchases(cause.user, item, time, reason, cause.root)
    return made.take(time >= shop.released[item])


def replenish(
    words: Vocabulary,
    shop: Shop,
    people: Shoppers,
    bought: Purchases,
    rng: np.random.Generator,
) -> list[Purchases]:
    """Buy again what is used up, for as long as the shopper keeps the habit."""
    every = words.every_days[shop.type]
    parts, last = [], bought.take(every[bought.item] > 0)
    while len(last):
        last = last.take(rng.random(len(last)) < people.keen[last.user])
        wait = every[last.item] * people.pace[last.user] * rng.lognormal(0.0, 0.15, len(last))
        day = last.time // calendar.DAY * calendar.DAY + (1 + wait).astype(np.int64) * calendar.DAY
        time = calendar.at_some_hour(day, rng)
        reason = np.full(len(last), REPLENISHMENT)
        last = Purchases(last.user, last.item, time, reason, last.root)
        last = last.take(last.time < np.minimum(people.stop[last.user], calendar.HORIZON))
        parts.append(last)
    return parts
