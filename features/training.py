"""Training data: features joined as they were at a moment, through the same feature definitions."""

from features.errors import extra
from features.store import FeatureRepo

with extra("features"):
    from pyspark.sql import DataFrame

    from features.repo.config import own_spark_settings, quiet, told
    from features.repo.services import TRAINING


def training_features(repo: FeatureRepo, asked: DataFrame) -> DataFrame:
    """Join each row of `asked` with all features as they were known at its event_timestamp.

    `asked` has user_id, item_id and event_timestamp. Rows that became known later are not seen,
    even if they tell of an earlier time.
    """
    repo.check([])
    with quiet(), own_spark_settings(), told(repo.home, f"joining {TRAINING}"):
        job = repo.store.get_historical_features(
            entity_df=asked,
            features=repo.store.get_feature_service(TRAINING),
            full_feature_names=True,
            filter_by_created_timestamp=True,
        )
        joined: DataFrame = job.to_spark_df()
        return joined
