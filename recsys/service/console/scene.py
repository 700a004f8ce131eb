"""One release as the console shows it: all that stands on a page comes from the same one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from features.lookup import ShopperRow
from features.push import Pusher
from recsys.catalogue import Catalogue
from recsys.errors import TailorError
from recsys.online import TASTE, pusher_of
from recsys.pipeline.parts import BLEND
from recsys.recommend import Recommender
from recsys.service.snapshot import Snapshot
from recsys.shoppers import Shoppers
from recsys.tables import read_json

STATS, HISTORY, PROFILE = "user_purchase_stats", "user_history", "user_profile"
_OF_SHOPPERS = (STATS, HISTORY, TASTE)


@dataclass(frozen=True, eq=False)
class Scene:
    """What a page asks of a release; what only few pages need is opened when it is asked for."""

    snapshot: Snapshot

    @property
    def recommender(self) -> Recommender:
        """The one way to lists."""
        return self.snapshot.recommender

    @property
    def catalogue(self) -> Catalogue:
        """The items."""
        return self.snapshot.catalogue

    @property
    def k(self) -> int:
        """How long a list is."""
        return self.snapshot.settings.lists.length

    @cached_property
    def pusher(self) -> Pusher:
        """What tells how one more purchase would change a shopper."""
        return pusher_of(self.snapshot.settings, self.snapshot.artifacts)

    @cached_property
    def with_model(self) -> Recommender:
        """The same parts with the language model, though it may have no weight."""
        if self.recommender.reranker:
            return self.recommender
        settings = self.snapshot.settings
        if settings.service.rerank == "never":
            raise TailorError(
                "the language model is switched off", where="service.rerank", fix="set it to auto"
            )
        from recsys.pipeline.stages.models import reranker_of  # torch: not before it is needed

        made = reranker_of(dict(self.snapshot.artifacts), self.catalogue, settings)
        return replace(self.recommender, reranker=made)

    @property
    def left_out(self) -> str:
        """Why the language model has no weight in this release; empty where it has."""
        told = read_json(self.snapshot.artifacts["blend"].path / BLEND)
        return "" if told["weight"] else str(told.get("why") or "its weight is zero")

    def ask(self, user: str) -> tuple[ShopperRow, datetime]:
        """Look a shopper up, and say at which moment that was."""
        now = self.snapshot.lookup.clock()
        return self.snapshot.whole_lookup.lookup([user], now)[0], now

    def shopper(
        self, user: str, values: Mapping[str, Mapping[str, Any]], now: datetime
    ) -> Shoppers:
        """Make one shopper of values by view."""
        row: dict[str, Any] = {"user_id": user}
        for view in _OF_SHOPPERS:
            row |= values.get(view, {})
        return Shoppers.from_rows([row], self.catalogue, now)


def values_of(row: ShopperRow) -> dict[str, Mapping[str, Any]]:
    """The fresh values of a look-up, by view."""
    return {name: view.values for name, view in row.views.items() if view.values}
