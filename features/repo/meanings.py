"""What every feature means, over which window it looks, and what it is made from.

`docs/features.md` is written from here; a column without an entry fails a test.
"""

from dataclasses import dataclass

EVER = "ever"


@dataclass(frozen=True)
class Feature:
    """One column of a view."""

    meaning: str
    window: str = EVER
    source: str = "purchases"


def _windows(prefix: str, meaning: str, source: str = "purchases") -> dict[str, Feature]:
    return {
        f"{prefix}_{days}d": Feature(meaning, f"{days} days", source) for days in (7, 30, 90, 365)
    }


_LATEST = "the latest features.history.most_purchases"
_BOTH = "purchases, items"

_STATS = {
    "purchases": Feature("purchases", _LATEST),
    **_windows("purchases", "purchases"),
    "distinct_items": Feature("different items", _LATEST),
    "distinct_categories": Feature("different categories, by their whole path", _LATEST, _BOTH),
    **_windows("distinct_categories", "different categories, by their whole path", _BOTH),
    "distinct_brands": Feature("different brands", _LATEST, _BOTH),
    **_windows("distinct_brands", "different brands", _BOTH),
    "recency_days": Feature("days since the last purchase"),
    "tenure_days": Feature("days since the first purchase", _LATEST),
    "first_purchase": Feature("time of the first purchase, epoch seconds", _LATEST),
    "last_purchase": Feature("time of the last purchase, epoch seconds"),
    "mean_gap_days": Feature("mean days between purchases; null after the first", _LATEST),
    "gap_variance": Feature(
        "variance of the days between purchases; null with less than two gaps", _LATEST
    ),
    "mean_price": Feature(
        "mean price paid, or the list price where none is told; null where neither is known",
        _LATEST,
        _BOTH,
    ),
    "price_level": Feature(
        "mean place of the items' prices within their categories, 0 cheapest to 1 dearest",
        _LATEST,
        _BOTH,
    ),
    "price_spread": Feature(
        "standard deviation of those places; null with less than two", _LATEST, _BOTH
    ),
    "repeat_share": Feature("share of purchases of an item bought before", _LATEST),
    "taste_categories": Feature(
        "the categories that weigh most; a purchase weighs half of one made "
        "features.history.taste_half_life_days later",
        _LATEST,
        _BOTH,
    ),
    "taste_category_weights": Feature("their shares of all her categories", _LATEST, _BOTH),
    "taste_brands": Feature("the brands that weigh most, likewise", _LATEST, _BOTH),
    "taste_brand_weights": Feature("their shares of all her brands", _LATEST, _BOTH),
}

_RECENT = "the latest features.history.recent_items"
_HISTORY = {
    "item_ids": Feature("items bought, oldest to newest", _RECENT),
    "item_times": Feature("when each was bought, epoch seconds", _RECENT),
    "history_hash": Feature("sha256 of both lists: tells whether they changed", _RECENT),
}

_WORDS = "items, text encoder"
_USER_EMBEDDING = {
    "embedding": Feature(
        "mean of the embeddings of the items bought; one weighs half of one bought "
        "features.embedding.half_life_purchases purchases later",
        _RECENT,
        "user_history, item_embedding",
    ),
    "encoder": Feature("name and version of what made the items' embeddings", _RECENT, _WORDS),
}

_USER_COLLABORATIVE = {
    "embedding": Feature(
        "the same mean over the vectors that items have by what is bought near them",
        _RECENT,
        "user_history, pairs",
    ),
    "encoder": Feature("name and version of what made those vectors", _RECENT, "pairs"),
}

_ITEM_STATS = {
    "purchases": Feature("purchases of the item"),
    **_windows("purchases", "purchases of the item"),
    "trend": Feature(
        "log2 of the last 30 days' purchases over half of those of the 60 days before, "
        "one added to each; in single precision",
        "90 days",
    ),
    "buyers": Feature("different shoppers who bought it"),
    "repeat_rate": Feature("share of its buyers who bought it more than once"),
    "mean_rating": Feature("mean rating; null where nobody rated it"),
    "first_seen": Feature("time of its first purchase, epoch seconds"),
    "age_days": Feature("days since its first purchase"),
    "price_level": Feature(
        "place of its price within its category among items bought so far, 0 to 1",
        source=_BOTH,
    ),
    "price_rank": Feature(
        "rank of its price within its category among items bought so far, 1 cheapest", source=_BOTH
    ),
}

_ITEM_EMBEDDING = {
    "embedding": Feature("embedding of its title and narrowest category", "none", _WORDS),
    "encoder": Feature("name and version of what made it", "none", _WORDS),
}

_TOLD = "user_history, profile generator"
_PROFILE = {
    "profile": Feature("the shopper in words, for a prompt", _RECENT, _TOLD),
    "guidance": Feature("what her next list should look like, in words", _RECENT, _TOLD),
    "style": Feature("how she wants to be spoken to", _RECENT, _TOLD),
    "history_hash": Feature("of the history that the profile tells of", _RECENT, "user_history"),
    "generator": Feature("name and version of what wrote the profile", "none", _TOLD),
    "prompt_version": Feature("version of the prompts it was written by", "none", _TOLD),
    "level": Feature("how far the ladder of profile writers had to be stepped down", "none", _TOLD),
    "embedding": Feature("embedding of the profile", _RECENT, "profile, text encoder"),
    "encoder": Feature("name and version of what made that embedding", "none", "text encoder"),
}

_LISTS = {
    "item_ids": Feature("items recommended, best first", "none", "published lists"),
    "scores": Feature("their scores", "none", "published lists"),
    "release": Feature("the release the list came from", "none", "published lists"),
}

MEANINGS: dict[str, dict[str, Feature]] = {
    "user_purchase_stats": _STATS,
    "user_history": _HISTORY,
    "user_embedding": _USER_EMBEDDING,
    "user_collaborative": _USER_COLLABORATIVE,
    "user_profile": _PROFILE,
    "item_stats": _ITEM_STATS,
    "item_embedding": _ITEM_EMBEDDING,
    "user_recommendations": _LISTS,
}
