"""The index: exact or nearly so, alive, swapped while it answers, bound to its encoder."""

import json
import threading
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from features.errors import VersionMismatchError
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.store import Draft
from recsys.candidates import ItemIndex, ItemMatrix, LinkVectors
from recsys.candidates import index_search as search_module
from recsys.candidates.index_device import has_gpu
from recsys.candidates.index_kinds import kind_for
from recsys.candidates.live_index import LiveIndex, tie_keys
from recsys.candidates.serving import Serving
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError, RecallError, SettingsError, TailorError
from recsys.pipeline.stage import Context
from recsys.pipeline.stages import STAGES, models
from recsys.settings import IndexSettings, Settings

DIM, ITEMS = 32, 5000
KINDS = ("exact", "ivf", "hnsw")


def weight_of(links, source, item):
    return links.weights(np.array([source]), item)[0]


def cloud(items: int = ITEMS, seed: int = 0, spread: float = 0.4) -> np.ndarray:
    """Vectors in clusters, as titles of the same category are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(50, DIM))
    vectors = centres[rng.integers(50, size=items)] + rng.normal(size=(items, DIM)) * spread
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def catalogue_of(vectors: np.ndarray, prefix: str = "i") -> Catalogue:
    n = len(vectors)
    ids = [f"{prefix}{i}" for i in range(n)]
    prices = np.ones(n, np.float32)
    return Catalogue(ids, ids, [()] * n, [None] * n, prices, vectors, "tiny-1")


def brute(vectors: np.ndarray, queries: np.ndarray, k: int, ties=None) -> np.ndarray:
    ties = np.arange(len(vectors)) if ties is None else ties
    rows = [np.lexsort((ties, -np.vecdot(vectors, query)))[:k] for query in queries]
    return np.array(rows).reshape(len(queries), min(k, len(vectors)))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return catalogue_of(cloud())


@pytest.fixture(scope="module")
def indexes(catalogue) -> dict[str, ItemIndex]:
    return {kind: ItemIndex.build(catalogue, IndexSettings(kind=kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def queries(catalogue) -> np.ndarray:
    """Mixtures of items that were not drawn when the recall was measured."""
    rng = np.random.default_rng(99)
    return catalogue.vectors[rng.integers(ITEMS, size=(200, 4))].mean(axis=1)


def test_auto_is_exact_below_a_million_items_then_what_is_set():
    auto = IndexSettings()
    assert kind_for(999_999, auto) == "exact"
    assert kind_for(1_000_000, auto) == "ivf"
    assert kind_for(1_000_000, IndexSettings(approximate="hnsw")) == "hnsw"
    assert kind_for(10, IndexSettings(kind="hnsw")) == "hnsw"
    assert kind_for(10**7, IndexSettings(kind="exact")) == "exact"


def test_auto_builds_what_it_says(catalogue):
    built = ItemIndex.build(catalogue, IndexSettings(exact_below=ITEMS))
    assert (built.kind, type(built.index).__name__) == ("ivf", "IndexIVFFlat")
    assert ItemIndex.build(catalogue).kind == "exact"


@pytest.mark.parametrize("kind", KINDS)
def test_the_recall_told_is_the_recall_met(indexes, catalogue, queries, kind):
    index = indexes[kind]
    found = index.search(queries, 100)[0]
    hits = [
        len(set(a) & set(b))
        for a, b in zip(found, brute(catalogue.vectors, queries, 100), strict=True)
    ]
    assert index.recall >= 0.98
    assert np.mean(hits) / 100 >= index.recall - 0.01
    assert (index.recall == 1) or kind != "exact"


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_is_answered_alike_alone_and_in_a_batch(indexes, catalogue, queries, kind):
    items, scores = indexes[kind].search(queries, 7)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    for row, query in enumerate(queries):
        alone = indexes[kind].search(query[None], 7)
        assert np.array_equal(alone[0][0], items[row])
        assert np.array_equal(alone[1][0], scores[row])
        assert np.array_equal(scores[row], np.vecdot(catalogue.vectors[items[row]], query))


@pytest.mark.parametrize(
    ("kind", "twins"),
    [("exact", 60), ("exact", 2500), ("ivf", 60), ("ivf", 2500), ("hnsw", 60)],
)
def test_equals_stand_in_catalogue_order_however_many_there_are(kind, twins):
    vectors = cloud(3000)
    rng = np.random.default_rng(1)
    same = np.sort(rng.choice(3000, twins, replace=False))
    vectors[same] = vectors[same[0]]
    index = ItemIndex.build(catalogue_of(vectors), IndexSettings(kind=kind))
    items = index.search(vectors[same[:1]], 10)[0]
    assert items[0].tolist() == same[:10].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_lists_are_full_even_where_the_search_looks_at_too_little(catalogue, kind):
    few = catalogue_of(catalogue.vectors[:300])
    index = ItemIndex.build(few, IndexSettings(kind=kind))
    items, scores = index.search(catalogue.vectors[400:410], 400)
    assert np.array_equal(np.sort(items, axis=1), np.tile(np.arange(300), (10, 1)))
    assert np.isfinite(scores).all()


def test_an_index_that_misses_too_much_is_refused():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5000, 96)).astype(np.float32)  # no clusters: lists can't help
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with pytest.raises(RecallError, match=r"finds 0\.\d+ of the 100 nearest.*min_recall is 0\.98"):
        ItemIndex.build(catalogue_of(vectors), IndexSettings(kind="ivf"))
    low = ItemIndex.build(catalogue_of(vectors), IndexSettings(kind="ivf", min_recall=0.3))
    assert 0.3 <= low.recall < 0.98


def test_a_graph_that_drowns_in_twins_is_refused():
    """1,500 equals fill each other's links, and the way to all others is lost."""
    vectors = cloud(2000)
    vectors[:1500] = vectors[0]
    with pytest.raises(RecallError, match="IndexHNSWFlat"):
        ItemIndex.build(catalogue_of(vectors), IndexSettings(kind="hnsw"))


def test_a_higher_recall_is_bought_by_a_wider_search(catalogue):
    widths = [
        ItemIndex.build(catalogue, IndexSettings(kind="ivf", min_recall=wanted)).index.nprobe
        for wanted in (0.3, 0.99)
    ]
    assert widths[0] < widths[1]


def test_lists_are_the_same_in_every_build(catalogue, queries):
    first, second = (ItemIndex.build(catalogue, IndexSettings(kind="ivf"), seed=3) for _ in "ab")
    assert first.recall == second.recall
    assert np.array_equal(first.search(queries, 50)[0], second.search(queries, 50)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_comes_back_with_its_kind_and_recall(indexes, catalogue, queries, kind, tmp_path):
    index = indexes[kind]
    index.save(tmp_path)
    again = ItemIndex.load(tmp_path, catalogue)
    assert (again.kind, again.recall) == (kind, index.recall)
    for a, b in zip(index.search(queries, 20), again.search(queries, 20), strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(VersionMismatchError, match="tiny-2"):
        ItemIndex.load(tmp_path, replace(catalogue, encoder="tiny-2"))
    with pytest.raises(VersionMismatchError):
        ItemIndex.load(tmp_path, replace(catalogue, item_ids=catalogue.item_ids[::-1]))


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("harm", [flip, lambda content: content[:-9], lambda _: b"", None])
@pytest.mark.parametrize("file", ["items.faiss", "index.json"])
def test_a_damaged_index_is_refused(indexes, catalogue, tmp_path, file, harm):
    indexes["ivf"].save(tmp_path)
    path = tmp_path / file
    if harm is None:
        path.unlink()
    else:
        path.write_bytes(harm(path.read_bytes()))
    with pytest.raises((ArtifactError, VersionMismatchError), match=str(tmp_path)):
        ItemIndex.load(tmp_path, catalogue)


def test_a_card_of_another_kind_is_refused(indexes, catalogue, tmp_path):
    indexes["exact"].save(tmp_path)
    card = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**card, "kind": "hnsw"}))
    with pytest.raises(ArtifactError, match="not of the kind hnsw"):
        ItemIndex.load(tmp_path, catalogue)


def test_queries_of_another_dimension_are_refused(indexes):
    with pytest.raises(VersionMismatchError, match="dimension 32"):
        indexes["exact"].search(np.ones((1, 31), np.float32), 3)


@pytest.mark.skipif(has_gpu(), reason="a GPU is there")
def test_without_a_gpu_auto_stays_on_the_cpu_and_gpu_is_refused(indexes):
    assert indexes["exact"].on("auto").index is indexes["exact"].index
    with pytest.raises(SettingsError, match=r"sees no GPU.*tailor\[gpu\]"):
        indexes["exact"].on("gpu")


def test_a_graph_does_not_go_to_a_gpu(indexes):
    assert indexes["hnsw"].on("auto").index is indexes["hnsw"].index
    with pytest.raises(SettingsError, match="HNSW"):
        indexes["hnsw"].on("gpu")


@pytest.mark.skipif(not has_gpu(), reason="needs faiss-gpu and a GPU")
@pytest.mark.parametrize("kind", ["exact", "ivf"])
def test_a_gpu_answers_as_the_cpu_does(indexes, catalogue, queries, kind, tmp_path):
    on_gpu = indexes[kind].on("gpu")
    assert isinstance(on_gpu.index, faiss.GpuIndex)
    for k in (1, 10, 100):
        expected, found = indexes[kind].search(queries, k), on_gpu.search(queries, k)
        assert np.array_equal(expected[0], found[0])
        assert np.array_equal(expected[1], found[1])
    on_gpu.save(tmp_path)
    again = ItemIndex.load(tmp_path, catalogue, "gpu")
    assert np.array_equal(again.search(queries, 10)[0], found[0][:, :10])


# an index that lives


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
def test_a_live_index_answers_as_that_of_the_release(indexes, catalogue, queries, kind):
    ids = list(catalogue.item_ids)
    alive = LiveIndex.build(ids, catalogue.vectors, "tiny-1", IndexSettings(kind=kind))
    items, scores = indexes[kind].search(queries, 20)
    found = alive.search(queries, 20)
    same = np.mean(found[0] == np.array(ids, object)[items])
    assert same == 1 if kind != "hnsw" else same > 0.95  # a graph differs between builds
    assert alive.recall == pytest.approx(indexes[kind].recall, abs=0.01)
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


# in the pipeline


def test_other_settings_of_the_index_make_another_index():
    (stage,) = (stage for stage in STAGES if stage.name == "index")
    told = stage.parameters(Context(Settings(), store=None, observer=None))
    assert {f"index.{name}" for name in IndexSettings.model_fields} | {"seed"} == set(told)


def test_the_stage_builds_by_the_settings_and_tells_the_recall(catalogue, tmp_path, monkeypatch):
    """Beside the index it lays out, for each moment, how items lead to items."""
    pairs = {"item_id": ["i1", "i2"], "neighbour_id": ["i2", "i3"], "weight": [0.5, 0.5]}
    for moment, name in product(("train", "eval"), ("transitions", "co_purchases", "together")):
        folder = tmp_path / "features" / moment / name
        folder.mkdir(parents=True)
        weight = [0.5, 0.25 if moment == "train" else 0.75]
        support = [[1.0, 2.0]] if name == "transitions" else []
        table = pa.table([*pairs.values(), *support], [*pairs, "support"][: 3 + len(support)])
        pq.write_table(table.set_column(2, "weight", [weight]), folder / "part-0.parquet")
    told = SimpleNamespace(names=("train", "eval"))
    monkeypatch.setattr(models, "catalogue_of", lambda inputs: catalogue)
    monkeypatch.setattr(models.RunMoments, "read", lambda folder: told)
    draft = Draft(tmp_path / "index", Manifest("index", "v1", "", "", {}, {}))
    tree, seen = Settings(index=IndexSettings(kind="ivf")), []
    inputs = {"features": SimpleNamespace(path=tmp_path / "features")}
    observer = SimpleNamespace(progress=lambda *step: seen.append(step))
    models.index(Context(tree, store=None, observer=observer, inputs=inputs), draft)
    told = draft.manifest.metrics
    assert (told["items"], told["kind"]) == (ITEMS, "ivf")
    assert told["recall"] == ItemIndex.load(draft.path / models.FAISS, catalogue).recall >= 0.98
    assert seen == [("index", 1, 2), ("index", 2, 2)]
    for moment, weight in (("train", 0.25), ("eval", 0.75)):
        folder = draft.path / moment
        assert weight_of(ItemMatrix.load(folder / "transitions", catalogue), 2, 3) == weight
        assert weight_of(ItemMatrix.load(folder / "two_steps", catalogue), 1, 3) == weight / 2
        assert (
            LinkVectors.load(folder / models.LINKS, catalogue).queries[[1, 2, 3]].any(axis=1).all()
        )
    assert ItemMatrix.load(draft.path / "wording", catalogue).rows.nnz == 0
    assert ItemMatrix.load(draft.path / "similar", catalogue).rows.nnz > ITEMS


def test_threads_are_for_many_queries_only(indexes, queries, monkeypatch):
    told = []
    monkeypatch.setattr(search_module.faiss, "omp_set_num_threads", told.append)
    indexes["exact"].search(queries[:1], 3)
    indexes["exact"].search(queries, 3)
    assert told == [1, search_module.THREADS]
