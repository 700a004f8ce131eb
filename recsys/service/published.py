"""The lists of a release in memory: what is served as long as nothing changed since."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from recsys.arrays import PAD, Floats, Ints, padded
from recsys.catalogue import Catalogue
from recsys.ladder import Rung, Why
from recsys.listing import LISTS, default_list
from recsys.results.erasures import digest_of
from recsys.tables import read_table


@dataclass(frozen=True, eq=False)
class PublishedLists:
    """A row of items per shopper, and the state of her history that the row was made from."""

    rows: dict[str, int]
    items: Ints  # (U, k), -1: padding
    scores: Floats  # (U, k)
    rungs: Sequence[Rung]
    whys: Sequence[Why]
    histories: Sequence[str | None]  # hash of the history that was known
    popular: tuple[tuple[int, float], ...]  # for whoever has no list

    @classmethod
    def load(cls, lists: Path, histories: Path, catalogue: Catalogue) -> Self:
        """Read the lists of a release, in the positions of its catalogue."""
        table = read_table(lists / LISTS, ["user_id", "item_ids", "scores", "rung", "why"])
        told = table["item_ids"].to_pylist()
        items, scores = padded((len(told), max(map(len, told), default=0)))
        for row, (names, values) in enumerate(zip(told, table["scores"].to_pylist(), strict=True)):
            items[row, : len(names)] = catalogue.positions(names)
            scores[row, : len(values)] = values
        users = table["user_id"].to_pylist()
        hashes = _hashes(histories)
        popular = default_list(lists)
        return cls(
            {user: row for row, user in enumerate(users)},
            items,
            scores,
            [Rung(rung) for rung in table["rung"].to_pylist()],
            [Why(why) for why in table["why"].to_pylist()],
            [hashes.get(user) for user in users],
            tuple(
                (catalogue.index[entry.item_id], entry.score)
                for entry in popular
                if entry.item_id in catalogue.index
            ),
        )

    def current(self, user: str, history: str | None) -> int | None:
        """The row of a shopper, if it was made from the history that she has now."""
        row = self.rows.get(user)
        if row is None or history is None or self.histories[row] != history:
            return None
        return row

    def places(self, row: int, k: int) -> list[tuple[int, float]]:
        """The best k of a row."""
        pairs = zip(self.items[row, :k].tolist(), self.scores[row, :k].tolist(), strict=True)
        return [(item, score) for item, score in pairs if item != PAD]

    def forget(self, digests: Collection[str]) -> None:
        """Let go of erased shoppers, told by their digests."""
        if digests:
            for user in [user for user in self.rows if digest_of(user) in digests]:
                self.rows.pop(user, None)

    @property
    def length(self) -> int:
        """How long the lists are."""
        return int(np.shape(self.items)[1])


def _hashes(folder: Path) -> dict[str, str]:
    table = read_table(folder, ["user_id", "history_hash"])
    return dict(zip(table["user_id"].to_pylist(), table["history_hash"].to_pylist(), strict=True))
