"""The item file: one line per item in random order, a few without title, one or two torn."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys.sample import describe, flaws, ids
from recsys.sample.files import as_line
from recsys.sample.shop import Shop
from recsys.sample.vocabulary import Vocabulary


@dataclass(frozen=True)
class Listing:
    """The item file's lines, and what is wrong with them."""

    lines: list[str]
    untitled: list[str]  # item ids
    torn: list[int]  # line numbers, from 1


def write_up(
    words: Vocabulary, shop: Shop, item_ids: list[str], rng: np.random.Generator
) -> Listing:
    """List all items; torn lines are of items that nobody buys."""
    count = len(item_ids)
    labels = describe.labels(words, shop, rng)
    draws = rng.random((count, 4)).tolist()
    order = rng.permutation(count).tolist()
    untitled = order[: min(20, max(1, count // 100))]
    rows = {
        item: describe.metadata(words, shop, item, labels[item], draws[item])
        | {"parent_asin": item_ids[item]}
        for item in order
    }
    for at, item in enumerate(untitled):
        rows[item]["title"] = ("", None)[at % 2]
    good = [as_line(rows[item]) for item in rng.permutation(count).tolist()]
    torn = 1 if count < 200 else 2
    for new in ids.items(torn, rng, taken=item_ids):
        row = rows[order[-1]] | {"parent_asin": new}
        good.insert(int(rng.integers(1, len(good))), flaws.tear(as_line(row), rng) + "\n")
    return Listing(good, sorted(item_ids[item] for item in untitled), list(_torn(good)))


def _torn(lines: list[str]) -> Iterator[int]:
    for number, line in enumerate(lines, 1):
        if not line.endswith("}\n"):
            yield number
