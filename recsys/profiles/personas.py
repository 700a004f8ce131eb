"""Groups of shoppers, for those of whom too little is known: the nearest group speaks for them."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from personalizer.profiles.history import History, Purchase
from recsys.arrays import Floats, Longs
from recsys.errors import extra

with extra("recsys"):
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

__all__ = ["Personas", "clusters", "find", "pooled"]

LEAST_MEMBERS = 5  # a group must not be a single shopper in disguise
_LEARNT, _SAMPLE = 20_000, 1_000  # shoppers that groups are learnt and measured on
_POOLED = 100  # purchases that stand for a group
_NEAR = 30  # members that are most like their group


@dataclass(frozen=True)
class Personas:
    """Centres (K, D) of length one, with a pooled history each; `everyone` for the rest."""

    centres: Floats
    groups: tuple[History, ...]
    everyone: History
    silhouette: float

    def nearest(self, vectors: Floats) -> Longs:
        """The group of each vector (U,); -1 where nothing is known of a taste."""
        if not len(self.groups) or not len(vectors):
            return np.full(len(vectors), -1, np.int64)
        nearest = np.argmax(vectors @ self.centres.T, axis=1)
        return np.where(np.any(vectors, axis=1), nearest, -1).astype(np.int64)


def find(known: Sequence[History], vectors: Floats, *, most: int, seed: int) -> Personas:
    """Cluster shoppers by taste; how many groups, the silhouette decides."""
    order = sorted(range(len(known)), key=lambda row: _key(known[row]))  # not the file's order
    known, vectors = [known[row] for row in order], vectors[order]
    everyone = pooled(known, len(known))
    rows = np.flatnonzero(np.any(vectors, axis=1)) if vectors.size else np.array([], np.int64)
    score, centres, labels = clusters(vectors[rows], most=most, seed=seed)
    groups = []
    for group, centre in enumerate(centres):
        mine = rows[labels == group]
        typical = mine[np.argsort(-(vectors[mine] @ centre), kind="stable")][:_NEAR]
        groups.append(pooled([known[row] for row in typical], len(mine)))
    return Personas(centres, tuple(groups), everyone, score)


def clusters(vectors: Floats, *, most: int, seed: int) -> tuple[float, Floats, Longs]:
    """Silhouette, centres of length one and labels; no centre where there is nothing to part."""
    # small products: several threads would only wait for each other
    with threadpool_limits(1):
        tried = [_cluster(vectors, k, seed) for k in range(2, most + 1)]
    fits = [fit for fit in tried if fit is not None]
    if not fits:
        none = np.zeros((0, vectors.shape[1]), np.float32)
        return 0.0, none, np.full(len(vectors), -1, np.int64)
    return max(fits, key=lambda fit: fit[0])


def _cluster(vectors: Floats, k: int, seed: int) -> tuple[float, Floats, Longs] | None:
    """Silhouette, centres and labels of k groups; None where one would be too small."""
    if len(vectors) < k * LEAST_MEMBERS:
        return None
    part = np.random.default_rng(seed).permutation(len(vectors))
    fit = KMeans(k, n_init=1, random_state=seed).fit(vectors[part[:_LEARNT]])
    labels = fit.predict(vectors).astype(np.int64)
    sample = part[:_SAMPLE]
    if np.bincount(labels, minlength=k).min() < LEAST_MEMBERS or len(set(labels[sample])) < 2:
        return None
    score = float(silhouette_score(vectors[sample], labels[sample]))
    return score, _unit(fit.cluster_centers_), labels


def pooled(members: Sequence[History], many: int) -> History:
    """The purchases of many as one history: what most of them bought comes most."""
    bought: Counter[str] = Counter()
    one_of: dict[str, Purchase] = {}
    for member in members:
        for purchase in {each.item.item_id: each for each in member.purchases}.values():
            item = purchase.item.item_id
            bought[item] += 1
            if item not in one_of or purchase.seconds > one_of[item].seconds:
                one_of[item] = purchase
    ranked = sorted(bought, key=lambda item: (-bought[item], _hash(item)))[:_POOLED]
    purchases = sorted((one_of[item] for item in ranked), key=lambda p: (p.seconds, p.item.item_id))
    content = "".join(sorted(f"{p.item.item_id}{p.seconds}" for p in purchases)) + str(many)
    return History("", tuple(purchases), digest=_hash(content), many=max(many, 1))


def _unit(centres: Floats) -> Floats:
    length = np.linalg.norm(centres, axis=1, keepdims=True)
    unit: Floats = (centres / np.maximum(length, 1e-9)).astype(np.float32)
    return unit


def _key(history: History) -> str:
    return _hash(history.digest or history.user_id)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
