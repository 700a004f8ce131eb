import dataclasses
import json

import pytest
import torch

from personalizer.errors import WeightsError
from personalizer.hypernet import HyperNetwork
from personalizer.lora import Shapes, attach


def same(first, second):
    return all(
        torch.equal(x, y) for kind in first for x, y in zip(first[kind], second[kind], strict=True)
    )


@torch.no_grad()
def test_it_starts_at_exactly_nothing(trained, fresh, users):
    ids = torch.arange(3, 15).view(4, 3)
    before = trained.lm.model(input_ids=ids).logits
    adapters = fresh(torch.from_numpy(users))
    with attach(trained.lm.model, fresh.config.targets).use(adapters):
        assert torch.equal(trained.lm.model(input_ids=ids).logits, before)
    assert all(float(pair.a.std()) > 0 for pair in adapters.values())


def test_shapes_of_what_comes_out(random_hypernet, users):
    pair = random_hypernet(torch.from_numpy(users))["q_proj"]
    assert pair.a.shape == (4, 2, 4, 64)
    assert pair.b.shape == (4, 2, 64, 4)


def test_modules_of_other_shapes_get_their_own(fresh):
    shapes = Shapes(3, {"q_proj": (8, 8), "v_proj": (8, 2)})
    network = HyperNetwork(fresh.config, 5, shapes)
    pair = network(torch.zeros(2, 5))["v_proj"]
    assert pair.a.shape == (2, 3, 4, 8)
    assert pair.b.shape == (2, 3, 2, 4)


@torch.no_grad()
def test_every_position_gets_its_own_adapter(random_hypernet, users):
    adapters = random_hypernet(torch.from_numpy(users))
    q, v = adapters["q_proj"].b, adapters["v_proj"].b
    assert not torch.allclose(q[:, 0], q[:, 1], atol=1e-3)
    assert not torch.allclose(q, v, atol=1e-3)


@torch.no_grad()
def test_what_is_saved_is_what_is_loaded(random_hypernet, users, tmp_path):
    random_hypernet.save(tmp_path)
    loaded = HyperNetwork.load(
        tmp_path, shapes=random_hypernet.shapes, user_dim=random_hypernet.user_dim
    )
    assert loaded.config == random_hypernet.config
    vectors = torch.from_numpy(users)
    assert same(loaded(vectors), random_hypernet(vectors))


def test_another_models_hypernetwork_is_refused(random_hypernet, tmp_path):
    random_hypernet.save(tmp_path)
    shapes, dim = random_hypernet.shapes, random_hypernet.user_dim
    with pytest.raises(WeightsError, match="made for"):
        HyperNetwork.load(tmp_path, shapes=dataclasses.replace(shapes, layers=9), user_dim=dim)
    with pytest.raises(WeightsError, match="made for"):
        HyperNetwork.load(tmp_path, shapes=shapes, user_dim=dim + 1)


@pytest.mark.parametrize("damage", ["missing", "torn", "card", "strange"])
def test_a_damaged_folder_is_refused(random_hypernet, tmp_path, damage):
    random_hypernet.save(tmp_path)
    weights, card = tmp_path / "hypernet.safetensors", tmp_path / "hypernet.json"
    if damage == "missing":
        weights.unlink()
    elif damage == "torn":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "card":
        card.write_text("{")
    else:
        card.write_text(json.dumps({"a": 1}))
    with pytest.raises(WeightsError, match=str(tmp_path)):
        HyperNetwork.load(
            tmp_path, shapes=random_hypernet.shapes, user_dim=random_hypernet.user_dim
        )
