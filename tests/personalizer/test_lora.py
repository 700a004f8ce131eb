import copy

import numpy as np
import peft
import pytest
import torch

from personalizer.errors import PersonalizerError, WeightsError
from personalizer.lora import Shapes, attach

SCALE = 0.7


@pytest.fixture
def adapted(trained):
    return attach(trained.lm.model, ("q_proj", "v_proj"), SCALE)


@pytest.fixture
def adapters(random_hypernet, users):
    with torch.no_grad():
        return random_hypernet(torch.from_numpy(users))


@pytest.fixture
def ids(trained):
    torch.manual_seed(0)
    return torch.randint(3, 300, (4, 7))  # (U, T)


@torch.no_grad()
def logits(model, ids, **kwargs):
    return model(input_ids=ids, **kwargs).logits


def paths(model, kind):
    return [n for n, _ in model.named_modules() if n.endswith(kind)]


def test_shapes_are_the_models(trained, adapted):
    assert adapted.shapes == Shapes(2, {"q_proj": (64, 64), "v_proj": (64, 64)})


def test_each_row_equals_the_model_with_her_weights_merged(trained, adapted, adapters, ids):
    with adapted.use(adapters):
        batch = logits(trained.lm.model, ids)
    for row in range(len(ids)):
        merged = copy.deepcopy(trained.lm.model)
        for kind, pair in adapters.items():
            for layer, path in enumerate(paths(merged, kind)):
                weight = merged.get_submodule(path).weight
                weight += SCALE * pair.b[row, layer] @ pair.a[row, layer]
        torch.testing.assert_close(
            batch[row], logits(merged, ids[row : row + 1])[0], atol=1e-5, rtol=0
        )


def test_each_row_equals_pefts_own_forward(trained, adapted, adapters, ids):
    with adapted.use(adapters):
        batch = logits(trained.lm.model, ids)
    rank = adapters["q_proj"].a.shape[2]
    config = peft.LoraConfig(
        r=rank, lora_alpha=SCALE * rank, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"
    )
    theirs = peft.get_peft_model(copy.deepcopy(trained.lm.model), config).eval()
    for row in range(len(ids)):
        for kind, pair in adapters.items():
            for layer, path in enumerate(paths(theirs, kind)):
                module = theirs.get_submodule(path)
                module.lora_A["default"].weight.data = pair.a[row, layer].clone()
                module.lora_B["default"].weight.data = pair.b[row, layer].clone()
        torch.testing.assert_close(
            batch[row], logits(theirs, ids[row : row + 1])[0], atol=1e-5, rtol=0
        )


def test_left_padding_changes_nothing(trained, adapted, adapters, ids):
    padded = torch.cat([torch.zeros(4, 3, dtype=torch.long), ids], dim=1)
    mask = (torch.arange(10) >= 3).long().expand(4, -1)
    with adapted.use(adapters):
        plain = logits(trained.lm.model, ids)
        left = logits(
            trained.lm.model,
            padded,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        )
    torch.testing.assert_close(left[:, 3:], plain, atol=1e-5, rtol=0)


def test_rows_of_one_shopper_share_her_adapter_uncopied_or_by_name(trained, adapted, adapters, ids):
    three_each = ids.repeat_interleave(3, dim=0)
    with adapted.use(adapters):
        one = logits(trained.lm.model, ids)
        blocks = logits(trained.lm.model, three_each)
    order = torch.tensor([2, 0, 3, 0])
    with adapted.use(adapters, order):
        named = logits(trained.lm.model, ids[order])
    torch.testing.assert_close(blocks, one.repeat_interleave(3, dim=0), atol=1e-5, rtol=0)
    torch.testing.assert_close(named, one[order], atol=1e-5, rtol=0)


def test_outside_the_block_the_model_is_itself(trained, adapted, adapters, ids):
    before = logits(trained.lm.model, ids)
    with adapted.use(adapters):
        inside = logits(trained.lm.model, ids)
    assert torch.equal(logits(trained.lm.model, ids), before)
    assert not torch.allclose(inside, before, atol=1e-3)


def test_an_error_inside_the_block_still_takes_the_adapters_off(trained, adapted, adapters, ids):
    before = logits(trained.lm.model, ids)
    with pytest.raises(ZeroDivisionError), adapted.use(adapters):
        raise ZeroDivisionError
    assert torch.equal(logits(trained.lm.model, ids), before)
    with adapted.use(adapters):
        pass


def test_adapters_do_not_nest(adapted, adapters):
    with (
        adapted.use(adapters),
        pytest.raises(PersonalizerError, match="in use"),
        adapted.use(adapters),
    ):
        pass


def test_rows_that_do_not_divide_are_refused(trained, adapted, adapters, ids):
    with adapted.use(adapters), pytest.raises(PersonalizerError, match="give `rows`"):
        logits(trained.lm.model, ids[:3])


@pytest.mark.parametrize("targets", [(), ("no_such",), ("q_proj", "lm_head")])
def test_targets_that_are_not_there_are_refused(trained, targets):
    with pytest.raises(WeightsError, match="targets"):
        attach(trained.lm.model, targets)


def test_gradients_flow_into_the_adapters(trained, adapted, random_hypernet, users, ids):
    adapters = random_hypernet(torch.from_numpy(users))
    with adapted.use(adapters):
        trained.lm.model(input_ids=ids).logits.square().mean().backward()
    heads = [*random_hypernet.a.values(), *random_hypernet.b.values()]
    assert all(float(head.weight.grad.norm()) > 0 for head in heads)
    assert np.isfinite(users).all()
