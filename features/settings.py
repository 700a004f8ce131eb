"""Settings of `features`, composed into the one tree by `recsys.settings`."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

SAIL = "sail"
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A branch of the settings tree: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestSettings(Part):
    """Raw files to canonical tables."""

    max_bad_share: Share = Field(
        0.05, description="a larger share of quarantined rows stops the run before it publishes"
    )


class SparkSettings(Part):
    """The Spark session."""

    master: str = Field("local[*]", description="Spark master URL")
    driver_memory: str = Field("2g", description="memory of the driver (all of it in local mode)")
    java_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
        description="options of the driver's JVM; the default starts fast and suits up to some "
        "million purchases, empty lets Java choose",
    )
    shuffle_partitions: int = Field(4, ge=1, description="partitions of a shuffle")
    day: Literal["sail", "master"] = Field(
        "sail",
        description="what adds one further day: sail runs the same jobs in this process, without "
        "Java, where the master is local and the day's rows are simple; master: the master, always",
    )
    day_most_mib: int = Field(
        2_048, ge=0, description="MiB of tables and features beyond which the master adds a day"
    )


class HistorySettings(Part):
    """Purchase-history features."""

    recent_items: int = Field(50, ge=1, description="latest purchases kept per shopper")
    neighbours: int = Field(200, ge=1, description="items kept per item in each table of pairs")
    most_purchases: int = Field(
        1_000, ge=2, description="latest purchases a shopper's features count; a bot has more"
    )
    taste_half_life_days: float = Field(
        90.0, gt=0, description="days after which a purchase weighs half in the taste in names"
    )
    taste_names: int = Field(10, ge=1, description="categories, and brands, kept of a taste")
    window: int = Field(5, ge=1, description="how many purchases apart two items count as linked")
    pair_half_life_days: float = Field(
        730.0,
        gt=0,
        allow_inf_nan=False,
        description="days after which a link between two items weighs half of a new one",
    )


class EmbeddingSettings(Part):
    """The user embedding: a decayed mean of the bought items' embeddings."""

    half_life_purchases: float = Field(
        5.0, gt=0, description="purchases after which an item weighs half in the user embedding"
    )


Days = Annotated[float | None, Field(gt=0)]


class MaxAgeSettings(Part):
    """How old the rows of a view may be, where it is not `features.store.max_age_days`."""

    user_purchase_stats: Days = Field(None, description="days, for the purchase statistics")
    user_history: Days = Field(None, description="days, for the latest purchases")
    user_embedding: Days = Field(None, description="days, for the embedding of a shopper's taste")
    user_collaborative: Days = Field(None, description="days, for the collaborative embedding")
    user_profile: Days = Field(
        365,
        description="days, for the written profile, which is dated by the last purchase it saw",
    )
    user_recommendations: Days = Field(None, description="days, for the published list")


class StoreSettings(Part):
    """The Feast repository."""

    project: str = Field("tailor", description="Feast project name")
    online: Literal["sqlite", "redis", "postgres"] = Field("sqlite", description="online store")
    connection: SecretStr = Field(
        SecretStr(""),
        description="where the online store is: redis://:PASSWORD@HOST:6379/0 or "
        "postgresql://USER:PASSWORD@HOST:5432/DATABASE?schema=public; empty for sqlite, which is "
        "a file in the home",
    )
    registry: SecretStr = Field(
        SecretStr(""),
        description="SQLAlchemy URL of Feast's registry, SQLite or PostgreSQL; empty: SQLite at "
        "feast/registry.db in the home",
    )
    clock: Literal["data", "wall"] = Field(
        "data",
        description="what freshness is measured against: the release's data cut, or now; "
        "use wall in production",
    )
    max_age_days: float = Field(
        7.0, gt=0, description="a feature row older than this counts as missing"
    )
    max_age: MaxAgeSettings = MaxAgeSettings()
    deadline_ms: int = Field(
        1_000,
        ge=1,
        description="milliseconds that the online store may take to answer for up to a thousand "
        "shoppers; slower counts as missing, and says so",
    )
    chunk_rows: int = Field(
        5_000, ge=1, description="rows that materialising writes at once, in one transaction"
    )

    def max_age_of(self, view: str) -> timedelta:
        """How old a row of this view may be."""
        days: float | None = getattr(self.max_age, view, None)
        return timedelta(days=self.max_age_days if days is None else days)


class QualitySettings(Part):
    """The quality watch: a value beyond its limit stops the run before it publishes."""

    stops: bool = Field(
        True, description="whether a value beyond its limit stops the run; false: it is only told"
    )
    least_rows: int = Field(1, ge=0, description="rows that every view holds at least")
    least_row_share: Share = Field(
        0.5, description="rows of a view, as a share of the last release's; fewer stop the run"
    )
    least_week_share: Share = Field(
        0.1,
        description="purchases a day in the last week of the data, as a share of the four weeks "
        "before; fewer stop the run",
    )
    max_null_share: Share = Field(1.0, description="largest share of nulls in a column; 1: any")
    max_null_change: Share = Field(
        0.2, description="largest change of a column's share of nulls since the last release"
    )
    max_psi: float = Field(
        0.5,
        gt=0,
        description="largest population stability index of a column against the last "
        "release; 0.25 is often called large",
    )
    max_ks: float = Field(
        0.4, gt=0, description="largest Kolmogorov-Smirnov distance of a column to the last release"
    )


class FeaturesSettings(Part):
    """Everything under `features`."""

    ingest: IngestSettings = IngestSettings()
    spark: SparkSettings = SparkSettings()
    history: HistorySettings = HistorySettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    store: StoreSettings = StoreSettings()
    quality: QualitySettings = QualitySettings()
