import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import torch

from personalizer.adapters import AdapterStore, Shopper
from personalizer.config import ServerConfig
from personalizer.lm.prompts import prompt_tokens
from personalizer.scoring import CandidateScorer, TitleScorer, score_options
from personalizer.server.app import create_app
from personalizer.server.engine import Engine
from tests.running import Running as Server

CONFIG = ServerConfig(wait_ms=20, most_waiting=64, most_bytes=100_000, batch=16)


class Running(Server):
    def score(self, *shoppers, **more):
        return self.client.post("/v1/score", json={"shoppers": list(shoppers), **more})


@pytest.fixture(scope="module")
def vectors(trained):
    return trained.world.shoppers(32, seed=90)[0]


def engine_of(trained, vectors, **more):
    known = {f"u{row}": Shopper(f"u{row}", vector) for row, vector in enumerate(vectors)}
    return Engine(
        trained.lm,
        AdapterStore(trained.hypernet, "h1"),
        name="tiny",
        directory=lambda ids: {one: known[one] for one in ids if one in known},
        encode=lambda texts: np.stack([vectors[len(text) % 32] for text in texts]),
        **more,
    )


@pytest.fixture(scope="module")
def running(trained, vectors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    with Running(create_app(engine_of(trained, vectors, folder=folder), CONFIG)) as running:
        yield running


def test_scores_over_http_are_those_in_process(running, trained, vectors):
    titles = trained.world.titles[:9]
    asked = [{"id": f"u{row}", "candidates": titles} for row in range(8)]
    told = running.score(*asked).json()
    items = np.tile(np.arange(9, dtype=np.int32), (8, 1))
    expected = TitleScorer(trained.lm, trained.hypernet, titles).score(vectors[:8], items)
    scores = np.array([each["scores"] for each in told["results"]])
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert [each["best"] for each in told["results"]] == expected.argmax(axis=1).tolist()
    assert (told["model"], told["hypernet"]) == ("tiny", "h1")


def test_by_id_embedding_or_profile_she_is_the_same(running, vectors):
    candidates = ["rose soap mini", "steel hammer mini"]
    ways = [{"id": "u5"}, {"embedding": vectors[5].tolist()}, {"profile": "12345"}]
    told = running.score(*({**way, "candidates": candidates} for way in ways)).json()["results"]
    for each in told:
        assert each["scores"] == pytest.approx(told[0]["scores"], abs=1e-6)


def test_options_and_prompts_score_as_in_process(running, trained, vectors):
    options = ["rose soap mini", "steel hammer mini", "wood saw"]
    told = running.score({"id": "u1", "options": options, "prompt": "which?"}).json()["results"]
    with torch.no_grad():
        adapters = trained.hypernet(torch.from_numpy(vectors[1:2]))
    adapted = trained.hypernet.attach(trained.lm.model)
    expected = score_options(trained.lm, ["which?"], [options], adapted=adapted, adapters=adapters)
    assert told[0]["scores"] == pytest.approx(expected[0].tolist(), abs=1e-5)
    assert told[0]["confidence"] == pytest.approx(float(np.exp(expected).max()), abs=1e-5)

    told = running.score({"id": "u1", "candidates": options, "prompt": "soap\n"}).json()["results"]
    scorer = CandidateScorer(trained.lm, adapted)
    asked = prompt_tokens(trained.lm, ["soap\n"]), [trained.lm.tokens(options)]
    expected = scorer.score(*asked, adapters) - scorer.score(*asked)
    assert told[0]["scores"] == pytest.approx(expected[0].tolist(), abs=1e-5)


def test_many_clients_at_once_each_get_their_own(running, trained, vectors):
    titles = trained.world.titles[:4]
    items = np.tile(np.arange(4, dtype=np.int32), (32, 1))
    expected = TitleScorer(trained.lm, trained.hypernet, titles).score(vectors, items)

    def ask(row):
        return running.score({"id": f"u{row}", "candidates": titles}).json()["results"][0]["scores"]

    with ThreadPoolExecutor(16) as pool:
        scores = list(pool.map(ask, list(range(32)) * 3))
    np.testing.assert_allclose(scores, np.tile(expected, (3, 1)), atol=1e-5)
    batches = next(
        float(line.split()[1])
        for line in running.client.get("/metrics").text.splitlines()
        if line.startswith('tailor_batch_size_count{kind="candidates"}')
    )
    assert batches < 96  # they shared batches


def test_adapters_are_made_and_written(running):
    told = running.client.post("/v1/adapters", json={"shoppers": [{"id": "u3"}]}).json()
    (made,) = told["adapters"]
    assert made["name"] == f"user-u3@{made['version']}"
    assert made["folder"].endswith(made["name"])
    assert made["parameters"] > 0


def test_the_user_field_selects_the_adapter(running, trained):
    answers = []
    for user in ("u0", "u1", None):
        body = {"model": "tiny", "prompt": "", "max_tokens": 4} | ({"user": user} if user else {})
        told = running.client.post("/v1/completions", json=body).json()
        assert told["object"] == "text_completion"
        assert told["usage"]["completion_tokens"] <= 4
        answers.append(told["choices"][0]["text"])
    ids = torch.tensor([[trained.lm.start_id]])
    with torch.no_grad():
        bare = trained.lm.model.generate(ids, max_new_tokens=4, do_sample=False)[0, 1:]
    assert answers[2] == trained.lm.tokenizer.decode(bare, skip_special_tokens=True)


def test_a_chat_is_answered(running):
    body = {"messages": [{"role": "user", "content": "rose"}], "user": "u0", "max_tokens": 3}
    told = running.client.post("/v1/chat/completions", json=body).json()
    assert told["object"] == "chat.completion"
    assert told["choices"][0]["message"]["role"] == "assistant"
    assert running.client.get("/v1/models").json()["data"][0]["id"] == "tiny"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/score", {"shoppers": []}, 422, "invalid_request"),
        ("/v1/score", {"shoppers": [{"id": "u0"}]}, 422, "invalid_request"),
        ("/v1/score", {"shoppers": [{"candidates": ["a"]}]}, 422, "invalid_request"),
        (
            "/v1/score",
            {"shoppers": [{"embedding": [1.0], "candidates": ["a"]}]},
            422,
            "invalid_request",
        ),
        ("/v1/score", {"shoppers": [{"id": "x", "candidates": ["a"]}]}, 404, "unknown_shopper"),
        (
            "/v1/score",
            {"shoppers": [{"id": "u0", "candidates": ["a"] * 300}]},
            422,
            "invalid_request",
        ),
        ("/v1/score", {"shopper": 1}, 422, "invalid_request"),
        ("/v1/completions", {"prompt": "a", "stream": True}, 422, "invalid_request"),
        ("/v1/completions", {"prompt": "a", "user": "who"}, 404, "unknown_shopper"),
        ("/nowhere", {}, 404, "not_found"),
        ("/healthz", {}, 405, "method_not_allowed"),
        ("/v1/completions", {"prompt": "a" * 120_000}, 413, "too_large"),
    ],
)
def test_every_error_has_the_one_shape(running, path, body, status, code):
    answer = running.client.post(path, json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert set(error) == {"type", "code", "message", "fix"}
    assert "a" * 100 not in answer.text


def test_not_a_number_and_not_json_are_refused(running):
    headers = {"content-type": "application/json"}
    for text in ('{"shoppers": [{"embedding": [NaN], "candidates": ["a"]}]}', "{", ""):
        answer = running.client.post("/v1/score", content=text, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "invalid_request"


def slow(engine, go):
    """Let an engine wait before every batch."""
    run, ran = engine.run, []

    def waiting(kind, works):
        if engine.slow:
            go.wait(10)
        ran.append(len(works))
        return run(kind, works)

    engine.slow, engine.run = False, waiting
    return ran


def test_pressure_deadlines_and_clients_that_leave(trained, vectors):
    engine, go = engine_of(trained, vectors), threading.Event()
    ran = slow(engine, go)
    config = ServerConfig(wait_ms=0, most_waiting=3, batch=4)
    with Running(create_app(engine, config)) as running, ThreadPoolExecutor(4) as pool:
        ran.clear()
        engine.slow = True
        asked = {"id": "u0", "candidates": ["rose soap"]}
        first = pool.submit(running.score, asked)
        time.sleep(0.2)
        late = running.score(asked, deadline_ms=50)
        assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
        with pytest.raises(httpx.ReadTimeout):  # this one goes away
            httpx.post(f"{running.url}/v1/score", json={"shoppers": [asked]}, timeout=0.2)
        time.sleep(0.2)
        others = [pool.submit(running.score, asked) for _ in range(2)]
        time.sleep(0.2)
        busy = running.score(asked)
        assert busy.status_code == 429
        assert int(busy.headers["retry-after"]) >= 1
        go.set()
        assert [each.result().status_code for each in (first, *others)] == [200] * 3
        assert sum(ran) == 3  # neither the late one nor the one that left was computed


def test_a_stop_answers_what_was_taken(trained, vectors):
    engine, go = engine_of(trained, vectors), threading.Event()
    slow(engine, go)
    with Running(create_app(engine, CONFIG)) as running, ThreadPoolExecutor(1) as pool:
        engine.slow = True
        asked = pool.submit(running.score, {"id": "u0", "candidates": ["rose soap"]})
        time.sleep(0.3)
        running.server.should_exit = True
        time.sleep(0.3)
        go.set()
        assert asked.result().status_code == 200


def test_too_big_for_the_memory_is_answered_in_halves(trained, vectors):
    engine = engine_of(trained, vectors)
    candidates = engine._candidates

    def tight(works):
        if len(works) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return candidates(works)

    engine._candidates = tight
    with Running(create_app(engine, CONFIG)) as running:
        asked = [{"id": f"u{row}", "candidates": ["rose soap"]} for row in range(8)]
        assert running.score(*asked).status_code == 200
        assert "tailor_batch_splits_total 3.0" in running.client.get("/metrics").text


def test_a_model_that_does_not_run_is_alive_and_never_ready(trained, vectors, caplog):
    from fastapi.testclient import TestClient

    engine = engine_of(trained, vectors)

    def broken():
        raise RuntimeError("no kernel image")

    engine.warm_up = broken
    with TestClient(create_app(engine, CONFIG)) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "warming_up")
        assert answer.headers["retry-after"] == "1"
    assert "no kernel image" in caplog.text
