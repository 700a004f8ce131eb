"""Whose purchase is hidden, and which: the rules of the Amazon preference task.

Shoppers who bought in several categories are asked about one purchase of a category in which they
bought twice; the rest of the history is what is told of them (Guided Profile Generation, 5.1).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.arrays import PAD, Bools, Ints, Longs
from recsys.errors import SettingsError, extra

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.compute as pc

LEAF = "leaf"
SALT = "preference"  # another drawing than what else is drawn by the hash of a shopper
KEYS = ("user_id", "item_id")


@dataclass(frozen=True)
class Rules:
    """Who is asked."""

    categories: int = 5  # a shopper bought in, at least
    siblings: int = 2  # products bought of the answer's category, the answer among them
    level: int | str = LEAF  # of the category path: `leaf`, or how many of its steps count
    test_most: int = 3000  # shoppers who are measured
    test_share: float = 0.75  # of all that can be asked, at most: the others teach

    def __post_init__(self) -> None:
        level_of(self.level)


def level_of(level: int | str) -> int | None:
    """How many steps of a category path count; None for all of them."""
    if level == LEAF:
        return None
    steps = int(level) if str(level).isascii() and str(level).isdigit() else 0
    if steps < 1:
        raise SettingsError(
            f"no category level {level!r}", where="preference", fix=f"{LEAF}, or a number from 1"
        )
    return steps


def category_codes(paths: Sequence[Sequence[str]], level: int | str) -> Ints:
    """Code of each item's category at a level; -1 where it has none."""
    steps = level_of(level)
    names = [" > ".join(path[:steps]) for path in paths]
    code = {name: at for at, name in enumerate(sorted({name for name in names if name}))}
    return np.array([code.get(name, PAD) for name in names], np.int32)


def seeded(text: str, seed: int) -> int:
    """A number that only the text and the seed decide."""
    return int.from_bytes(hashlib.sha256(f"{SALT}:{seed}:{text}".encode()).digest()[:8], "big")


@dataclass(frozen=True, eq=False)
class Answers:
    """One hidden purchase per shopper, and whether she is measured or teaches."""

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    test: Bools

    def __len__(self) -> int:
        return len(self.user_ids)

    def table(self) -> Any:
        """As a table."""
        return pa.table(
            {"user_id": self.user_ids, "item_id": self.item_ids, "test": pa.array(self.test)}
        )

    @classmethod
    def of(cls, table: Any) -> "Answers":
        """From a table."""
        users, items = (table[name].to_pylist() for name in KEYS)
        return cls(users, items, np.asarray(table["test"].to_numpy(zero_copy_only=False), bool))

    def removed_from(self, purchases: Any) -> Any:
        """The purchases without the answers, however often the answer was bought."""
        hidden = self.table().select(KEYS).append_column("hidden", pa.array([True] * len(self)))
        keys = purchases.select(KEYS).append_column("row", pa.array(range(purchases.num_rows)))
        kept = keys.join(hidden, list(KEYS), join_type="left outer").sort_by("row")
        return purchases.filter(pc.is_null(kept["hidden"].combine_chunks()))


def choose(purchases: Any, items: Any, rules: Rules, seed: int) -> Answers:
    """Pick the shoppers and their answers; each by her own hash, whoever else is there."""
    owners, bought, users = _bought(purchases, items)
    codes = category_codes(items["categories"].to_pylist(), rules.level)[bought]
    known = codes != PAD
    owners, bought, codes = owners[known], bought[known], codes[known]
    starts = np.searchsorted(owners, np.arange(len(users) + 1))
    names, found = items["item_id"].to_pylist(), {}
    for row, user in enumerate(users):
        span = slice(starts[row], starts[row + 1])
        rng = np.random.default_rng(seeded(user, seed))
        answer = _answer(bought[span], codes[span], names, rules, rng)
        if answer is not None:
            found[user] = answer
    order = sorted(found, key=lambda user: seeded(user, seed))
    measured = min(rules.test_most, round(rules.test_share * len(order)))
    test = np.arange(len(order)) < measured
    return Answers(order, [found[user] for user in order], test)


def _bought(purchases: Any, items: Any) -> tuple[Longs, Longs, list[str]]:
    """Each shopper's different items: (owner, item) in order of owner."""
    users = purchases["user_id"].combine_chunks().dictionary_encode()
    at = pc.index_in(purchases["item_id"], value_set=items["item_id"].combine_chunks())
    item = np.asarray(at.fill_null(PAD), np.int64)
    owner = np.asarray(users.indices, np.int64)
    width = items.num_rows
    keys = np.unique((owner * width + item)[item != PAD])
    return keys // width, keys % width, users.dictionary.to_pylist()


def _answer(
    bought: Longs, codes: Ints, names: Sequence[str], rules: Rules, rng: np.random.Generator
) -> str | None:
    """One product of a category with several, both drawn; None where the rules leave nothing."""
    categories, counts = np.unique(codes, return_counts=True)
    enough = categories[counts >= rules.siblings]
    if len(categories) < rules.categories or not len(enough):
        return None
    inside = bought[codes == rng.choice(enough)]
    # by hash: where an item stands in its file must not decide
    return str(rng.choice(sorted(names[item] for item in inside)))
