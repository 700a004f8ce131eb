"""An index that lives: items come, change and go, and another takes its place while it answers."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from features.errors import VersionMismatchError
from recsys.candidates import ItemIndex
from recsys.candidates.live_index import LiveIndex, tie_keys
from recsys.candidates.serving import Serving
from recsys.errors import ArtifactError, RecallError, TailorError
from recsys.settings import IndexSettings
from tests.recsys.clouds import DIM, KINDS, brute, catalogue_of, cloud, mixtures


class AsADictionary(RuleBasedStateMachine):
    """Whatever comes, changes and goes: the index answers as a dictionary searched one by one."""

    ids = st.lists(st.sampled_from("abcdefghijkl"), max_size=6)
    numbers = st.integers(0, 2**32)

    @initialize(ids=ids, seed=numbers, kind=st.sampled_from(["exact", "ivf", "hnsw"]))
    def start(self, ids, seed, kind):
        vectors = self.vectors(len(ids), seed)
        self.model = dict(zip(ids, vectors, strict=True))
        options = IndexSettings(kind=kind)
        self.index = LiveIndex.build(ids, vectors, "tiny-1", options, seed=5)

    @staticmethod
    def vectors(n, seed):
        """Small whole numbers: many ties, and no rounding."""
        return np.random.default_rng(seed).integers(-2, 3, (n, 4)).astype(np.float32)

    @rule(ids=ids, seed=numbers)
    def upsert(self, ids, seed):
        vectors = self.vectors(len(ids), seed)
        self.index.upsert(ids, vectors, encoder="tiny-1")
        self.model |= dict(zip(ids, vectors, strict=True))

    @rule(ids=ids)
    def remove(self, ids):
        there = {i for i in ids if i in self.model}
        assert self.index.remove(ids) == len(there)
        for item in there:
            del self.model[item]

    @rule()
    def rebuild(self):
        self.index = self.index.rebuild()
        assert not self.index.rebuild_due

    @rule(seed=numbers, k=st.integers(1, 14))
    def search(self, seed, k):
        queries = self.vectors(3, seed)
        names = list(self.model)
        found, scores = self.index.search(queries, k)
        vectors = np.array(list(self.model.values()), np.float32).reshape(-1, 4)
        expected = brute(vectors, queries, k, tie_keys(names, 5))
        assert found.tolist() == [[names[i] for i in row] for row in expected]
        assert scores.tolist() == [
            [float(vectors[i] @ query) for i in row]
            for row, query in zip(expected, queries, strict=True)
        ]

    @invariant()
    def counts(self):
        if hasattr(self, "model"):
            assert len(self.index) == len(self.model)
            assert all(item in self.index for item in self.model)


AsADictionary.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestAsADictionary = AsADictionary.TestCase


def live(kind: str, items: int = 3000) -> LiveIndex:
    ids = [f"i{i}" for i in range(items)]
    return LiveIndex.build(ids, cloud(items), "tiny-1", IndexSettings(kind=kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_live_index_answers_as_that_of_the_release(kind):
    catalogue = catalogue_of(cloud())
    released, queries = ItemIndex.build(catalogue, IndexSettings(kind=kind)), mixtures(catalogue)
    ids = list(catalogue.item_ids)
    alive = LiveIndex.build(ids, catalogue.vectors, "tiny-1", IndexSettings(kind=kind))
    items, scores = released.search(queries, 20)
    found = alive.search(queries, 20)
    same = np.mean(found[0] == np.array(ids, object)[items])
    assert same == 1 if kind != "hnsw" else same > 0.95  # a graph differs between builds
    assert alive.recall == pytest.approx(released.recall, abs=0.01)
    if kind == "exact":
        assert np.array_equal(found[1], scores)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_item_is_found_at_once_and_a_removed_one_never(kind):
    index = live(kind)
    new = cloud(50, seed=8)
    names = [f"new{i}" for i in range(50)]
    index.upsert(names, new, encoder="tiny-1")
    assert np.mean(index.search(new, 1)[0][:, 0] == names) >= 0.98
    assert index.remove(names) == 50
    assert not set(names) & set(index.search(new, 100)[0].ravel())
    assert len(index) == 3000


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_item_is_found_where_it_is_now(kind):
    index = live(kind)
    place = cloud(1, seed=9)
    before = index.search(place, 5)[0][0].tolist()
    old = index.probe(1)
    index.upsert(["i0"], place, encoder="tiny-1")
    assert index.search(place, 5)[0][0].tolist() == ["i0", *[i for i in before if i != "i0"][:4]]
    assert "i0" not in index.search(old, 100)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_gone_is_skipped_however_much_it_is(kind):
    """All around a query is gone: the search goes on until the list is full."""
    index = live(kind)
    query = cloud(1, seed=2)[:1]
    near = index.search(query, 900)[0][0]
    index.remove(near)
    found, scores = index.search(query, 50)
    assert not set(near) & set(found[0])
    assert np.isfinite(scores).all()
    assert len(set(found[0])) == 50
    assert index.rebuild_due == (kind != "exact"), "the exact one has closed its gaps"
    fresh = index.rebuild()
    assert not fresh.rebuild_due
    assert len(fresh) == len(index) == 2100


def test_a_rebuild_is_due_from_a_fifth_gone_or_when_another_kind_is():
    index = live("hnsw", 1000)
    index.remove([f"i{i}" for i in range(200)])
    assert not index.rebuild_due
    index.remove(["i200"])
    assert index.rebuild_due
    grown = LiveIndex("tiny-1", DIM, IndexSettings(exact_below=1000), 0)
    vectors = cloud(1000)
    grown.upsert([f"i{i}" for i in range(999)], vectors[:999], encoder="tiny-1")
    assert not grown.rebuild_due
    grown.upsert(["last"], vectors[999:], encoder="tiny-1")
    assert grown.rebuild_due
    assert grown.rebuild().kind == "ivf"


@pytest.mark.parametrize(
    ("ids", "vectors", "encoder", "error"),
    [
        (["a"], np.ones((1, DIM)), "tiny-2", VersionMismatchError),
        (["a"], np.ones((1, DIM - 1)), "tiny-1", VersionMismatchError),
        (["a", "b"], np.ones((1, DIM)), "tiny-1", TailorError),
        (["a", "b"], np.array([[1.0] * DIM, [np.nan] * DIM]), "tiny-1", TailorError),
    ],
)
def test_what_does_not_fit_is_refused_whole(ids, vectors, encoder, error):
    index = live("exact", 10)
    with pytest.raises(error):
        index.upsert(ids, vectors, encoder=encoder)
    assert (len(index), "a" in index) == (10, False)


def test_an_index_of_nothing_answers_with_nothing():
    index = LiveIndex("tiny-1", DIM, IndexSettings(kind="ivf"), 0)
    assert index.search(cloud(3), 5)[0].shape == (3, 0)
    index.upsert(["a"], cloud(1), encoder="tiny-1")
    assert index.search(cloud(3), 5)[0].tolist() == [["a"]] * 3


def test_a_search_beside_a_writer_sees_each_change_whole():
    """The writer moves all items between two places; no answer may mix them."""
    here, there = cloud(2, seed=4)
    names = [f"i{i}" for i in range(30)]
    index = LiveIndex.build(names, np.tile(here, (30, 1)), "tiny-1")
    stop, seen, failed = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            found, scores = index.search(here[None], 30)
            seen.add(float(scores[0, 0]))
            if len(set(found[0])) != 30 or len(set(scores[0])) != 1:
                failed.append(found)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for turn in range(100):
        place = there if turn % 2 else here
        index.upsert(names, np.tile(place, (30, 1)), encoder="tiny-1")
    stop.set()
    for reader in readers:
        reader.join()
    assert not failed
    assert seen


# an index is swapped while it serves


def release(version: int, kind: str = "exact") -> ItemIndex:
    vectors = cloud(400, seed=version)
    return ItemIndex.build(catalogue_of(vectors, f"v{version}-"), IndexSettings(kind=kind))


def test_every_answer_is_of_one_index_while_they_are_swapped():
    versions = [release(v, KINDS[v % 3]) for v in range(4)]
    query = cloud(2, seed=50)
    answers = {
        v: [index.catalogue.item_ids[i] for i in index.search(query, 10)[0].ravel()]
        for v, index in enumerate(versions)
    }
    serving = Serving(versions[0], encoder="tiny-1")
    stop, seen, failed = threading.Event(), set(), []

    def read():
        try:
            while not stop.is_set():
                index = serving.current
                found = index.search(query, 10)[0].ravel()
                names = [index.catalogue.item_ids[i] for i in found]
                version = int(names[0][1])
                assert names == answers[version]
                seen.add(version)
        except Exception as error:
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    turn = 0
    while turn < 300 or (len(seen) < 4 and turn < 20_000 and not failed):
        turn += 1
        serving.swap(versions[turn % 4])
    stop.set()
    for reader in readers:
        reader.join()
    assert not failed
    assert seen == {0, 1, 2, 3}


class Lost(ItemIndex):
    """Finds the least alike."""

    def search(self, queries, k):
        return super().search(-queries, k)


class Broken(ItemIndex):
    def search(self, queries, k):
        raise RuntimeError("torn")


@pytest.mark.parametrize(
    ("spoil", "error", "match"),
    [
        (lambda i: replace(i, catalogue=replace(i.catalogue, encoder="tiny-2")),
         VersionMismatchError, "tiny-2.*queries are made by 'tiny-1'"),
        (lambda i: replace(i, recall=0.97), RecallError, r"0\.9700"),
        (lambda i: Lost(i.index, i.catalogue), ArtifactError, "its own items"),
        (lambda i: Broken(i.index, i.catalogue), ArtifactError, "no search: torn"),
        (lambda i: LiveIndex("tiny-1", DIM, IndexSettings(), 0), ArtifactError, "no items"),
    ],
)  # fmt: skip
def test_a_refused_index_leaves_the_old_one_serving(spoil, error, match):
    old = release(1)
    serving = Serving(old, encoder="tiny-1")
    with pytest.raises(error, match=match):
        serving.swap(spoil(release(2)))
    assert serving.current is old
    serving.swap(new := release(2))
    assert serving.current is new
