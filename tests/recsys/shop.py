"""A tiny shop: two tastes with disjoint items; whoever buys a device buys its refill next."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.candidates import (
    CandidateSource,
    ItemIndex,
    ItemMatrix,
    LinkVectors,
    Parts,
    build_sources,
)
from recsys.candidates.matrices import wording
from recsys.candidates.similar import nearest_items
from recsys.catalogue import Catalogue, ItemStats
from recsys.ranker import Shelf
from recsys.sales import DAY, Sales
from recsys.shoppers import STATS, Shoppers

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)
TASTES = ("Coffee", "Garden")
PER_TASTE = 15
DEVICE, REFILL = 0, 1  # within a taste


def item_name(taste: int, n: int) -> str:
    return f"{TASTES[taste]}-{n}"


def make_catalogue() -> Catalogue:
    rng = np.random.default_rng(7)
    names = [item_name(t, n) for t in range(2) for n in range(PER_TASTE)]
    order = rng.permutation(len(names))
    vectors = rng.normal(scale=0.15, size=(len(names), 8))
    vectors[np.arange(len(names)), np.arange(len(names)) // PER_TASTE] += 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [names[i] for i in order]
    return Catalogue(
        item_ids=names,
        titles=[f"The {name}" for name in names],
        categories=[("Home", name.split("-")[0], name.split("-")[0] + " goods") for name in names],
        brands=[name[0] + "brand" if name.endswith(("2", "3")) else None for name in names],
        prices=np.linspace(1, 30, len(names)).astype(np.float32),
        vectors=vectors[order].astype(np.float32),
        encoder="tiny-1",
    )


def taste_of(catalogue: Catalogue, items: np.ndarray) -> set[str]:
    return {catalogue.item_ids[i].split("-")[0] for i in items if i >= 0}


def make_shoppers(catalogue: Catalogue, histories: list[list[str]]) -> Shoppers:
    """Shoppers who bought an item a day, the last one yesterday."""
    rows = []
    for u, names in enumerate(histories):
        times = [
            int((AS_OF - timedelta(days=len(names) - i)).timestamp()) for i in range(len(names))
        ]
        at = catalogue.positions(names)
        taste = catalogue.vectors[at[at >= 0]].sum(axis=0) if len(names) else None
        rows.append(
            {
                "user_id": f"u{u}",
                "item_ids": names,
                "item_times": times,
                "embedding": None if taste is None else taste / np.linalg.norm(taste),
                "encoder": "tiny-1",
                **dict.fromkeys(STATS, float(len(names))),
            }
        )
    return Shoppers.from_rows(rows, catalogue, AS_OF)


@dataclass
class Shop:
    catalogue: Catalogue
    stats: ItemStats
    shelf: Shelf
    parts: Parts
    sources: list[CandidateSource]
    shoppers: Shoppers
    targets: np.ndarray


def stroll(users: int, seed: int) -> tuple[list[list[str]], list[str]]:
    """Histories within a taste and the next purchase; half of the shoppers end at the device."""
    rng = np.random.default_rng(seed)
    histories, wanted = [], []
    for u in range(users):
        n = rng.permutation(np.arange(2, PER_TASTE))[:5]
        history = [item_name(u % 2, int(i)) for i in n[:4]]
        device = u % 4 < 2
        histories.append(history + [item_name(u % 2, DEVICE)] * device)
        wanted.append(item_name(u % 2, REFILL if device else int(n[4])))
    return histories, wanted


def make_shop(folder: Path, users: int = 80) -> Shop:
    """Shoppers, and a generation before them from which transitions and statistics come."""
    catalogue = make_catalogue()
    elders, then = stroll(200, seed=3)
    histories, wanted = stroll(users, seed=4)
    write_transitions(folder / "transitions", elders, then)
    stats, sales = make_stats(catalogue, elders), make_sales(catalogue, elders)
    links = ItemMatrix.from_table(folder / "transitions", catalogue)
    support = ItemMatrix.from_table(folder / "transitions", catalogue, "support")
    index, words = ItemIndex.build(catalogue), wording(catalogue)
    matrices = {
        "transitions": links,
        "two_steps": links.twice(),
        "co_purchases": support,
        "together": support,
        "similar": nearest_items(index),
        "wording": words,
        "wording_sold": words.scaled(np.log1p(stats.purchases)),
    }
    parts = Parts(catalogue, stats, sales, index, LinkVectors.learn(support, catalogue), matrices)
    shoppers = make_shoppers(catalogue, histories)
    targets = catalogue.positions(wanted)
    shelf = Shelf(catalogue, stats, sales)
    return Shop(catalogue, stats, shelf, parts, build_sources(parts), shoppers, targets)


def write_transitions(out: Path, histories: list[list[str]], wanted: list[str]) -> None:
    pairs: dict[tuple[str, str], int] = {}
    for history, last in zip(histories, wanted, strict=True):
        for a, b in zip(history, [*history[1:], last], strict=True):
            pairs[a, b] = pairs.get((a, b), 0) + 1
    totals: dict[str, int] = {}
    for (a, _), n in pairs.items():
        totals[a] = totals.get(a, 0) + n
    rows = [
        {"item_id": a, "neighbour_id": b, "weight": n / totals[a], "support": float(n)}
        for (a, b), n in pairs.items()
    ]
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), out / "part-0.parquet")


def make_stats(catalogue: Catalogue, histories: list[list[str]]) -> ItemStats:
    at = catalogue.positions(name for history in histories for name in history)
    sold = np.bincount(at, minlength=len(catalogue)).astype(np.float32)
    flat = np.full(len(catalogue), 0.5, np.float32)
    return ItemStats(sold, sold, sold, sold, flat * 8, flat * 100, flat)


def make_sales(catalogue: Catalogue, histories: list[list[str]]) -> Sales:
    """Everything sold a hundred days ago."""
    at = catalogue.positions(name for history in histories for name in history)
    day = int(AS_OF.timestamp()) // DAY - 100
    return Sales.of(at, np.full(len(at), day), np.ones(len(at), np.int64))


def write_items(catalogue: Catalogue, items: Path, embeddings: Path) -> None:
    """Canonical items (in another order) and their embeddings, as the pipeline leaves them."""
    rows = [
        {
            "item_id": catalogue.item_ids[i],
            "title": catalogue.titles[i],
            "categories": list(catalogue.categories[i]),
            "brand": catalogue.brands[i],
            "price": float(catalogue.prices[i]) if i else None,
            "has_title": True,
        }
        for i in reversed(range(len(catalogue)))
    ]
    for folder in (items, embeddings):
        folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), items / "part-0.parquet")
    ids = pa.table({"item_id": list(catalogue.item_ids)})
    pq.write_table(ids, embeddings / "item_ids.parquet")
    np.save(embeddings / "items.npy", catalogue.vectors)
    card = {"encoder": catalogue.encoder, "dim": catalogue.vectors.shape[1]}
    (embeddings / "encoder.json").write_text(json.dumps(card))


def write_moment(catalogue: Catalogue, moment: Path, embeddings: Path) -> list[dict]:
    """Views of three shoppers; the second has neither statistics nor a taste vector."""
    rows = [
        {"user_id": "a", "item_ids": ["Coffee-0", "gone", "Coffee-1"], "item_times": [10, 20, 30]},
        {"user_id": "b", "item_ids": ["Garden-4"], "item_times": [40]},
        {"user_id": "c", "item_ids": [], "item_times": []},
    ]
    stamp = {"event_timestamp": AS_OF, "created_timestamp": AS_OF}
    stats = [{"user_id": u, **dict.fromkeys(STATS, 2.0), "mean_price": None} for u in "ac"]
    taste = [
        {"user_id": u, "embedding": [0.5] * 8, "encoder": catalogue.encoder, **stamp} for u in "ca"
    ]
    views = {
        moment / "user_history": [{**row, **stamp} for row in rows],
        moment / "user_purchase_stats": [{**row, **stamp} for row in stats],
        embeddings / "user_embedding": taste,
    }
    for folder, content in views.items():
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(content), folder / "part-0.parquet")
        (folder / "_SUCCESS").touch()
    by_user = {row["user_id"]: dict(row) for row in rows}
    for row in (*stats, *taste):
        by_user[row["user_id"]] |= row
    return list(by_user.values())


def make_worded_shop(folder: Path) -> Shop:
    """The tiny shop, of which three items are new and three at a time share a word."""
    made = make_shop(folder)
    ages = made.stats.age_days.copy()
    ages[[4, 11, 20]] = [3, 30, 60]
    stats = replace(made.stats, age_days=ages)
    names = (item.split("-") for item in made.catalogue.item_ids)
    titles = [f"{taste}{int(n) // 3}" for taste, n in names]
    words = wording(replace(made.catalogue, titles=titles, brands=[None] * len(titles)))
    sold = words.scaled(np.log1p(stats.purchases))
    matrices = {**made.parts.matrices, "wording": words, "wording_sold": sold}
    parts = replace(made.parts, item_stats=stats, matrices=matrices)
    return replace(made, stats=stats, parts=parts, sources=build_sources(parts))
