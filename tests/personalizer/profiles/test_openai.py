"""The HTTP generator against a real server: slow, broken, overloaded, dead."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from personalizer.errors import GeneratorError
from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators import Request
from personalizer.profiles.generators.cache import AnswerCache
from personalizer.profiles.generators.openai import OpenAIGenerator, _retry_after
from tests import openai_server as server
from tests.openai_server import Model, serving

Make = Callable[..., OpenAIGenerator]


@pytest.fixture
def model() -> Model:
    return Model(answer=lambda prompt: f"told of {prompt}")


@pytest.fixture
def make(model: Model) -> Iterator[Make]:
    made: list[OpenAIGenerator] = []
    with serving(model) as (url, _):

        def of(cache: AnswerCache | None = None, **settings: object) -> OpenAIGenerator:
            values = {"timeout_seconds": 1.0, "tries": 3, "longest_pause_seconds": 0.05}
            config = ProfilesConfig(
                generator="openai", model="m", url=url, **{**values, **settings}
            )
            made.append(OpenAIGenerator(config, cache))
            return made[-1]

        yield of
        for each in made:
            each.close()


def ask(*prompts: str) -> list[Request]:
    return [Request("profile", prompt) for prompt in prompts]


def test_a_request_is_what_the_interface_says(make: Make, model: Model) -> None:
    answer = make().answer(ask("one"))[0]
    assert (answer.text, answer.tokens, answer.calls) == ("told of one", 100, 1)
    body = model.asked[0]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 100, 0.0)


@pytest.mark.parametrize(
    "fault",
    [
        server.status(429),
        server.status(500),
        server.status(503),
        server.broken_json,
        server.other_json,
        server.cut_off,
    ],
)
def test_a_fault_that_passes_is_tried_again(make: Make, model: Model, fault: server.Fault) -> None:
    model.faults = [fault, fault]
    answer = make().answer(ask("one"))[0]
    assert (answer.text, answer.error, answer.calls) == ("told of one", "", 3)


@pytest.mark.parametrize("fault", [server.hang(3.0), server.drip(3.0)])
def test_a_slow_answer_is_given_up_in_time(make: Make, model: Model, fault: server.Fault) -> None:
    model.faults = [fault]
    began = time.monotonic()
    answer = make(timeout_seconds=0.3).answer(ask("one"))[0]
    assert answer.text == "told of one"
    assert time.monotonic() - began < 2


def test_what_does_not_pass_is_an_error_of_its_request_alone(make: Make, model: Model) -> None:
    model.faults = [server.status(400)]
    first, second = make(concurrency=1).answer(ask("one", "two"))
    assert "400" in first.error
    assert second.text == "told of two"
    assert len(model.asked) == 2, "a refused request is not asked again"


def test_after_the_last_try_the_error_says_what_happened(make: Make, model: Model) -> None:
    model.always = server.status(500)
    answer = make().answer(ask("one"))[0]
    assert answer.error == "the server said 500, 3 times"
    assert (answer.text, answer.calls) == ("", 3)


@pytest.mark.parametrize("code", [401, 403, 404])
def test_what_is_wrong_for_all_stops_all(make: Make, model: Model, code: int) -> None:
    model.always = server.status(code)
    with pytest.raises(GeneratorError, match=f"{code}.*key in OPENAI_API_KEY"):
        make().answer(ask("one", "two"))


def test_retry_after_is_kept(make: Make, model: Model) -> None:
    model.faults = [server.status(429, retry_after="0.4")]
    began = time.monotonic()
    make(longest_pause_seconds=5.0).answer(ask("one"))
    assert 0.4 <= time.monotonic() - began < 2


def test_retry_after_never_waits_longer_than_allowed(make: Make, model: Model) -> None:
    model.faults = [server.status(429, retry_after="3600")]
    began = time.monotonic()
    make().answer(ask("one"))
    assert time.monotonic() - began < 1


def test_retry_after_may_be_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < (_retry_after(format_datetime(soon, usegmt=True)) or 0) <= 30
    assert _retry_after(format_datetime(soon - timedelta(hours=1), usegmt=True)) == 0
    assert _retry_after("nonsense") is None
    assert _retry_after(None) is None


def test_no_more_requests_at_once_than_allowed(make: Make, model: Model) -> None:
    model.pause = 0.05
    make(concurrency=3).answer(ask(*"abcdefghij"))
    assert model.most_under_way == 3


def test_nobody_there_is_an_error_not_a_crash() -> None:
    config = ProfilesConfig(
        generator="openai", model="m", url=f"http://127.0.0.1:{server.free_port()}/v1",
        tries=2, longest_pause_seconds=0.01,
    )  # fmt: skip
    answer = OpenAIGenerator(config).answer(ask("one"))[0]
    assert answer.error == "the connection failed (ConnectError), 2 times"


def test_the_key_comes_from_the_environment_and_stays_out_of_errors(
    make: Make, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "sk-secret")
    generator = make(key_variable="SHOP_KEY")
    generator.answer(ask("one"))
    assert model.keys == ["Bearer sk-secret"]
    model.always = server.status(401)
    with pytest.raises(GeneratorError) as error:
        generator.answer(ask("two"))
    assert "sk-secret" not in str(error.value)
    assert "sk-secret" not in generator.version


def test_without_a_key_none_is_sent(
    make: Make, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    make().answer(ask("one"))
    assert model.keys == [""]


def test_what_was_answered_once_is_not_paid_for_twice(
    make: Make, model: Model, tmp_path: Path
) -> None:
    cache = tmp_path / "answers.sqlite"
    model.faults = [server.status(400)]
    first = make(AnswerCache(cache), concurrency=1).answer(ask("bad", "one"))
    again = make(AnswerCache(cache), concurrency=1).answer(ask("bad", "one"))
    assert [answer.text for answer in again] == ["told of bad", first[1].text]
    assert [answer.calls for answer in again] == [1, 0], "a failure is not remembered"
    assert make(AnswerCache(cache), temperature=0.5).answer(ask("one"))[0].calls == 1


def test_a_damaged_cache_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(GeneratorError, match="delete the file"):
        AnswerCache(path)


def test_an_answer_at_its_limit_is_truncated(make: Make, model: Model) -> None:
    model.finish = "length"
    assert make().answer(ask("one"))[0].truncated
