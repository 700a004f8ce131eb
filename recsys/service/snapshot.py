"""A release loaded whole: everything that answers a request, and nothing of another release."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from features.lookup import HISTORY, Lookup
from recsys.arrays import PAD
from recsys.artifacts import Artifact, Release
from recsys.candidates.base import CandidateSource
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError
from recsys.ladder import Rung
from recsys.online import TASTE, lookup_of
from recsys.pipeline.parts import (
    blend_weight,
    catalogue_of,
    decided_at,
    moment_folder,
    shelf_at,
    sources_at,
    tastes_of,
    temperatures,
)
from recsys.ranker.features import Shelf
from recsys.ranker.model import Ranker
from recsys.recommend import Options, Recommender
from recsys.service.published import PublishedLists
from recsys.service.reranking import guarded_reranker
from recsys.settings import Settings
from recsys.shoppers import Shoppers

T = TypeVar("T")
SERVE = "serve"
LOOKED_UP = (HISTORY, TASTE, "user_purchase_stats")
# what each part is made of: a part is taken over from the release before where these are the same
_ITEMS = ("tables", "embeddings")
_SOURCES = (*_ITEMS, "features", "index")
_LISTS = (*_ITEMS, "features", "lists")
_MODEL = (*_ITEMS, "lm", "hypernet")
_RANKER = ("ranker",)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One release, ready to answer; immutable, for several threads at once."""

    release: Release
    artifacts: Mapping[str, Artifact]
    catalogue: Catalogue
    recommender: Recommender
    published: PublishedLists
    lookup: Lookup  # of what lists are made from
    whole_lookup: Lookup  # of all views about a shopper
    settings: Settings
    temperatures: Mapping[str, float]  # of each rung's scores, where they were calibrated

    @property
    def key(self) -> str:
        """The lineage key that every answer carries."""
        return self.release.key

    @property
    def short(self) -> bool:
        """Whether a list waits for nobody: there is no model, and the store keeps its deadline."""
        return self.recommender.reranker is None and self.lookup.here

    @classmethod
    def load(
        cls,
        settings: Settings,
        release: Release,
        artifacts: Mapping[str, Artifact],
        before: Self | None = None,
    ) -> Self:
        """Load a release; what is the same in the one before is shared with it."""
        inputs = dict(artifacts)

        def part(
            kinds: tuple[str, ...], taken: Callable[["Snapshot"], T], made: Callable[[], T]
        ) -> T:
            return taken(before) if before and before.has(release, kinds) else made()

        catalogue = part(_ITEMS, lambda old: old.catalogue, lambda: catalogue_of(inputs))
        shelf, sources = part(
            _SOURCES,
            lambda old: (old.recommender.shelf, old.recommender.sources),
            lambda: _shelf_and_sources(inputs, catalogue, settings),
        )
        ranker = part(
            _RANKER,
            lambda old: old.recommender.ranker,
            lambda: Ranker.load(inputs["ranker"].path),
        )
        weight = blend_weight(inputs) if settings.service.rerank != "never" else 0.0
        shared = part(_MODEL, lambda old: old.recommender.reranker, lambda: None)
        model = (shared or guarded_reranker(inputs, catalogue, settings)) if weight else None
        tastes = part(
            _MODEL,
            lambda old: old.recommender.tastes,
            lambda: tastes_of(inputs, catalogue, settings),
        )
        options = Options.of(settings)
        decided = decided_at(inputs, SERVE)
        recommender = Recommender(
            shelf, sources, ranker, model, weight, options, **decided, tastes=tastes
        )
        published = part(
            _LISTS,
            lambda old: old.published,
            lambda: PublishedLists.load(
                inputs["lists"].path, moment_folder(inputs, SERVE) / "user_history", catalogue
            ),
        )
        hurried = _hurried(settings)
        return cls(
            release,
            artifacts,
            catalogue,
            recommender,
            published,
            lookup_of(hurried, release, artifacts, LOOKED_UP),
            lookup_of(hurried, release, artifacts),
            settings,
            temperatures(inputs),
        )

    def has(self, release: Release, kinds: tuple[str, ...]) -> bool:
        """Whether some artifacts are those of another release too."""
        mine, others = self.release.lineage, release.lineage
        return all(mine[kind] == others[kind] for kind in kinds)

    def prove(self) -> None:
        """Raise unless it makes lists: what can't answer must not serve."""
        probe = np.flatnonzero((self.published.items != PAD).any(axis=1))[:1]
        items = self.published.items[probe]
        rows = [
            {
                "user_id": "",
                "item_ids": [self.catalogue.item_ids[item] for item in row[row != PAD][:3]],
                "item_times": [0] * int((row != PAD)[:3].sum()),
            }
            for row in items
        ]
        shoppers = Shoppers.from_rows(rows, self.catalogue, self.lookup.clock())
        made = self.recommender.recommend(shoppers, 1, highest=Rung.RANKER)
        if made.failures:
            raise ArtifactError(made.failures[0], where=f"release {self.release.id}")

    def close(self) -> None:
        """Let go of what it holds."""
        self.lookup.close()
        self.whole_lookup.close()


def _shelf_and_sources(
    inputs: dict[str, Artifact], catalogue: Catalogue, settings: Settings
) -> tuple[Shelf, list[CandidateSource]]:
    shelf = shelf_at(inputs, SERVE, catalogue)
    return shelf, sources_at(inputs, SERVE, shelf, settings.index.device)


def _hurried(settings: Settings) -> Settings:
    """The settings, with the service's own deadline for the online store."""
    deadline = {"deadline_ms": settings.service.deadlines.lookup_ms}
    store = settings.features.store.model_copy(update=deadline)
    features = settings.features.model_copy(update={"store": store})
    return settings.model_copy(update={"features": features})
