"""Where a benchmark keeps its tables, features and stores."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from features.store import FeatureRepo

USER_VIEWS = ("user_purchase_stats", "user_history", "user_embedding")
VIEWS = (*USER_VIEWS, "item_stats", "item_embedding")


@dataclass(frozen=True)
class Home:
    """A folder of a benchmark's own."""

    root: Path

    @property
    def tables(self) -> Path:
        """The canonical tables."""
        return self.root / "tables"

    @property
    def day(self) -> Path:
        """The canonical purchases of the further day."""
        return self.root / "day"

    @property
    def refused(self) -> Path:
        """The quarantine."""
        return self.root / "quarantine"

    @property
    def features(self) -> Path:
        """The features that serve, with the counts of pairs."""
        return self.root / "features"

    @property
    def next_features(self) -> Path:
        """The same a day later."""
        return self.root / "next features"

    @property
    def embeddings(self) -> Path:
        """The items' vectors."""
        return self.root / "embeddings"

    @property
    def day_file(self) -> Path:
        """The raw file of the further day."""
        return self.root / "day.csv"

    def purchases(self, spark: "SparkSession") -> "DataFrame":
        """All purchases at hand."""
        folders = [self.tables / "purchases", self.day / "purchases"]
        return spark.read.parquet(*(str(folder) for folder in folders if folder.is_dir()))

    def rewound(self) -> "Home":
        """A home inside, with the same items and their vectors, for the evening before a day."""
        inner = Home(self.root / "evening before")
        inner.tables.mkdir(parents=True, exist_ok=True)
        for link, target in (
            (inner.tables / "items", self.tables / "items"),
            (inner.embeddings, self.embeddings),
        ):
            if not link.exists():
                link.symlink_to(target.absolute())
        return inner

    def offline(self, serve: Path) -> Path:
        """One folder of views for Feast."""
        folder = self.root / "offline"
        folder.mkdir(exist_ok=True)
        for name in VIEWS:
            link = folder / name
            link.unlink(missing_ok=True)
            source = self.embeddings if name == "item_embedding" else serve
            link.symlink_to((source / name).absolute())
        return folder

    def views(self) -> list[str]:
        """What goes online."""
        return list(VIEWS)

    def repo(self, settings: Settings, name: str, *, shipped: bool = False) -> "FeatureRepo":
        """A feature store of this benchmark's own, whatever the settings' one is called.

        As Feast ships it, if `shipped`.
        """
        from features.store import FeatureRepo

        store = settings.features.store
        project = f"{store.project}_benchmark_{name}"
        own = store.model_copy(update={"project": project})
        return FeatureRepo(self.root / name, own, shipped=shipped)
