"""Find shoppers and items: by the beginning of an id, by words of a title, lately, at random."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.pipeline.parts import moment_folder
from recsys.results.erasures import digest_of
from recsys.service.console.history import Item
from recsys.service.console.scene import STATS, Scene
from recsys.tables import read_table

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.compute as pc

SHOWN = 20
LATELY = 8


@dataclass(frozen=True)
class Found:
    """One shopper of a search."""

    user: str
    purchases: int
    last: datetime | None


@dataclass(frozen=True, eq=False)
class Directory:
    """The shoppers of a release in two columns; a search is one pass over them."""

    table: "pa.Table"

    @classmethod
    def of(cls, scene: Scene, erased: Collection[str] = ()) -> "Directory":
        """Read them from the features that the release serves, but for those erased since."""
        folder = moment_folder(dict(scene.snapshot.artifacts), "serve") / STATS
        table = read_table(folder, ["user_id", "purchases", "last_purchase"])
        if erased:
            kept = [digest_of(user) not in erased for user in table["user_id"].to_pylist()]
            table = table.filter(pa.array(kept, pa.bool_()))
        return cls(table)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def starting(self, prefix: str) -> tuple[list[Found], int]:
        """Shoppers whose id begins so: the first of them by id, and how many there are."""
        found = self.table.filter(pc.starts_with(self.table["user_id"], prefix))
        first = found.take(pc.select_k_unstable(found, SHOWN, [("user_id", "ascending")]))
        return _told(first), int(found.num_rows)

    def lately(self) -> list[Found]:
        """Who bought last."""
        order = [("last_purchase", "descending"), ("user_id", "ascending")]
        return _told(self.table.take(pc.select_k_unstable(self.table, LATELY, order)))

    def any(self) -> str | None:
        """Anybody."""
        if not len(self):
            return None
        row = int(np.random.default_rng().integers(len(self)))
        return str(self.table["user_id"][row].as_py())

    def another(self, user: str) -> str | None:
        """Somebody else, the same every time: the first by hash of those in a row after her."""
        users = self.table["user_id"].slice(0, LATELY).to_pylist()
        return next((each for each in users if each != user), None)


def _told(table: "pa.Table") -> list[Found]:
    return [
        Found(row["user_id"], row["purchases"], _moment(row["last_purchase"]))
        for row in table.to_pylist()
    ]


def _moment(second: int | None) -> datetime | None:
    return None if second is None else datetime.fromtimestamp(second, UTC)


def items_with(catalogue: Catalogue, query: str, most: int = SHOWN) -> tuple[list[Item], int]:
    """Items whose id it is, else whose title has all words; the shortest titles first."""
    if query in catalogue.index:
        return [Item.at(catalogue, catalogue.index[query])], 1
    words = query.casefold().split()
    if not words:
        return [], 0
    found = [at for at, title in enumerate(catalogue.titles) if _has(title, words)]
    found.sort(key=lambda at: len(catalogue.titles[at]))
    return [Item.at(catalogue, at) for at in found[:most]], len(found)


def _has(title: str, words: Sequence[str]) -> bool:
    lowered = title.casefold()
    return all(word in lowered for word in words)
