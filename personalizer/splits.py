"""Which shoppers test and which teach: spread over all clusters, or whole clusters apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalizer.errors import PersonalizerError

__all__ = ["Clusters", "Split", "cluster", "out_of_distribution", "random_split", "silhouette"]

Floats = NDArray[np.floating]
Longs = NDArray[np.int64]
ROUNDS, STARTS = 50, 4
SAMPLE = 2_000  # shoppers whose silhouette is computed


@dataclass(frozen=True)
class Clusters:
    """Cluster of each shopper, and the centroids."""

    labels: Longs  # (U,)
    centroids: Floats  # (K, D)

    @property
    def sizes(self) -> Longs:
        """Shoppers in each cluster (K,)."""
        return np.bincount(self.labels, minlength=len(self.centroids)).astype(np.int64)


@dataclass(frozen=True)
class Split:
    """Rows that teach and rows that test; nobody is in both."""

    train: Longs
    test: Longs
    clusters: Clusters


def _unit(vectors: Floats) -> Floats:
    if vectors.ndim != 2 or len(vectors) < 2 or not np.isfinite(vectors).all():
        raise PersonalizerError(
            f"vectors {vectors.shape}, or some not finite",
            where="split",
            fix="give finite vectors (U, D) of two shoppers at least",
        )
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), np.float64)


def cluster(vectors: Floats, k: int, *, seed: int) -> Clusters:
    """K-means on normalised vectors: several seeded starts, the tightest is kept."""
    unit = _unit(vectors)
    if not 1 <= k <= len(unit):
        raise PersonalizerError(f"{k} clusters of {len(unit)} shoppers", where="split")
    found = [_kmeans(unit, k, np.random.default_rng([seed, start])) for start in range(STARTS)]
    return min(found, key=lambda clusters: _spread(unit, clusters))


def _spread(unit: Floats, clusters: Clusters) -> float:
    return float(np.square(unit - clusters.centroids[clusters.labels]).sum())


def _squared(unit: Floats, centroids: Floats) -> Floats:
    """Squared distances (U, K)."""
    cross = unit @ centroids.T
    squared = np.square(unit).sum(1)[:, None] - 2 * cross + np.square(centroids).sum(1)
    apart: Floats = np.maximum(squared, 0)
    return apart


def _kmeans(unit: Floats, k: int, rng: np.random.Generator) -> Clusters:
    centroids = _far_apart(unit, k, rng)
    labels = np.full(len(unit), -1, np.int64)
    for _ in range(ROUNDS):
        near = _squared(unit, centroids)
        new = near.argmin(axis=1).astype(np.int64)
        for empty in np.setdiff1d(np.arange(k), new):
            # an empty cluster takes the shopper farthest from her own, whom nobody else needs
            alone = np.bincount(new, minlength=k)[new] == 1
            new[np.where(alone, -1, near[np.arange(len(unit)), new]).argmax()] = empty
        if (new == labels).all():
            break
        labels = new
        centroids = np.stack([unit[labels == c].mean(axis=0) for c in range(k)])
    return Clusters(labels, centroids)


def _far_apart(unit: Floats, k: int, rng: np.random.Generator) -> Floats:
    """First centroids as k-means++ draws them: far from those drawn before."""
    drawn = [unit[rng.integers(len(unit))]]
    while len(drawn) < k:
        away = _squared(unit, np.stack(drawn)).min(axis=1)
        total = away.sum()
        share = away / total if total > 1e-12 else np.full(len(unit), 1 / len(unit))
        drawn.append(unit[rng.choice(len(unit), p=share)])
    return np.stack(drawn)


def silhouette(vectors: Floats, labels: Longs, *, seed: int = 0) -> float:
    """Mean silhouette: how much nearer shoppers are to their own cluster than to the next."""
    unit = _unit(vectors)
    if len(unit) > SAMPLE:
        some = np.random.default_rng([seed, 9]).permutation(len(unit))[:SAMPLE]
        unit, labels = unit[some], labels[some]
    kinds, labels = np.unique(labels, return_inverse=True)
    if len(kinds) < 2:
        return 0.0
    away = np.sqrt(_squared(unit, unit))  # (U, U)
    member = np.eye(len(kinds))[labels]  # (U, K)
    sizes = member.sum(axis=0)
    sums = away @ member  # (U, K)
    rows = np.arange(len(unit))
    own = sums[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    means = sums / sizes
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    width = np.maximum(np.maximum(own, other), 1e-12)
    return float(np.where(sizes[labels] > 1, (other - own) / width, 0).mean())


def random_split(vectors: Floats, count: int, *, seed: int, k: int | None = None) -> Split:
    """Test `count` shoppers, each cluster giving its share; the largest remainders round up."""
    users = len(vectors)
    _check(count, users)
    clusters = cluster(vectors, k or min(50, max(2, min(20, users // 2))), seed=seed)
    quota = clusters.sizes * count / users
    take = np.floor(quota).astype(np.int64)
    order = np.lexsort((-clusters.sizes, take - quota))  # largest remainder first
    take[order[: count - take.sum()]] += 1
    rng = np.random.default_rng([seed, 7])
    test = [rng.permutation(np.flatnonzero(clusters.labels == c))[:n] for c, n in enumerate(take)]
    return _split(np.concatenate(test), clusters)


def out_of_distribution(
    vectors: Floats, count: int, *, seed: int, ks: tuple[int, ...] | None = None
) -> Split:
    """Test whole clusters, the farthest from all others and the smallest first, up to `count`.

    No shopper of a cluster that tests teaches. The number of clusters is that of the best
    silhouette.
    """
    users = len(vectors)
    _check(count, users)
    tried = [cluster(vectors, k, seed=seed) for k in ks or _ks(users)]
    clusters = max(tried, key=lambda made: silhouette(vectors, made.labels, seed=seed))
    chosen: list[int] = []
    for c in np.argsort(-_oddness(clusters), kind="stable"):
        if clusters.sizes[[*chosen, c]].sum() <= count:
            chosen.append(int(c))
    if not chosen:
        raise PersonalizerError(
            f"the smallest cluster has {clusters.sizes.min()} of {users} shoppers",
            where="out-of-distribution split",
            fix=f"test {clusters.sizes.min()} at least",
        )
    return _split(np.flatnonzero(np.isin(clusters.labels, chosen)), clusters)


def _ks(users: int) -> tuple[int, ...]:
    """Numbers of clusters that are tried."""
    low = max(2, min(10, users // 20))
    high = max(low + 1, min(20, users // 5))
    return tuple(k for k in range(low, high + 1) if k < users)


def _oddness(clusters: Clusters) -> Floats:
    """Mean distance to the other centroids over one plus the size (K,)."""
    k = len(clusters.centroids)
    away = np.sqrt(_squared(clusters.centroids, clusters.centroids))
    odd: Floats = away.sum(axis=1) / max(1, k - 1) / (1 + clusters.sizes)
    return odd


def _check(count: int, users: int) -> None:
    if not 0 < count < users:
        raise PersonalizerError(f"{count} of {users} shoppers to test", where="split")


def _split(test: Longs, clusters: Clusters) -> Split:
    rows = np.arange(len(clusters.labels))
    return Split(np.setdiff1d(rows, test), np.sort(test), clusters)
