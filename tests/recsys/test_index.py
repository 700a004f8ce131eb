"""The index of a release: exact or nearly so, bound to its encoder, built by the pipeline."""

import json
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import VersionMismatchError
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.store import Draft
from recsys.candidates import ItemIndex, ItemMatrix, LinkVectors
from recsys.candidates import faiss_index as index_module
from recsys.candidates import index_search as search_module
from recsys.candidates.index_device import has_gpu
from recsys.candidates.index_kinds import kind_for
from recsys.candidates.index_search import FEW
from recsys.candidates.inner import inner_products
from recsys.catalogue import Catalogue
from recsys.errors import ArtifactError, RecallError, SettingsError
from recsys.pipeline.stage import Context
from recsys.pipeline.stages import STAGES, models
from recsys.settings import IndexSettings, Settings
from tests.recsys.clouds import ITEMS, KINDS, brute, catalogue_of, cloud, mixtures


def weight_of(links, source, item):
    return links.weights(np.array([source]), item)[0]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return catalogue_of(cloud())


@pytest.fixture(scope="module")
def indexes(catalogue) -> dict[str, ItemIndex]:
    return {kind: ItemIndex.build(catalogue, IndexSettings(kind=kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def queries(catalogue) -> np.ndarray:
    return mixtures(catalogue)


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
        exact = inner_products(catalogue.vectors, items[row][None], query[None])
        assert np.array_equal(scores[row], exact[0])


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


def test_few_queries_read_bytes_and_are_answered_as_many(queries, monkeypatch):
    vectors, rng = cloud(), np.random.default_rng(2)
    crowd = slice(1000, 1600)  # nearer to each other than bytes can tell
    vectors[crowd] = vectors[0] + rng.normal(size=(600, vectors.shape[1])) * 1e-5
    asked, many = np.concatenate((queries, vectors[:1])), np.repeat(vectors[:1], FEW, axis=0)
    read, fetch = [], search_module.fetch
    monkeypatch.setattr(
        search_module,
        "fetch",
        lambda index, *rest: (read.append(type(index).__name__), fetch(index, *rest))[1],
    )
    small = ItemIndex.build(catalogue_of(vectors))
    small.search(asked[:1], 7)
    assert read == ["IndexFlatIP"]  # a cache holds it as it is
    read.clear()
    monkeypatch.setattr(index_module, "WORTH", range(1, vectors.size + 1))
    index = ItemIndex.build(catalogue_of(vectors))
    for k in (7, 100):
        items, scores = index.search(np.concatenate((asked, many)), k)
        assert np.array_equal(items[: len(asked)], brute(vectors, asked, k))
        assert set(read) == {"IndexFlatIP"}
        read.clear()
        for row, query in enumerate(asked):
            alone = index.search(query[None], k)
            assert not read
            assert np.array_equal(alone[0][0], items[row])
            assert np.array_equal(alone[1][0], scores[row])


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
