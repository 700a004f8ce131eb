"""The feature views: one Parquet folder each, columns as the Spark jobs write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from features.errors import extra
from features.repo.entities import OWNER, item, user

with extra("features"):
    from feast import Entity, FeatureView, Field
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
    from feast.types import Array, FeastType, Float32, Float64, Int64, String


@dataclass(frozen=True)
class ViewSpec:
    """What a feature view holds, apart from where."""

    entity: str
    description: str
    columns: dict[str, FeastType]


def _each(kind: FeastType, *names: str) -> dict[str, FeastType]:
    return dict.fromkeys(names, kind)


def _windows(name: str) -> list[str]:
    return [f"{name}_{days}d" for days in (7, 30, 90, 365)]


_EMBEDDING: dict[str, FeastType] = {"embedding": Array(Float32), "encoder": String}

SPECS: dict[str, ViewSpec] = {
    "user_purchase_stats": ViewSpec(
        "user",
        "how much, how varied, how often, how dear and what a shopper buys",
        _each(Int64, "purchases", "distinct_items", "distinct_categories", "distinct_brands")
        | _each(Float64, "recency_days", "tenure_days", "mean_gap_days", "mean_price")
        | _each(Float64, "price_level")
        | _each(Int64, "purchases_30d", "purchases_90d", "purchases_365d")
        | _each(Int64, "purchases_7d", *_windows("distinct_categories"))
        | _each(Int64, *_windows("distinct_brands"), "first_purchase", "last_purchase")
        | _each(Float64, "gap_variance", "price_spread", "repeat_share")
        | _each(Array(String), "taste_categories", "taste_brands")
        | _each(Array(Float64), "taste_category_weights", "taste_brand_weights"),
    ),
    "user_history": ViewSpec(
        "user",
        "the latest purchases, oldest to newest, with their times in epoch seconds",
        {"item_ids": Array(String), "item_times": Array(Int64), "history_hash": String},
    ),
    "user_embedding": ViewSpec(
        "user", "decayed mean of the embeddings of the items bought", _EMBEDDING
    ),
    "item_stats": ViewSpec(
        "item",
        "how often an item sells, to how many, how it is rated and how dear it is",
        _each(Int64, "purchases", "buyers", "purchases_30d", "purchases_90d")
        | _each(Float64, "mean_rating", "age_days", "price_level")
        | _each(Int64, "purchases_7d", "purchases_365d", "first_seen", "price_rank")
        | _each(Float64, "trend", "repeat_rate"),
    ),
    "item_embedding": ViewSpec("item", "embedding of an item's title and category", _EMBEDDING),
    "user_recommendations": ViewSpec(
        "user",
        "the list published last, best first, and the release it came from",
        {"item_ids": Array(String), "scores": Array(Float64), "release": String},
    ),
}

VIEWS: tuple[str, ...] = tuple(SPECS)


def feature_views(offline: Path, ttl: timedelta) -> dict[str, FeatureView]:
    """Build the views over the Parquet folders in `offline`, one folder per view."""
    entities = {"user": user(), "item": item()}
    return {
        name: _view(name, spec, entities[spec.entity], offline / name, ttl)
        for name, spec in SPECS.items()
    }


def user_views() -> Sequence[str]:
    """Name the views about a shopper."""
    return [name for name, spec in SPECS.items() if spec.entity == "user"]


def _view(name: str, spec: ViewSpec, entity: Entity, folder: Path, ttl: timedelta) -> FeatureView:
    about = {"description": spec.description, "owner": OWNER}
    source = SparkSource(
        name=f"{name}_parquet",
        path=str(folder),
        file_format="parquet",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        **about,
    )
    key = Field(name=entity.join_key, dtype=String, description=entity.description)
    fields = [Field(name=column, dtype=dtype) for column, dtype in spec.columns.items()]
    tags = {"entity": spec.entity, "product": "tailor"}
    return FeatureView(
        name=name, entities=[entity], ttl=ttl, schema=[key, *fields], source=source, tags=tags,
        **about,
    )  # fmt: skip
