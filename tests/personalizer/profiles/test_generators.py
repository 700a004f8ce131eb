"""One suite for all generators: what the profiles rely on, whoever writes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from personalizer.config import LMConfig
from personalizer.errors import GeneratorError
from personalizer.lm import tiny
from personalizer.lm.load import load
from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators import GENERATORS, Generator, Request, build
from personalizer.profiles.labels import Labeller
from personalizer.profiles.sensitive import Policy
from personalizer.profiles.tasks import TASKS
from tests.openai_server import serving
from tests.personalizer.profiles.shops import CREAM, DRYER, ITEMS, POLISH, SHAMPOO, history

LM = LMConfig(vocab_size=400, hidden_size=32, layers=1, epochs=1, max_steps=5, step_tokens=256)


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    tiny.pretrain([item.title for item in ITEMS] * 8, LM, seed=0, out=folder)
    return folder


@pytest.fixture(params=GENERATORS)
def generator(request: pytest.FixtureRequest, tiny_folder: Path) -> Iterator[Generator]:
    config = ProfilesConfig(generator=request.param, model=str(tiny_folder), max_new_tokens=12)
    with serving() as (url, _):
        made = build(replace(config, url=url))
        yield made
        made.close()


def asked(n: int = 5) -> list[Request]:
    kind_of = Labeller(Policy())
    found = []
    for k in range(n):
        of = history(*[ITEMS[(k + i) % len(ITEMS)] for i in range(2 + k)])
        found.append(Request("digest", TASKS["purchase"].digest(of, kind_of), of))
    return found


def test_one_answer_per_request_in_their_order(generator: Generator) -> None:
    requests = asked()
    forward, backward = generator.answer(requests), generator.answer(requests[::-1])
    assert len(forward) == len(requests)
    assert [a.text for a in forward] == [a.text for a in backward][::-1]


def test_the_same_question_has_the_same_answer(generator: Generator) -> None:
    assert generator.answer(asked()) == generator.answer(asked())


def test_who_else_is_asked_with_it_changes_nothing(generator: Generator) -> None:
    requests = asked()
    together = [answer.text for answer in generator.answer(requests)]
    assert [generator.answer([one])[0].text for one in requests] == together


def test_nothing_asked_nothing_answered(generator: Generator) -> None:
    assert generator.answer([]) == []


def test_calls_are_counted_and_no_answer_is_an_error(generator: Generator) -> None:
    for answer in generator.answer(asked()):
        assert answer.calls == 1
        assert answer.error == ""


def test_any_text_can_be_asked(generator: Generator) -> None:
    of = history(replace(CREAM, title="é漢 🌊 \u202e \x00 'quoted' \\n", categories=()))
    prompt = TASKS["purchase"].digest(of, Labeller(Policy()))
    assert len(generator.answer([Request("digest", prompt, of)])) == 1


def test_its_version_is_stable_and_names_it(generator: Generator) -> None:
    assert generator.version == generator.version
    assert generator.version.split(":")[0].split("@")[0] in GENERATORS


def test_the_model_writes_no_more_than_it_may(tiny_folder: Path) -> None:
    made = build(ProfilesConfig(generator="transformers", model=str(tiny_folder), max_new_tokens=3))
    long, short = asked(1)[0], replace(asked(1)[0], max_new_tokens=1)
    answers = made.answer([long, short])
    assert answers[0].truncated or answers[0].tokens
    counted = load(str(tiny_folder), LM).tokenizer(answers[0].text)["input_ids"]
    assert len(counted) <= 4


def test_a_chat_template_is_used_where_there_is_one(tiny_folder: Path) -> None:
    from personalizer.profiles.generators.transformers import TransformersGenerator

    lm = load(str(tiny_folder), LM)
    config = ProfilesConfig(max_new_tokens=4)
    plain = TransformersGenerator(lm, config, "tiny")._tokens(asked(1)[0])
    lm.tokenizer.chat_template = "{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}"
    chat = TransformersGenerator(lm, config, "tiny")._tokens(asked(1)[0])
    assert ";user=A list of products" in lm.tokenizer.decode(chat)
    assert plain != chat


@pytest.mark.parametrize("name", ["openai", "transformers"])
def test_a_model_must_be_named(name: str) -> None:
    with pytest.raises(GeneratorError, match=r"personalizer\.profiles\.model"):
        build(ProfilesConfig(generator=name))


def test_histories_of_each_kind_are_told_by_the_default() -> None:
    answers = build(ProfilesConfig()).answer(
        [
            Request("profile", "", history(*items))
            for items in ((CREAM,) * 4, (POLISH, DRYER, SHAMPOO))
        ]
    )
    assert answers[0].text != answers[1].text
