import numpy as np
import pytest

from personalizer.errors import PersonalizerError
from personalizer.splits import cluster, out_of_distribution, random_split, silhouette

SIZES = (60, 30, 10)
DIRECTIONS = np.eye(5)[:3]


@pytest.fixture
def vectors():
    """Three groups of known sizes in three directions, in no order."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(3), SIZES))
    return DIRECTIONS[group] * rng.uniform(1, 9, (100, 1)) + rng.normal(size=(100, 5)) * 0.02, group


def test_clusters_are_the_groups(vectors):
    points, group = vectors
    found = cluster(points, 3, seed=1)
    assert sorted(found.sizes.tolist()) == sorted(SIZES)
    for g in range(3):
        assert len(set(found.labels[group == g])) == 1


def test_every_seed_repeats_and_no_cluster_is_empty(vectors):
    points, _ = vectors
    first, second = (cluster(points, 20, seed=3) for _ in range(2))
    assert np.array_equal(first.labels, second.labels)
    assert first.sizes.min() >= 1
    same = cluster(np.ones((6, 2)), 4, seed=0)  # all shoppers are one point
    assert same.sizes.min() >= 1


def test_the_silhouette_by_hand():
    # on the unit circle: two at 0 degrees, two at 90; own distance 0, other sqrt(2)
    points = np.array([[1.0, 0], [2.0, 0], [0, 1.0], [0, 3.0]])
    assert silhouette(points, np.array([0, 0, 1, 1])) == pytest.approx(1)
    # wrongly put together: own sqrt(2); other (0 + sqrt(2)) / 2
    assert silhouette(points, np.array([0, 1, 0, 1])) == pytest.approx(-0.5)
    assert silhouette(points, np.zeros(4, int)) == 0


def test_a_random_split_takes_each_groups_share(vectors):
    points, group = vectors
    split = random_split(points, 20, seed=1, k=3)
    assert [int((group[split.test] == g).sum()) for g in range(3)] == [12, 6, 2]
    assert sorted([*split.train, *split.test]) == list(range(100))
    odd = random_split(points, 7, seed=1, k=3)  # 4.2, 2.1, .7: the largest remainder rounds up
    assert [int((group[odd.test] == g).sum()) for g in range(3)] == [4, 2, 1]
    assert not np.array_equal(random_split(points, 20, seed=2, k=3).test, split.test)


def test_out_of_distribution_takes_whole_odd_clusters(vectors):
    points, group = vectors
    split = out_of_distribution(points, 15, seed=1, ks=(2, 3, 4))
    assert len(split.clusters.sizes) == 3
    assert set(group[split.test]) == {2}  # all are as far apart, this is the smallest
    assert len(split.test) == 10
    assert not set(split.clusters.labels[split.test]) & set(split.clusters.labels[split.train])
    both = out_of_distribution(points, 40, seed=1, ks=(3,))
    assert set(group[both.test]) == {1, 2}


def test_the_number_of_clusters_is_found(vectors):
    points, _ = vectors
    split = out_of_distribution(points, 50, seed=0)
    assert not set(split.clusters.labels[split.test]) & set(split.clusters.labels[split.train])
    assert 0 < len(split.test) <= 50


def test_what_cannot_be_split_is_refused(vectors):
    points, _ = vectors
    with pytest.raises(PersonalizerError, match="100 of 100"):
        random_split(points, 100, seed=0)
    with pytest.raises(PersonalizerError, match="test 10 at least"):
        out_of_distribution(points, 5, seed=0, ks=(3,))
    with pytest.raises(PersonalizerError, match="finite"):
        cluster(points * np.nan, 3, seed=0)
    with pytest.raises(PersonalizerError, match="clusters of"):
        cluster(points, 101, seed=0)
