"""The feature views: one Parquet folder each, columns as the Spark jobs write them.

Light to import: a look-up needs to know the columns, but not Feast.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import StoreError, extra
from features.online.layout import View
from features.repo.entities import OWNER, item, user
from features.repo.types import Array, FeatureType, Float32, Float64, Int64, String, feast_type

if TYPE_CHECKING:
    from feast import Entity, FeatureView

PUBLISHED = "user_recommendations"


@dataclass(frozen=True)
class ViewSpec:
    """What a feature view holds, apart from where."""

    entity: str
    description: str
    columns: dict[str, FeatureType]
    pushed: bool = False  # a purchase made now changes its rows at once


def _each(kind: FeatureType, *names: str) -> dict[str, FeatureType]:
    return dict.fromkeys(names, kind)


def _windows(name: str) -> list[str]:
    return [f"{name}_{days}d" for days in (7, 30, 90, 365)]


_EMBEDDING: dict[str, FeatureType] = {"embedding": Array(Float32), "encoder": String}

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
        pushed=True,
    ),
    "user_history": ViewSpec(
        "user",
        "the latest purchases, oldest to newest, with their times in epoch seconds",
        {"item_ids": Array(String), "item_times": Array(Int64), "history_hash": String},
        pushed=True,
    ),
    "user_embedding": ViewSpec(
        "user", "decayed mean of the text embeddings of the items bought", _EMBEDDING, pushed=True
    ),
    "user_collaborative": ViewSpec(
        "user",
        "decayed mean of the vectors that the items bought have by what is bought near them",
        _EMBEDDING,
        pushed=True,
    ),
    "user_profile": ViewSpec(
        "user",
        "what a shopper likes and how to recommend to her, written from her history, and how old "
        "and whose it is: her own, a persona's or everybody's",
        _each(String, "profile", "guidance", "style", "history_hash", "generator")
        | _each(String, "prompt_version", "level")
        | _EMBEDDING,
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


def layout(view: str) -> View:
    """What a store needs to know of a view."""
    if view not in SPECS:
        raise StoreError(f"no such view: {view}", where="feature store", fix=", ".join(VIEWS))
    return _layout(view)


@cache
def _layout(view: str) -> View:
    spec = SPECS[view]
    return View(view, f"{spec.entity}_id", spec.columns)


def user_views() -> Sequence[str]:
    """Name the views about a shopper."""
    return [name for name, spec in SPECS.items() if spec.entity == "user"]


def feature_views(offline: Path, ttl: Callable[[str], timedelta]) -> dict[str, "FeatureView"]:
    """Build the views over the Parquet folders in `offline`, one folder per view."""
    entities = {"user": user(), "item": item()}
    return {
        name: _view(name, spec, entities[spec.entity], offline / name, ttl(name))
        for name, spec in SPECS.items()
    }


def _view(
    name: str, spec: ViewSpec, entity: "Entity", folder: Path, ttl: timedelta
) -> "FeatureView":
    with extra("features"):
        from feast import FeatureView, Field

    about = {"description": spec.description, "owner": OWNER}
    key = Field(name=entity.join_key, dtype=feast_type(String), description=entity.description)
    fields = [Field(name=column, dtype=feast_type(kind)) for column, kind in spec.columns.items()]
    tags = {"entity": spec.entity, "product": "tailor"}
    return FeatureView(
        name=name, entities=[entity], ttl=ttl, schema=[key, *fields],
        source=_source(name, spec, folder), tags=tags, **about,
    )  # fmt: skip


def _source(name: str, spec: ViewSpec, folder: Path) -> Any:
    """Parquet for what the jobs compute; a push source over it where purchases come in one by one.

    A push source has one batch source behind it, so each such view has its own.
    """
    with extra("features"):
        from feast import PushSource
        from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    about = {"description": spec.description, "owner": OWNER}
    parquet = SparkSource(
        name=f"{name}_parquet",
        path=str(folder),
        file_format="parquet",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        **about,
    )
    if not spec.pushed:
        return parquet
    return PushSource(name=push_source(name), batch_source=parquet, **about)


def push_source(view: str) -> str:
    """Name the source that takes a view's rows one by one."""
    return f"{view}_push"
