"""What does a two-stage list cost? `python benchmarks/ranking.py --users 2000 --json OUT`.

Prints, as JSON, on two cores and with the features in memory:
- `shop`: shoppers per second from features to lists of 10 (pool of 200, no language model), and
  the seconds of each step. The built-in shop, or raw files with `--reviews` and `--items`; the
  stages up to the ranker are run first in `--home` (default: a folder that goes away), and are
  skipped where it has them.
- `curves`: seconds per 1,000 shoppers in synthetic worlds, against shoppers at one catalogue and
  against items, and the slope of each in log-log: 0 means that a shopper's list costs the same.
Run it on an idle machine; `--only curves` needs no Spark.
"""

import os

CORES = 2
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(CORES)  # read once, when numpy comes in

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from recsys.arrays import Floats, Ints, Longs
from recsys.candidates import (
    ItemIndex,
    ItemMatrix,
    LinkVectors,
    Parts,
    build_pool,
    build_sources,
)
from recsys.candidates.collaborative import DIMENSIONS
from recsys.catalogue import Catalogue, ItemStats
from recsys.ladder import Rung
from recsys.ranker import Labels, Shelf, build_features, train, training_set
from recsys.recommend import Options, Recommender
from recsys.sales import Sales
from recsys.settings import RankerSettings, load
from recsys.shoppers import DAY, STATS, Shoppers
from recsys.sparse import matrix, pruned

K, POOL = 10, 200
OPTIONS = Options(pool=POOL, rerank=0)
USERS = (100, 1_000, 10_000)
ITEMS = (1_000, 10_000, 100_000)
TIMED = 1_000  # shoppers per point of the curve against items
AS_OF = datetime(2024, 1, 1, tzinfo=UTC)
DIM, HISTORY, CLUSTER = 384, 9, 150  # of a synthetic world; CLUSTER: items alike
LINKED, ALIKE = 50, 130  # links of an item; draws of items like it, about 100 of them different
TAUGHT = 80  # shoppers the ranker learns from: too few to stop early, so all rounds are run,
ROUNDS = 300  # and as many as real purchases take


def steps(recommender: Recommender, shoppers: Shoppers) -> dict[str, float]:
    """Seconds of each step alone, on one core, chunk by chunk as the product does it."""
    assert recommender.ranker
    spent = dict.fromkeys(("pool", "features", "predict"), 0.0)
    for chunk in shoppers.chunks(recommender.options.chunk):
        marks = [time.perf_counter()]
        pool = build_pool(chunk, recommender.sources, recommender.options.pool)
        marks.append(time.perf_counter())
        features = build_features(chunk, pool, recommender.shelf)
        marks.append(time.perf_counter())
        recommender.ranker.predict(features)
        marks.append(time.perf_counter())
        for step, seconds in zip(spent, np.diff(marks), strict=True):
            spent[step] += float(seconds)
    return {step: round(seconds, 3) for step, seconds in spent.items()}


def seconds_of(recommender: Recommender, shoppers: Shoppers) -> float:
    """Seconds from features to lists, after a few shoppers to warm up."""
    recommender.recommend(shoppers.take(slice(0, 16)), K, highest=Rung.RANKER)
    began = time.perf_counter()
    lists = recommender.recommend(shoppers, K, highest=Rung.RANKER)
    seconds = time.perf_counter() - began
    assert not lists.failures, lists.failures
    return seconds


def slope(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Exponent of the growth: the slope of a straight line through the logarithms."""
    return round(float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]), 3)


def shop(args: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Lists of a shop whose features and models the pipeline made."""
    from recsys.pipeline.parts import catalogue_of, shoppers_at, two_stage_at
    from recsys.pipeline.run import run
    from recsys.pipeline.stage import RawFiles
    from recsys.sample import write

    os.environ["TAILOR_HOME"] = str(home)
    os.environ["TAILOR_CANDIDATES__POOL"] = str(POOL)
    settings = load()
    reviews, items = args.reviews, args.items
    if not reviews:
        folder = home / "shop"
        write(folder, users=args.users, items=max(args.users // 7, 200), seed=args.seed)
        reviews, items = [folder / "reviews.jsonl.gz"], [folder / "items.jsonl.gz"]
    raw = RawFiles(tuple(reviews), tuple(items), "auto")
    inputs = run(settings, raw=raw, until="ranker").artifacts
    catalogue = catalogue_of(inputs)
    shoppers = shoppers_at(inputs, "serve", catalogue)
    shoppers = shoppers.take(np.flatnonzero(shoppers.lengths)[: args.users])
    recommender = two_stage_at(inputs, "serve", catalogue, settings)
    seconds = seconds_of(recommender, shoppers)
    return {
        "users": len(shoppers),
        "items": len(catalogue),
        "pool": recommender.options.pool,
        "sources": [source.name for source in recommender.sources],
        "seconds": round(seconds, 3),
        "users_per_second": round(len(shoppers) / seconds, 1),
        "steps": steps(recommender, shoppers),
    }


def curves(seed: int) -> dict[str, Any]:
    """Seconds per 1,000 shoppers over three sizes of the crowd and of the catalogue."""
    recommender, crowd = world(max(USERS), ITEMS[1], seed)
    by_users = [curve_point(recommender, crowd.take(slice(0, n))) for n in USERS]
    by_items = [curve_point(*world(TIMED, n, seed)) for n in ITEMS]
    return {
        "against_users": {
            "points": by_users,
            "slope": slope(USERS, [one["seconds_per_1000"] for one in by_users]),
        },
        "against_items": {
            "points": by_items,
            "slope": slope(ITEMS, [one["seconds_per_1000"] for one in by_items]),
        },
    }


def curve_point(recommender: Recommender, shoppers: Shoppers) -> dict[str, Any]:
    """One point of a curve; the best of three runs where one takes seconds at most."""
    repeats = 3 if len(shoppers) <= TIMED else 1
    seconds = min(seconds_of(recommender, shoppers) for _ in range(repeats))
    return {
        "users": len(shoppers),
        "items": len(recommender.shelf.catalogue),
        "seconds_per_1000": round(seconds / len(shoppers) * 1_000, 4),
    }


def world(users: int, items: int, seed: int) -> tuple[Recommender, Shoppers]:
    """Clustered items, Zipf popularity, shoppers who buy from a few clusters."""
    rng = np.random.default_rng(seed)
    catalogue, clusters = make_catalogue(items, rng)
    shoppers = make_shoppers(users, catalogue, clusters, rng)
    elders = make_shoppers(max(items, 1_000), catalogue, clusters, rng)  # whence counts and pairs
    shelf = Shelf(catalogue, make_stats(elders, catalogue), make_sales(elders))
    sources = build_sources(make_parts(shelf, elders, clusters, rng))
    taught = elders.take(slice(0, TAUGHT))
    pool = build_pool(taught, sources, POOL)
    rows = np.arange(len(taught))
    chosen = pool.items[rows, rng.integers(POOL // 4, size=len(rows))]  # any: the cost counts
    labels = Labels.of(rows, chosen, np.zeros(len(taught), np.int64), len(taught))
    data = training_set(taught, labels, sources, shelf, size=POOL)
    ranker = train([data], RankerSettings(rounds=ROUNDS), seed)
    return Recommender(shelf, sources, ranker, options=OPTIONS), shoppers


def make_catalogue(items: int, rng: np.random.Generator) -> tuple[Catalogue, Longs]:
    """Items around random centres, and the cluster of each."""
    groups = max(items // CLUSTER, 2)
    clusters = rng.integers(groups, size=items)
    centres = rng.standard_normal((groups, DIM), np.float32)
    vectors = centres[clusters] + rng.standard_normal((items, DIM), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    catalogue = Catalogue(
        item_ids=[f"i{n}" for n in range(items)],
        titles=[f"Item {n}" for n in range(items)],
        categories=[("All", f"c{group}") for group in clusters],
        brands=[f"b{brand}" for brand in rng.integers(groups, size=items)],
        prices=rng.lognormal(3, 1, items).astype(np.float32),
        vectors=vectors,
        encoder="synthetic",
    )
    return catalogue, clusters


def make_shoppers(
    users: int, catalogue: Catalogue, clusters: Longs, rng: np.random.Generator
) -> Shoppers:
    """Histories of about 9 purchases from three clusters each, popular items more often."""
    lengths = np.minimum(rng.geometric(1 / HISTORY, users), 50)
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    liked = _zipf(rng, (users, 3)) % (clusters.max() + 1)
    owner = np.repeat(np.arange(users), lengths)
    cluster = liked[owner, rng.integers(3, size=len(owner))]
    items = _drawn(cluster, clusters, rng)
    times = int(AS_OF.timestamp()) - rng.integers(1, 700, len(owner)) * DAY
    order = np.lexsort((times, owner))
    taste = _tastes(indptr, items, catalogue.vectors)
    stats = {name: rng.gamma(2, 5, users).astype(np.float32) for name in STATS}
    ids = np.array([f"u{n}" for n in range(users)], object)
    return Shoppers(ids, indptr, items[order], times[order], stats, taste, AS_OF)


def _drawn(wanted: Longs, clusters: Longs, rng: np.random.Generator, *, zipf: bool = True) -> Ints:
    """Draw an item of each wanted cluster, by Zipf's law or evenly; empty ones give any item."""
    by_cluster = np.argsort(clusters, kind="stable")
    sizes = np.bincount(clusters, minlength=int(wanted.max()) + 1)
    starts = np.cumsum(sizes) - sizes
    drawn = _zipf(rng, wanted.shape) if zipf else rng.integers(1 << 32, size=wanted.shape)
    place = drawn % np.maximum(sizes[wanted], 1)
    return by_cluster[(starts[wanted] + place) % len(clusters)].astype(np.int32)


def _zipf(rng: np.random.Generator, shape: tuple[int, ...]) -> Longs:
    return rng.zipf(1.3, shape) - 1


def _tastes(indptr: Longs, items: Ints, vectors: Floats) -> Floats:
    """Normalised sums of the histories' vectors (U, D), a slice at a time."""
    taste = np.empty((len(indptr) - 1, vectors.shape[1]), np.float32)
    for row, (start, end) in enumerate(pairwise(indptr)):
        taste[row] = vectors[items[start:end]].sum(axis=0)
    return taste / np.linalg.norm(taste, axis=1, keepdims=True)


def make_stats(shoppers: Shoppers, catalogue: Catalogue) -> ItemStats:
    """Counts from the histories."""
    sold = np.bincount(shoppers.items, minlength=len(catalogue)).astype(np.float32)
    flat = np.ones(len(catalogue), np.float32)
    return ItemStats(sold, sold, sold // 8, sold // 3, flat * 4, flat * 300, flat / 2)


def make_sales(shoppers: Shoppers) -> Sales:
    """The purchases of the histories, by day."""
    return Sales.of(shoppers.items, shoppers.times // DAY, np.ones(len(shoppers.items), np.int64))


def make_parts(shelf: Shelf, elders: Shoppers, clusters: Longs, rng: np.random.Generator) -> Parts:
    """Links from the histories; what takes a search through all pairs is drawn from the cluster."""
    catalogue, size = shelf.catalogue, len(shelf.catalogue)
    follows = make_follows(elders, size)
    links = ItemMatrix(_shares(follows), catalogue.fingerprint)
    bought = elders.profile("whole", size).csr
    both = ItemMatrix(pruned(_off_diagonal(bought.T.tocsr() @ bought), LINKED), links.fingerprint)
    alike = ItemMatrix(make_alike(clusters, rng), links.fingerprint)
    matrices = {
        "transitions": links,
        "two_steps": links.twice(),
        "co_purchases": both,
        "together": both,
        "similar": alike,
        "wording": alike,
        "wording_sold": alike.scaled(np.log1p(shelf.stats.purchases)),
    }
    index, learned = ItemIndex.build(catalogue), make_link_vectors(catalogue, rng)
    return Parts(catalogue, shelf.stats, shelf.sales, index, learned, matrices)


def make_follows(shoppers: Shoppers, items: int) -> Any:
    """How often what follows what in the histories, the most frequent per item."""
    within = np.ones(len(shoppers.items), bool)
    within[shoppers.indptr[1:-1]] = False  # a history's first follows nothing
    here, there = shoppers.items[:-1][within[1:]], shoppers.items[1:][within[1:]]
    return pruned(matrix(here, there, np.ones(len(here)), (items, items)), LINKED)


def _shares(counts: Any) -> Any:
    """Rows that add up to one."""
    rows = counts.copy()
    totals = np.add.reduceat(np.append(rows.data, 0), rows.indptr[:-1])
    rows.data = rows.data / np.repeat(totals, np.diff(rows.indptr))
    return rows


def _off_diagonal(rows: Any) -> Any:
    found = rows.tocoo()
    other = found.row != found.col
    return matrix(found.row[other], found.col[other], found.data[other], rows.shape)


def make_alike(clusters: Longs, rng: np.random.Generator) -> Any:
    """Items of the same cluster around each item, at random strengths."""
    size = len(clusters)
    here = np.repeat(np.arange(size), ALIKE)
    there = _drawn(clusters[here], clusters, rng, zipf=False)
    other = here != there
    strength = rng.random(int(other.sum()), np.float32)
    return matrix(here[other], there[other], strength, (size, size))  # drawn twice adds up


def make_link_vectors(catalogue: Catalogue, rng: np.random.Generator) -> LinkVectors:
    """Random unit vectors of the width that is learned: the search costs the same."""
    vectors = rng.standard_normal((len(catalogue), DIMENSIONS), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = replace(catalogue, vectors=vectors, encoder="synthetic links")
    return LinkVectors(vectors, ItemIndex.build(made))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=2_000, help="shoppers timed in the shop")
    parser.add_argument("--reviews", nargs="+", type=Path, default=[], metavar="F")
    parser.add_argument("--items", nargs="+", type=Path, default=[], metavar="F")
    parser.add_argument("--home", type=Path, help="home of the shop, kept")
    parser.add_argument("--only", choices=("shop", "curves"), help="one of the two parts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there too")
    args = parser.parse_args()
    if bool(args.reviews) != bool(args.items):
        parser.error("give --reviews and --items together")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    figures: dict[str, Any] = {"cores": CORES, "k": K}
    with tempfile.TemporaryDirectory() as scratch:
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "shop": lambda: shop(args, args.home or Path(scratch)),
            "curves": lambda: curves(args.seed),
        }
        for name, measured in parts.items():
            if args.only in (None, name):
                figures[name] = measured()
    text = json.dumps(figures, indent=1) + "\n"
    sys.stdout.write(text)
    if args.json:
        args.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
