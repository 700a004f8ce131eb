"""What a feature's value means, in a sentence a person can read."""

import math
import re
from collections.abc import Callable


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _counted(value: float) -> str:
    """Undo log(1 + n); what is beyond all counts stays finite."""
    return _number(math.expm1(min(value, 50)))


def _exp(value: float) -> str:
    """Undo a logarithm."""
    return _number(math.exp(min(value, 50)))


Sentence = tuple[str, str, Callable[[float], str]]

# the first pattern that matches the whole name speaks; {0} is the value, {1} what was matched
_SENTENCES: tuple[Sentence, ...] = (
    (r"score_(.+)", "{1} gives it {0}", _number),
    (r"rank_(.+)", "{1} puts {0} others before it", _number),
    ("votes", "the votes of the sources for it add up to {0}", _number),
    ("sources", "{0} sources propose it", _number),
    ("taste_similarity", "similarity {0} to the shopper's taste as a whole", _number),
    ("max_similarity", "similarity {0} to the most alike of her last purchases", _number),
    ("mean_similarity", "similarity {0} to her last purchases on average", _number),
    ("last_similarity", "similarity {0} to her last purchase", _number),
    (r"(.+)_similarity", "{1} similarity {0}", _number),
    ("item_log_(?:purchases|sold|known)", "the item was sold {0} times", _counted),
    ("item_log_buyers", "the item has {0} buyers", _counted),
    (r"item_(?:purchases|log_sold)_(\d+)d", "the item was sold {0} times in {1} days", _counted),
    ("item_log_price", "the item costs {0}", _exp),
    ("item_age_days", "the item was first sold {0} days ago", _number),
    ("item_idle_days", "the item was last sold {0} days ago", _number),
    ("item_trend", "the item sells at {0} times its pace of three months", _number),
    ("item_price_level", "the item's price is level {0} within its category", _number),
    ("item_season", "share {0} of last year's sales of it fell into these two months", _number),
    (r"item_(.+)", "the item's {1}: {0}", _number),
    (r"shopper_purchases_(\d+)d", "the shopper bought {0} times in {1} days", _number),
    ("shopper_purchases", "the shopper bought {0} times", _number),
    ("shopper_days", "the shopper bought on {0} different days", _number),
    ("shopper_purchases_per_day", "the shopper buys {0} items at a time", _number),
    ("shopper_last_basket", "the shopper bought {0} items the last time", _number),
    ("shopper_recency_days", "the shopper last bought {0} days ago", _number),
    ("shopper_mean_gap_days", "{0} days between the shopper's purchases on average", _number),
    ("shopper_mean_price", "the shopper pays {0} on average", _number),
    ("shopper_price_level", "the shopper buys at price level {0} within a category", _number),
    (r"shopper_distinct_(.+)", "the shopper bought {0} different {1}", _number),
    (r"shopper_(.+)", "the shopper's {1}: {0}", _number),
    ("bought_before", "bought {0} times before", _number),
    ("days_since_bought", "bought before, {0} days ago", _number),
    ("days_since_bought_in_gaps", "bought before, {0} of her usual gaps ago", _number),
    (r"(.+)_share", "share {0} of her purchases is of this {1}", _number),
    (r"(.+)_lately", "share {0} of her latest purchases is of this {1}", _number),
    (r"days_since_(category|brand)", "last bought of this {1} {0} days ago", _number),
    ("price_fit", "{0} away from her usual price level", _number),
    ("price_ratio", "costs {0} times what she usually pays", _exp),
)


def in_words(name: str, value: float) -> str:
    """Say what a feature's value means; of a name without a sentence, the name with spaces."""
    for pattern, sentence, told in _SENTENCES:
        match = re.fullmatch(pattern, name)
        if match:
            what = [part.replace("_", " ") for part in match.groups()]
            if math.isnan(value) or (value == 0 and name.startswith("score_")):
                return _unknown(name)
            return sentence.format(told(value), *what)
    return name.replace("_", " ")


def _unknown(name: str) -> str:
    kind, _, what = name.replace("_", " ").partition(" ")
    return (
        f"{what} has nothing to say of it"
        if kind in {"score", "rank"}
        else f"not known: {kind} {what}"
    )
