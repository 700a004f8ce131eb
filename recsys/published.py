"""Read what was published: the lists of the live release, whole or not at all."""

from dataclasses import dataclass
from typing import Any, Self

from recsys.artifacts import Artifact, ArtifactStore, Release, Releases
from recsys.errors import extra
from recsys.listing import default_list, list_in
from recsys.results import database, writer
from recsys.results.errors import ResultsError
from recsys.results.writer import ShopperList
from recsys.settings import Settings

with extra("recsys"):
    import pyarrow.parquet as pq


@dataclass(frozen=True)
class Published:
    """The release that serves, checked file by file when it was opened."""

    release: Release
    artifacts: dict[str, Artifact]
    refused: dict[str, str]
    settings: Settings

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the live release, or the newest intact one before it."""
        serving = Releases(ArtifactStore(settings.home)).serving()
        return cls(serving.release, serving.artifacts, serving.refused, settings)

    def list_of(self, user_id: str) -> ShopperList:
        """A shopper's list; who has none gets what is popular, and the list says so."""
        return self._in_database(user_id) or self._in_file(user_id) or self._popular(user_id)

    def titles(self, item_ids: list[str]) -> dict[str, dict[str, Any]]:
        """Title, brand and price by item."""
        columns = ["item_id", "title", "brand", "price"]
        folder = self.artifacts["tables"].path / "items"
        rows = pq.read_table(folder, columns=columns, filters=[("item_id", "in", item_ids)])
        return {row["item_id"]: row for row in rows.to_pylist()}

    def _in_database(self, user_id: str) -> ShopperList | None:
        try:
            return writer.lists_of(database.of(self.settings), self.release.id, user_id)
        except ResultsError:  # down, or moved: the release has the lists too
            return None

    def _in_file(self, user_id: str) -> ShopperList | None:
        return list_in(self.artifacts["lists"].path, user_id)

    def _popular(self, user_id: str) -> ShopperList:
        entries = default_list(self.artifacts["lists"].path)
        return ShopperList(user_id, entries, rung="popular", why="unknown shopper")
