import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from personalizer.errors import PersonalizerError
from personalizer.lm.load import LanguageModel
from personalizer.lm.prompts import chat_tokens, left_padded, prompt_tokens
from personalizer.lora import rows_of
from personalizer.scoring import CandidateScorer, generate, label_tokens, score_options
from personalizer.scoring.options import option_text

PROMPTS = ["rose soap mini\nbath salt large\n", "steel hammer small\n", "", "wood saw mini\n" * 3]
CANDIDATES = [
    ["rose soap large", "hex wrench mini", ""],
    ["bolt cutter"],
    ["pipe clamp family pack", "bath salt"],
    ["wood saw", "rose soap", "hand cream small"],
]


@pytest.fixture
def adapters(random_hypernet, users):
    with torch.no_grad():
        return random_hypernet(torch.from_numpy(users))


@pytest.fixture
def adapted(trained, random_hypernet):
    return random_hypernet.attach(trained.lm.model)


def tokens(lm):
    return prompt_tokens(lm, PROMPTS), [lm.tokens(each) for each in CANDIDATES]


@torch.no_grad()
def plainly(lm, prompt, candidate, use):
    """One row, no cache, no padding."""
    if not candidate:
        return 0.0
    with use:
        logits = lm.model(input_ids=torch.tensor([prompt + candidate])).logits[0]
    told = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return float(told.gather(1, torch.tensor(candidate)[:, None]).mean())


@pytest.mark.parametrize("batch_tokens", [1, 60, 8192])
def test_a_shared_prompt_scores_as_the_plain_way_does(trained, adapted, adapters, batch_tokens):
    prompts, candidates = tokens(trained.lm)
    scorer = CandidateScorer(trained.lm, adapted, batch_tokens=batch_tokens)
    scores = scorer.score(prompts, candidates, adapters)
    assert scores.shape == (4, 3)
    for user in range(4):
        alone = rows_of(adapters, [user])
        for place in range(3):
            if place >= len(candidates[user]):
                assert np.isneginf(scores[user, place])
                continue
            plain = plainly(trained.lm, prompts[user], candidates[user][place], adapted.use(alone))
            assert scores[user, place] == pytest.approx(plain, abs=2e-5)


def test_soft_tokens_stand_before_the_prompt(trained):
    prompts, candidates = tokens(trained.lm)
    words = trained.lm.model.get_input_embeddings()
    # a soft token that is the embedding of a real one scores as that token would
    soft = words(torch.full((4, 1), 7))
    scorer = CandidateScorer(trained.lm)
    real = scorer.score([[7, *prompt] for prompt in prompts], candidates)
    np.testing.assert_allclose(scorer.score(prompts, candidates, soft=soft), real, atol=2e-5)


def test_another_architecture_needs_no_branch(trained):
    torch.manual_seed(0)
    shape = GPT2Config(vocab_size=len(trained.lm.tokenizer), n_embd=32, n_layer=2, n_head=2)
    lm = LanguageModel(GPT2LMHeadModel(shape).eval(), trained.lm.tokenizer)
    prompts, candidates = tokens(lm)
    scores = CandidateScorer(lm).score(prompts, candidates)
    plain = plainly(lm, prompts[0], candidates[0][0], torch.no_grad())
    assert scores[0, 0] == pytest.approx(plain, abs=2e-5)


def test_input_that_does_not_fit_is_refused(trained, adapters):
    with pytest.raises(PersonalizerError, match="prompts"):
        CandidateScorer(trained.lm).score([[]], [[[1]]])
    with pytest.raises(PersonalizerError, match="without"):
        CandidateScorer(trained.lm).score([[1]], [[[1]]], adapters)
    assert CandidateScorer(trained.lm).score([], []).shape == (0, 0)


def test_options_are_averaged_over_all_their_places(trained, adapted, adapters):
    options = [["rose soap", "wood saw", "hex wrench", "bath salt"]] * 4
    scores = score_options(trained.lm, PROMPTS, options, adapted=adapted, adapters=adapters)
    assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    turned = [[*each[1:], each[0]] for each in options]
    again = score_options(trained.lm, PROMPTS, turned, adapted=adapted, adapters=adapters)
    np.testing.assert_allclose(np.roll(again, 1, axis=1), scores, atol=1e-4)


def test_an_options_score_is_the_mean_of_its_labels_by_hand(trained):
    options = ["rose soap", "wood saw"]
    ids = label_tokens(trained.lm, ["A", "B"])
    told = []
    for order in ([0, 1], [1, 0]):
        text = option_text("which?", [options[o] for o in order])
        prompt = torch.tensor(prompt_tokens(trained.lm, [text]))
        both = trained.lm.model(input_ids=prompt).logits[0, -1, ids].log_softmax(-1)
        told.append([float(both[order.index(o)]) for o in (0, 1)])
    expected = torch.tensor(told).mean(0).log_softmax(-1)
    scores = score_options(trained.lm, ["which?"], [options])
    np.testing.assert_allclose(scores[0], expected, atol=1e-5)


def test_labels_that_are_not_one_token_are_refused(trained):
    assert len(set(label_tokens(trained.lm, "ABCDEFGHIJKLMNOPQRST"))) == 20
    with pytest.raises(PersonalizerError, match="tokens, not one"):
        label_tokens(trained.lm, ["A", "option number two"])
    with pytest.raises(PersonalizerError, match="two labels"):
        label_tokens(trained.lm, ["A", "A"])
    with pytest.raises(PersonalizerError, match="as many"):
        score_options(trained.lm, ["", ""], [["a"], ["a", "b"]])


def test_generation_is_greedy_and_each_row_her_own(trained, adapted, adapters):
    prompts = prompt_tokens(trained.lm, PROMPTS)
    made = generate(trained.lm, prompts, most=6, adapted=adapted, adapters=adapters)
    for user, prompt in enumerate(prompts):
        row = list(prompt)
        with torch.no_grad(), adapted.use(rows_of(adapters, [user])):
            for _ in range(6):
                row.append(
                    int(trained.lm.model(input_ids=torch.tensor([row])).logits[0, -1].argmax())
                )
        expected = row[len(prompt) :]
        end = trained.lm.tokenizer.eos_token_id
        expected = expected[: expected.index(end)] if end in expected else expected
        assert made[user] == expected


def test_generation_stops_when_nobody_waits(trained):
    asked = iter([False, True])
    prompts = prompt_tokens(trained.lm, PROMPTS)
    made = generate(trained.lm, prompts, most=50, stop=lambda: next(asked))
    assert max(len(row) for row in made) == 2
    assert generate(trained.lm, [], most=3) == []


def test_a_long_prompt_loses_its_start_and_text_smuggles_nothing_in(trained):
    (row,) = prompt_tokens(trained.lm, ["rose soap " * 50], most=10)
    assert len(row) == 10
    assert row[0] == trained.lm.start_id
    (row,) = prompt_tokens(trained.lm, ["<eos>"])
    assert trained.lm.tokenizer.eos_token_id not in row


def test_a_chat_template_frames_the_texts(trained):
    import copy

    tokenizer = copy.deepcopy(trained.lm.tokenizer)
    tokenizer.chat_template = (
        "{% for m in messages %}<bos>{{ m.role }}:{{ m.content }}<eos>{% endfor %}"
        "{% if add_generation_prompt %}<bos>assistant:{% endif %}"
    )
    lm = LanguageModel(trained.lm.model, tokenizer)
    (row,) = chat_tokens(lm, [[("system", "be <eos> brief"), ("user", "soap")]])
    text = "<bos>system:be <eos> brief<eos><bos>user:soap<eos><bos>assistant:"
    assert tokenizer.decode(row) == text
    assert row.count(tokenizer.eos_token_id) == 2


def test_left_padding_ends_at_the_right():
    ids, mask = left_padded([[5], [6, 7]], 0)
    assert ids.tolist() == [[0, 5], [6, 7]]
    assert mask.tolist() == [[0, 1], [1, 1]]
