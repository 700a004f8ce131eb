"""Training data: features joined as they were at a moment, through the same feature definitions."""

from features.errors import extra
from features.materialize import offline_exists
from features.repo.views import layout
from features.store import FeatureRepo

with extra("features"):
    from pyspark.sql import DataFrame

    from features.repo.config import own_spark_settings
    from features.repo.services import TRAINING


def training_views(repo: FeatureRepo) -> dict[str, bool]:
    """The views that training reads, by the feature service, and whether they have rows offline."""
    repo.check([])
    with repo.asking(f"reading the feature service {TRAINING}"):
        service = repo.store.get_feature_service(TRAINING)
        names = [part.name for part in service.feature_view_projections]
    folders = {view.name: view.offline for view in repo.status()}
    return {name: offline_exists(folders[name]) for name in names}


def training_features(repo: FeatureRepo, asked: DataFrame) -> DataFrame:
    """Join each row of `asked` with all features as they were known at its event_timestamp.

    `asked` has user_id, item_id and event_timestamp. Rows that became known later are not seen,
    even if they tell of an earlier time. Views without rows offline are left out.
    """
    views = [view for view, there in training_views(repo).items() if there]
    with own_spark_settings(), repo.asking(f"joining {TRAINING}"):
        job = repo.store.get_historical_features(
            entity_df=asked,
            features=[f"{view}:{column}" for view in views for column in layout(view).names],
            full_feature_names=True,
            filter_by_created_timestamp=True,
        )
        joined: DataFrame = job.to_spark_df()
        return joined
