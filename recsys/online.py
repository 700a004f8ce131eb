"""The online store of a release: look-ups that refuse other versions, purchases pushed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from features.lookup import Lookup
from features.push import ItemVectors, Pusher
from features.store import FeatureRepo
from recsys.artifacts import Artifact, Release
from recsys.settings import Settings
from recsys.tables import read_array, read_json, read_table

TASTE, COLLABORATIVE = "user_embedding", "user_collaborative"
_LINKS = "serve/links"


def repo_of(settings: Settings) -> FeatureRepo:
    """The feature store of the home."""
    return FeatureRepo(settings.home.resolve() / "feast", settings.features.store)


def clock_of(settings: Settings, release: Release) -> Callable[[], datetime]:
    """What freshness is measured against: now, or where the release's data end."""
    if settings.features.store.clock == "wall":
        return lambda: datetime.now(UTC)
    cut = datetime.fromisoformat(release.data_cut)
    return lambda: cut


def versions_of(artifacts: Mapping[str, Artifact]) -> dict[str, str]:
    """Which embeddings the release's index can be asked with."""
    embedded = read_json(artifacts["embeddings"].path / "encoder.json")["encoder"]
    return {TASTE: embedded, COLLABORATIVE: _links(artifacts)["version"]}


def _links(artifacts: Mapping[str, Artifact]) -> Any:
    return read_json(artifacts["index"].path / _LINKS / "collaborative.json")


def lookup_of(
    settings: Settings,
    release: Release,
    artifacts: Mapping[str, Artifact],
    views: Sequence[str] = (),
) -> Lookup:
    """Look shoppers up as the release wants them: all views, or some."""
    clock = clock_of(settings, release)
    return Lookup(repo_of(settings), None, clock, versions=versions_of(artifacts), views=views)


def pusher_of(settings: Settings, artifacts: Mapping[str, Artifact]) -> Pusher:
    """Take purchases in, embedded by the release's item vectors."""
    embeddings, versions = artifacts["embeddings"].path, versions_of(artifacts)
    order = read_table(embeddings / "item_ids.parquet", ["item_id"])["item_id"].to_pylist()
    positions = {item: at for at, item in enumerate(order)}
    half_life = settings.features.embedding.half_life_purchases
    queries = read_array(artifacts["index"].path / _LINKS / "queries.npy")
    made_of = {
        TASTE: (read_array(embeddings / "items.npy"), half_life),
        COLLABORATIVE: (queries, _links(artifacts)["half_life"]),
    }
    parts = [ItemVectors(view, versions[view], positions, *made) for view, made in made_of.items()]
    return Pusher(repo_of(settings), parts, settings.features.history.recent_items)
