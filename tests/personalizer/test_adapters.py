import copy
import dataclasses
import json

import numpy as np
import peft
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from personalizer.adapters import AdapterStore, Shopper
from personalizer.errors import PersonalizerError
from personalizer.export import MODULES, adapter_name, export_fleet, export_folder
from personalizer.hypernet import HyperNetwork


@pytest.fixture
def shoppers(world):
    vectors, _ = world.shoppers(6, seed=70)
    return [Shopper(f"u{row}", vector, "day 1") for row, vector in enumerate(vectors)]


@pytest.fixture
def store(random_hypernet):
    return AdapterStore(random_hypernet, "h1")


def same(first, second):
    return all(
        torch.allclose(x, y, atol=1e-6)
        for kind in first
        for x, y in zip(first[kind], second[kind], strict=True)
    )


def directly(hypernet, shoppers):
    with torch.no_grad():
        return hypernet(torch.from_numpy(np.stack([s.vector for s in shoppers])))


def test_found_or_made_the_adapters_are_those_of_the_hypernetwork(store, random_hypernet, shoppers):
    store.adapters(shoppers[:3])
    mixed = [shoppers[4], shoppers[1], shoppers[1], shoppers[0]]
    assert same(store.adapters(mixed), directly(random_hypernet, mixed))
    assert (store.usage().hits, store.usage().misses) == (3, 4)


def test_a_batch_makes_the_missing_in_one_pass(store, random_hypernet, shoppers, monkeypatch):
    passes = []
    forward = HyperNetwork.forward
    monkeypatch.setattr(
        HyperNetwork, "forward", lambda self, x: passes.append(len(x)) or forward(self, x)
    )
    store.adapters(shoppers[:2])
    store.adapters(shoppers)
    store.adapters(shoppers)
    assert passes == [2, 4]


def test_a_new_purchase_is_never_served_the_old_adapter(store, random_hypernet, shoppers):
    before = shoppers[0]
    store.adapters([before])
    moved = dataclasses.replace(before, vector=before.vector + np.float32(0.1))
    assert same(store.adapters([moved]), directly(random_hypernet, [moved]))
    # the history changed though its embedding did not
    later = dataclasses.replace(before, lineage="day 2")
    assert store.key(later) != store.key(before)
    store.adapters([later])
    assert store.usage().misses == 3


def test_another_hypernetwork_is_never_served_the_old_adapter(store, fresh, shoppers):
    store.adapters(shoppers)
    store.replace(fresh, "h2")
    assert store.usage().kept == 0
    assert same(store.adapters(shoppers), directly(fresh, shoppers))
    with pytest.raises(PersonalizerError, match="version"):
        store.replace(fresh, "h2")


def test_it_keeps_within_its_bytes_those_used_last(random_hypernet, shoppers):
    one = sum(
        part.numel() * 4
        for pair in directly(random_hypernet, shoppers[:1]).values()
        for part in pair
    )
    store = AdapterStore(random_hypernet, "h1", most_bytes=2 * one)
    store.adapters(shoppers[:2])
    store.adapters(shoppers[:1])  # the first is now the last used
    store.adapters(shoppers[2:3])
    assert (store.usage().kept, store.usage().bytes, store.usage().evicted) == (2, 2 * one, 1)
    store.adapters(shoppers[:1])
    assert store.usage().hits == 2
    store.adapters(shoppers)  # more than it can keep are still served
    assert store.usage().bytes == 2 * one


def test_a_vector_that_does_not_fit_is_refused(store):
    with pytest.raises(PersonalizerError, match="u9"):
        store.adapters([Shopper("u9", np.zeros(3, np.float32))])
    with pytest.raises(PersonalizerError, match="finite"):
        store.adapters([Shopper("u9", np.full(16, np.nan, np.float32))])


@pytest.mark.parametrize("rslora", [False, True])
@torch.no_grad()
def test_peft_loads_what_was_exported_with_equal_logits(
    trained, random_hypernet, users, tmp_path, rslora
):
    random_hypernet.config = dataclasses.replace(random_hypernet.config, scale=0.7, rslora=rslora)
    adapted = random_hypernet.attach(trained.lm.model)
    adapters = random_hypernet(torch.from_numpy(users))
    ids = torch.randint(3, 300, (4, 7))
    with adapted.use(adapters):
        ours = trained.lm.model(input_ids=ids).logits
    folder = export_folder(
        adapters,
        2,
        adapted=adapted,
        config=random_hypernet.config,
        base="tiny",
        folder=tmp_path / "a",
    )
    base = copy.deepcopy(trained.lm.model)
    theirs = peft.PeftModel.from_pretrained(base, folder).eval()(input_ids=ids[2:3]).logits
    torch.testing.assert_close(ours[2:3], theirs, atol=1e-5, rtol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_fleet_is_a_line_per_adapter(trained, store, random_hypernet, shoppers, tmp_path):
    adapted = random_hypernet.attach(trained.lm.model)
    names = export_fleet(shoppers, store, adapted=adapted, base="tiny", out=tmp_path)
    again = export_fleet(shoppers, store, adapted=adapted, base="tiny", out=tmp_path)
    assert names == again
    lines = (tmp_path / MODULES).read_text().splitlines()
    assert [line.partition("=")[0] for line in lines] == names
    for line in lines:
        config = json.loads((tmp_path / line.partition("=")[2] / "adapter_config.json").read_text())
        assert (config["peft_type"], config["r"]) == ("LORA", random_hypernet.config.rank)
    moved = dataclasses.replace(shoppers[0], lineage="day 2")
    (name,) = export_fleet([moved], store, adapted=adapted, base="tiny", out=tmp_path)
    assert name not in names


@pytest.mark.parametrize(
    "user", ["../../etc/passwd", "..", "a/b", "a\\b", "C:\\x", "\0", "é" * 90, ""]
)
def test_no_id_leaves_its_folder(user, tmp_path):
    name = adapter_name(user, "v/1")
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()
    assert len(name.encode()) < 255
    assert name.isascii()


@given(st.lists(st.text(max_size=200), min_size=2, max_size=2, unique=True))
def test_two_shoppers_never_share_a_name(both):
    first, second = (adapter_name(user, "1") for user in both)
    assert first != second
    assert "/" not in first
