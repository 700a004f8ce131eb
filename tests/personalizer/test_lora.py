import copy
import dataclasses

import numpy as np
import peft
import pytest
import torch

from personalizer.config import HypernetConfig
from personalizer.errors import PersonalizerError, WeightsError
from personalizer.hypernet import HyperNetwork
from personalizer.lm.prompts import left_padded, positions
from personalizer.lora import Shapes, attach, rows_of

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


def per_user(model, adapted, adapters, ids, **kwargs):
    """The plain way: one shopper after another."""
    rows = []
    for row in range(len(ids)):
        with adapted.use(rows_of(adapters, [row])):
            rows.append(logits(model, ids[row : row + 1], **kwargs))
    return torch.cat(rows)


def test_under_autocast_each_row_is_as_alone(trained, adapted, adapters, ids):
    with torch.autocast("cpu", torch.bfloat16):
        with adapted.use(adapters):
            batch = logits(trained.lm.model, ids)
        alone = per_user(trained.lm.model, adapted, adapters, ids)
        base = logits(trained.lm.model, ids)
    assert batch.dtype == torch.bfloat16
    # products of another shape round otherwise; a wrong adapter shows far above
    assert float((batch - alone).abs().max()) < 0.15 * float((batch - base).abs().max())


def test_in_bf16_weights_each_row_is_as_alone(trained, adapters, ids):
    model = copy.deepcopy(trained.lm.model).to(torch.bfloat16)
    adapted = attach(model, ("q_proj", "v_proj"), SCALE)
    with adapted.use(adapters):
        batch = logits(model, ids)
    alone = per_user(model, adapted, adapters, ids)
    assert float((batch - alone).abs().max()) < 0.15 * float(
        (batch - logits(model, ids)).abs().max()
    )


def test_with_a_cache_of_keys_and_values_each_row_is_as_alone(trained, adapted, adapters, ids):
    model = trained.lm.model
    with torch.no_grad(), adapted.use(adapters):
        first = model(input_ids=ids[:, :4], use_cache=True)
        steps = [first.logits]
        for place in range(4, 7):
            step = ids[:, place : place + 1]
            steps.append(model(input_ids=step, past_key_values=first.past_key_values).logits)
    alone = per_user(model, adapted, adapters, ids)
    torch.testing.assert_close(torch.cat(steps, dim=1), alone, atol=1e-5, rtol=0)


def test_with_rows_padded_on_the_left_each_is_as_alone(trained, adapted, adapters, ids):
    rows = [row[: 3 + place].tolist() for place, row in enumerate(ids)]
    padded, mask = left_padded(rows, 0)
    with adapted.use(adapters):
        batch = logits(trained.lm.model, padded, attention_mask=mask, position_ids=positions(mask))
    for place, row in enumerate(rows):
        with adapted.use(rows_of(adapters, [place])):
            alone = logits(trained.lm.model, torch.tensor([row]))[0]
        torch.testing.assert_close(batch[place, -len(row) :], alone, atol=1e-5, rtol=0)


def gradients(trained, adapted, hypernet, users, ids, backward_inside=True):
    hypernet.zero_grad()
    with adapted.use(hypernet(torch.from_numpy(users))):
        loss = trained.lm.model(input_ids=ids, use_cache=False).logits.square().mean()
        if backward_inside:
            loss.backward()
    if not backward_inside:
        loss.backward()
    return torch.cat([p.grad.flatten() for p in hypernet.parameters()])


@pytest.fixture
def checkpointed(trained):
    model = trained.lm.model
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    yield trained
    model.eval()
    model.gradient_checkpointing_disable()
    model.disable_input_require_grads()  # enabled with it, but not disabled


def test_under_gradient_checkpointing_gradients_are_the_same(
    trained, adapted, random_hypernet, users, ids, request
):
    plain = gradients(trained, adapted, random_hypernet, users, ids)
    request.getfixturevalue("checkpointed")
    again = gradients(trained, adapted, random_hypernet, users, ids)
    torch.testing.assert_close(again, plain, atol=1e-6, rtol=1e-4)
    # outside the block the model would be run again without adapters: torch sees it
    with pytest.raises(torch.utils.checkpoint.CheckpointError):
        gradients(trained, adapted, random_hypernet, users, ids, backward_inside=False)


def test_gradients_are_those_of_a_loop_over_shoppers(trained, adapted, random_hypernet, users, ids):
    together = gradients(trained, adapted, random_hypernet, users, ids)
    alone = [
        gradients(trained, adapted, random_hypernet, users[r : r + 1], ids[r : r + 1])
        for r in range(4)
    ]
    torch.testing.assert_close(together, torch.stack(alone).mean(0), atol=1e-6, rtol=1e-4)


def test_modules_of_any_kind_and_order_get_their_own(trained, users, ids):
    targets = ("down_proj", "v_proj", "o_proj", "q_proj", "up_proj", "gate_proj", "k_proj")
    adapted = attach(trained.lm.model, targets, SCALE)
    torch.manual_seed(1)
    network = HyperNetwork(HypernetConfig(width=32, rank=2, targets=targets), 16, adapted.shapes)
    for head in network.b.parameters():
        torch.nn.init.normal_(head, std=0.05)
    with torch.no_grad():
        adapters = network(torch.from_numpy(users))
    with adapted.use(adapters):
        batch = logits(trained.lm.model, ids)
    merged = copy.deepcopy(trained.lm.model)
    for kind, pair in adapters.items():
        for layer, path in enumerate(paths(merged, kind)):
            merged.get_submodule(path).weight += SCALE * pair.b[1, layer] @ pair.a[1, layer]
    torch.testing.assert_close(batch[1], logits(merged, ids[1:2])[0], atol=1e-5, rtol=0)


def test_the_rank_may_divide_the_factor():
    config = HypernetConfig(rank=16, scale=2.0)
    assert config.factor == 2.0
    assert dataclasses.replace(config, rslora=True).factor == 0.5
