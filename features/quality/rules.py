"""What every table and view must be: its columns, their Spark types, and the range of each.

Kept beside the definitions for Feast, which take seconds to import; a test compares the two.
"""

from dataclasses import dataclass, field
from math import inf

from features.schema import ITEMS, PURCHASES, Column

Range = tuple[float, float]
COUNT, SHARE, DAYS, ANY = (0.0, inf), (0.0, 1.0), (0.0, inf), (-inf, inf)
WINDOWS = ("7d", "30d", "90d", "365d")


@dataclass(frozen=True)
class Rules:
    """One table: column to Spark SQL type, what is never null, and ranges of numbers."""

    columns: dict[str, str]
    key: tuple[str, ...]
    required: frozenset[str] = frozenset()
    ranges: dict[str, Range] = field(default_factory=dict)

    @property
    def never_null(self) -> frozenset[str]:
        """The key, and what else every row must have."""
        return self.required | frozenset(self.key)


def _canonical(columns: tuple[Column, ...], key: tuple[str, ...], **ranges: Range) -> Rules:
    types = {column.name: column.type for column in columns}
    required = frozenset(column.name for column in columns if not column.nullable)
    return Rules(types, key, required, ranges)


def _view(key: str, kinds: dict[str, dict[str, Range | None]], null: tuple[str, ...] = ()) -> Rules:
    """Describe a view; what is not named in `null` is never null."""
    columns = {name: kind for kind, names in kinds.items() for name in names}
    ranges = {name: limits for names in kinds.values() for name, limits in names.items() if limits}
    stamps = {"event_timestamp": "timestamp", "created_timestamp": "timestamp"}
    required = frozenset(columns) - frozenset(null) | frozenset(stamps)
    return Rules({f"{key}_id": "string"} | columns | stamps, (f"{key}_id",), required, ranges)


def _each(limits: Range | None, *names: str) -> dict[str, Range | None]:
    return dict.fromkeys(names, limits)


def _windows(*names: str) -> list[str]:
    return [f"{name}_{window}" for name in names for window in WINDOWS]


def _pairs(**weights: Range) -> Rules:
    ids = {"item_id": "string", "neighbour_id": "string"}
    types = ids | dict.fromkeys(weights, "double") | {"links": "bigint"}
    return Rules(types, tuple(ids), frozenset(types), weights | {"links": (1, inf)})


_EMBEDDING: dict[str, dict[str, Range | None]] = {
    "array<float>": _each(None, "embedding"),
    "string": _each(None, "encoder"),
}
_UNKNOWABLE = ("mean_gap_days", "gap_variance", "mean_price", "price_level", "price_spread")

RULES: dict[str, Rules] = {
    "purchases": _canonical(PURCHASES, (), rating=(1.0, 5.0), price=COUNT, sequence=COUNT),
    "items": _canonical(ITEMS, ("item_id",), price=COUNT),
    "user_purchase_stats": _view(
        "user",
        {
            "bigint": _each((1, inf), "purchases", "distinct_items")
            | _each(COUNT, "distinct_categories", "distinct_brands")
            | _each(COUNT, *_windows("purchases", "distinct_categories", "distinct_brands"))
            | _each(ANY, "first_purchase", "last_purchase"),
            "double": _each(DAYS, "recency_days", "tenure_days", "mean_gap_days", "gap_variance")
            | _each(SHARE, "price_level", "price_spread", "repeat_share")
            | _each(COUNT, "mean_price"),
            "array<string>": _each(None, "taste_categories", "taste_brands"),
            "array<double>": _each(None, "taste_category_weights", "taste_brand_weights"),
        },
        null=_UNKNOWABLE,
    ),
    "user_history": _view(
        "user",
        {
            "array<string>": _each(None, "item_ids"),
            "array<bigint>": _each(None, "item_times"),
            "string": _each(None, "history_hash"),
        },
    ),
    "item_stats": _view(
        "item",
        {
            "bigint": _each((1, inf), "purchases", "buyers")
            | _each(COUNT, *_windows("purchases"))
            | _each(ANY, "first_seen")
            | _each((1, inf), "price_rank"),
            "double": _each((1, 5), "mean_rating")
            | _each(DAYS, "age_days")
            | _each(SHARE, "price_level", "repeat_rate")
            | _each(ANY, "trend"),
        },
        null=("mean_rating", "price_level", "price_rank"),
    ),
    "item_days": Rules(
        {"item_id": "string", "day": "int", "purchases": "bigint"},
        ("item_id", "day"),
        frozenset({"purchases"}),
        {"purchases": (1, inf)},
    ),
    "transitions": _pairs(weight=SHARE, support=COUNT),
    "together": _pairs(weight=SHARE),
    "co_purchases": _pairs(weight=(0, 1 + 1e-9)),
    "user_embedding": _view("user", _EMBEDDING),
    "item_embedding": _view("item", _EMBEDDING),
    "user_collaborative": _view("user", _EMBEDDING),
    "user_profile": _view(
        "user",
        {
            "string": _each(
                None,
                "profile",
                "guidance",
                "style",
                "history_hash",
                "generator",
                "prompt_version",
                "level",
                "encoder",
            ),
            "array<float>": _each(None, "embedding"),
        },
    ),
}
