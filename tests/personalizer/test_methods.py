import dataclasses

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from personalizer.errors import PersonalizerError, TrainingError
from personalizer.lm.load import LanguageModel
from personalizer.methods import Lesson, MethodSettings, Question, methods
from personalizer.prompts import CHAT, PLAIN, newest_that_fit, personal_input
from personalizer.retrieval import bm25, newest
from tests.personalizer.conftest import HYPERNET

SETTINGS = MethodSettings(
    hypernet=dataclasses.replace(HYPERNET, steps=120), own_steps=15, own_rate=5e-3
)
LEARN = {
    "oppu",
    "prefix",
    "p2p",
}  # in a minute on this world; prompts say little to so small a model
TRAINED = {"mt_lora", "prefix", "p2p", "p2p_profile"}
NAMES = {"base", "rag", "pag", "full_history", "mt_lora", "oppu", "prefix", "p2p", "p2p_profile"}


def questions_of(world, count, seed, many=2):
    """Shoppers of two tastes, histories and options of which one is of theirs."""
    vectors, tastes = world.shoppers(count, seed)
    rng = np.random.default_rng([seed, 1])
    found = []
    for vector, taste in zip(vectors, tastes, strict=True):
        hers, not_hers = (np.flatnonzero(world.taste == t) for t in (taste, 1 - taste))
        bought = [world.titles[i] for i in rng.choice(hers, 5, replace=False)]
        others = [world.titles[i] for i in rng.choice(not_hers, many - 1, replace=False)]
        profile = "likes " + ("bath things" if taste == 0 else "tools")
        options = [bought[-1], *others]
        right = int(rng.integers(many))
        options[0], options[right] = options[right], options[0]
        question = Question(vector, profile, tuple(bought[:-1]), "", tuple(options))
        found.append((question, bought[-1], right))
    return found


@pytest.fixture(scope="module")
def lessons(world):
    return [Lesson(question, target) for question, target, _ in questions_of(world, 400, seed=100)]


@pytest.fixture(scope="module")
def exam(world):
    return questions_of(world, 40, seed=200)


@pytest.fixture(scope="module")
def fitted(trained, lessons):
    made = {name: kind(trained.lm, SETTINGS) for name, kind in methods().items()}
    for one in made.values():
        one.fit(lessons, seed=0)
    return made


def test_all_are_registered():
    assert set(methods()) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
class TestContract:
    """What every method must do."""

    def test_scores_are_numbers_of_every_option(self, fitted, exam, name):
        scores = fitted[name].score([question for question, _, _ in exam[:6]])
        assert scores.shape == (6, 2)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_the_order_of_shoppers_and_options_changes_nothing(self, fitted, exam, name):
        some = [question for question, _, _ in exam[:4]]
        turned = [
            dataclasses.replace(question, options=question.options[::-1]) for question in some[::-1]
        ]
        scores, again = fitted[name].score(some), fitted[name].score(turned)
        np.testing.assert_allclose(again[::-1, ::-1], scores, atol=1e-4)

    def test_alone_or_in_company_a_score_is_the_same(self, fitted, exam, name):
        some = [question for question, _, _ in exam[:4]]
        alone = fitted[name].score(some[2:3])
        np.testing.assert_allclose(alone[0], fitted[name].score(some)[2], atol=1e-4)

    def test_the_model_is_left_as_it_was(self, fitted, trained, exam, name):
        before = {key: value.clone() for key, value in trained.lm.model.state_dict().items()}
        fitted[name].score([question for question, _, _ in exam[:2]])
        after = trained.lm.model.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)
        assert not any(p.requires_grad for p in trained.lm.model.parameters())

    def test_shoppers_without_a_past_and_nobody_are_fine(self, fitted, world, name):
        stranger = Question(np.zeros(16, np.float32), "", (), "", tuple(world.titles[:3]))
        assert np.isfinite(fitted[name].score([stranger])).all()
        assert len(fitted[name].score([])) == 0

    def test_questions_that_do_not_fit_are_refused(self, fitted, exam, name):
        first = exam[0][0]
        short = dataclasses.replace(first, options=first.options[:1])
        with pytest.raises(PersonalizerError, match="as many options"):
            fitted[name].score([first, short])

    def test_what_is_not_trained_says_so(self, trained, exam, name):
        fresh = methods()[name](trained.lm, SETTINGS)
        if name in TRAINED:
            with pytest.raises(TrainingError, match="fit first"):
                fresh.score([exam[0][0]])
        else:
            fresh.score([exam[0][0]])


def accuracy(method, exam):
    scores = method.score([question for question, _, _ in exam])
    return float((scores.argmax(axis=1) == [right for _, _, right in exam]).mean())


def test_who_learns_of_the_shopper_knows_what_she_buys(fitted, exam):
    told = {name: accuracy(one, exam) for name, one in fitted.items()}
    for name in LEARN:
        assert told[name] > 0.85, told
    assert 0.2 < told["base"] < 0.8, told
    assert 0.2 < told["mt_lora"] < 0.8, told


def test_another_architecture_goes_through_without_a_branch(trained, lessons, exam):
    torch.manual_seed(0)
    shape = GPT2Config(vocab_size=len(trained.lm.tokenizer), n_embd=32, n_layer=1, n_head=2)
    model = GPT2LMHeadModel(shape).eval().requires_grad_(False)
    lm = LanguageModel(model, trained.lm.tokenizer)
    for name in ("base", "rag", "full_history"):
        assert methods()[name](lm).score([exam[0][0]]).shape == (1, 2)


def test_bm25_finds_what_bears_on_the_question():
    titles = ["rose soap", "steel hammer", "rose oil", "hex wrench"]
    assert bm25("soap with rose", titles, 2) == [0, 2]
    assert bm25("nothing of this", titles, 2) == [3, 2]  # the newest
    assert bm25("the", titles, 1) == [3]
    assert bm25("soap", [], 2) == []
    assert bm25("soap", ["", "!!"], 1) == [1]
    assert newest("soap", titles, 2) == [3, 2]


def test_the_variants_of_a_personal_input():
    titles = ["rose soap", "steel hammer", "rose oil"]
    asked = {"summary": "likes roses", "history": titles, "query": "rose", "k": 2}
    assert personal_input(**asked) == ("likes roses", ["rose soap", "rose oil"])
    assert personal_input(**asked, variant="summary") == ("likes roses", [])
    assert personal_input(**asked, variant="history") == ("", ["rose soap", "rose oil"])
    assert personal_input(**asked, variant="none") == ("", [])


def test_layouts_keep_untrusted_lines_apart():
    text = PLAIN.render("likes\nsoap", ["rose\nsoap", " "], "which?")
    assert text == "likes soap\nrose soap\nwhich?\n"
    assert PLAIN.render() == ""
    assert CHAT.render(history=["soap"]).splitlines()[-1] == "soap"


def test_a_long_history_keeps_its_newest():
    lengths = [3, 3, 3]
    assert newest_that_fit(["a", "b", "c"], 8, lambda _: lengths) == ["b", "c"]
    assert newest_that_fit(["a", "b", "c"], 2, lambda _: lengths) == []
    assert newest_that_fit([], 9, lambda _: []) == []
