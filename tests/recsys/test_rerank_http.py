"""Over HTTP or in process: the same scores, and an error that the ladder can tell of."""

import socket

import numpy as np
import pytest

from personalizer.adapters import AdapterStore
from personalizer.scoring import TitleScorer
from personalizer.server.app import create_app
from personalizer.server.engine import Engine
from recsys.errors import RerankerError
from recsys.rerank_http import HttpReranker
from tests.personalizer.conftest import trained, world  # noqa: F401
from tests.personalizer.test_server import CONFIG, Running


@pytest.fixture(scope="module")
def running(trained):  # noqa: F811
    engine = Engine(trained.lm, AdapterStore(trained.hypernet, "h1"), name="tiny")
    with Running(create_app(engine, CONFIG)) as running:
        yield running


def test_the_scores_are_those_in_process(running, trained):  # noqa: F811
    titles = [*trained.world.titles, ""]
    vectors = trained.world.shoppers(70, seed=3)[0]
    vectors[5] = 0
    items = np.random.default_rng(0).integers(-1, len(titles), (70, 6)).astype(np.int32)
    items[7] = -1
    far = HttpReranker(running.url + "/", titles, hypernet="h1", timeout=20)
    assert far.serves()
    near = TitleScorer(trained.lm, trained.hypernet, titles).score(vectors, items)
    scores = far.score(vectors, items)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, near, atol=1e-5)


def test_another_hypernetwork_is_refused(running, trained):  # noqa: F811
    far = HttpReranker(running.url, trained.world.titles, hypernet="h2", timeout=20)
    assert not far.serves()
    with pytest.raises(RerankerError, match="serves the hypernetwork h1"):
        far.score(trained.world.shoppers(1, seed=3)[0], np.zeros((1, 2), np.int32))


def test_what_the_server_refuses_is_told(running, trained):  # noqa: F811
    far = HttpReranker(running.url, trained.world.titles, hypernet="h1", timeout=20)
    with pytest.raises(RerankerError, match="422: an embedding of 3"):
        far.score(np.zeros((1, 3), np.float32), np.zeros((1, 2), np.int32))


def test_no_server_is_an_error_with_a_way_out():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(RerankerError, match="tailor personalizer serve"):
        HttpReranker(url, ["a"], hypernet="h1", timeout=2).serves()
