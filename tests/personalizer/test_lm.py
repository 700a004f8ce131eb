import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from personalizer.config import LMConfig
from personalizer.errors import TrainingError, WeightsError
from personalizer.lm import tiny, tokenizer
from personalizer.lm.likelihood import Titles, batches_by_length, mean_nll
from personalizer.lm.load import load
from tests.personalizer.conftest import LM, texts_of


def test_the_tokenizer_is_the_same_every_time(world):
    first, second = (tokenizer.train(world.titles, 400) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
    assert first.backend_tokenizer.to_str() == second.backend_tokenizer.to_str()


def test_any_text_survives_the_tokenizer(trained):
    text = "Crème brûlée 護手霜 🧴\nrose soap"
    ids = trained.lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert trained.lm.tokenizer.decode(ids) == text


def test_a_title_cannot_smuggle_in_a_special_token(trained):
    (ids,) = trained.lm.tokens(["<eos>"])
    assert trained.lm.tokenizer.eos_token_id not in ids
    assert trained.lm.tokenizer.decode(ids) == "<eos>"


def test_a_vocabulary_too_small_for_the_bytes_is_refused():
    with pytest.raises(TrainingError, match="259"):
        tokenizer.train(["soap"], 100)


def test_pretraining_learns(trained):
    assert trained.pretraining["loss_last"] < trained.pretraining["loss_first"] / 2


def test_pretraining_repeats_bit_by_bit(world, tmp_path):
    config = dataclasses.replace(LM, max_steps=3)
    told = [tiny.pretrain(texts_of(world), config, seed=3, out=tmp_path / name) for name in "ab"]
    assert told[0] == told[1]
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert files[0] == files[1]


def test_pretraining_leaves_the_callers_randomness_alone(world, tmp_path):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    tiny.pretrain(world.titles, dataclasses.replace(LM, max_steps=1), seed=3, out=tmp_path)
    assert torch.equal(torch.rand(1), expected)


def test_a_long_history_is_cut_into_pieces_not_lost(world):
    bpe = tokenizer.train(world.titles, 300)
    rows = tiny._sequences(["\n".join(world.titles)], bpe, dataclasses.replace(LM, context=32))
    assert max(len(row) for row in rows) == 32
    whole = bpe("\n".join(world.titles), add_special_tokens=False)["input_ids"]
    assert [token for row in rows for token in row] == [bpe.bos_token_id, *whole, bpe.eos_token_id]


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_nothing_to_learn_from_is_an_error(texts, tmp_path):
    with pytest.raises(TrainingError, match="no text"):
        tiny.pretrain(texts, LM, seed=0, out=tmp_path)


def test_a_width_that_makes_no_heads_is_an_error(world, tmp_path):
    with pytest.raises(TrainingError, match="use 64"):
        tiny.pretrain(world.titles, dataclasses.replace(LM, hidden_size=70), seed=0, out=tmp_path)


def test_a_missing_model_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match="causal language model"):
        load(str(tmp_path), LMConfig())


def test_the_loaded_model_is_frozen(trained):
    assert not any(p.requires_grad for p in trained.lm.model.parameters())
    assert not trained.lm.model.training


def test_likelihood_is_that_of_transformers_own_loss(trained):
    title = trained.world.titles[0]
    ids = torch.tensor([[trained.lm.start_id, *trained.lm.tokens([title])[0]]])
    expected = trained.lm.model(input_ids=ids, labels=ids).loss
    titles = Titles.of(trained.lm, [title, "much longer than that one " * 3])
    got = titles.nll(trained.lm, np.array([0, 1]))[0]
    assert float(got) == pytest.approx(float(expected), abs=1e-5)


def test_an_empty_title_has_no_loss(trained):
    titles = Titles.of(trained.lm, ["", "rose soap"])
    nll = titles.nll(trained.lm, np.array([0, 1]))
    assert float(nll[0]) == 0
    assert float(nll[1]) > 0
    assert mean_nll(trained.lm, titles.ids[:1, :1], torch.tensor([0])).tolist() == [0]


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 200))
def test_batches_hold_every_row_once_within_the_budget(lengths, tokens):
    lengths = np.array(lengths, np.int64)
    batches = list(batches_by_length(lengths, tokens))
    together = np.concatenate(batches) if batches else np.array([], np.int64)
    assert sorted(together.tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= tokens
