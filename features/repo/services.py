"""The feature services: what online and training read, by name, so that both read the same."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from features.errors import extra
from features.repo.entities import OWNER
from features.repo.views import PUBLISHED, user_views

if TYPE_CHECKING:
    from feast import FeatureService, FeatureView

ONLINE = "shopper_online"
TRAINING = "training"


def feature_services(views: Mapping[str, "FeatureView"]) -> list["FeatureService"]:
    """Build the two services over the views."""
    shopper = [views[name] for name in user_views()]
    # a published list is an answer, not a feature: training on it would teach the old model
    features = [view for name, view in views.items() if name != PUBLISHED]
    return [
        _service(ONLINE, "all that is read of one shopper to serve a list", shopper),
        _service(TRAINING, "features of shoppers and items as they were at a moment", features),
    ]


def _service(name: str, description: str, views: list["FeatureView"]) -> "FeatureService":
    with extra("features"):  # Feast takes seconds to import
        from feast import FeatureService

    return FeatureService(
        name=name, features=views, description=description, owner=OWNER,
        tags={"product": "tailor"},
    )  # fmt: skip
