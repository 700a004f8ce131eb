"""What all tests share: a Spark session per process, one home, and who may be missing."""

import fcntl
import os
import pickle
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from recsys.pipeline.run import RunResult
    from tests.running import Running

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # tests fetch nothing
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# pyspark ends a process whose main module has no file, which is so in a process of pytest-xdist
if not hasattr(main := sys.modules["__main__"], "__file__"):
    main.__file__ = __file__

SERVERS = {"postgres": ("PostgreSQL", 5432), "redis": ("Redis", 6379)}


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first; skip what needs a server that does not answer (in CI a failure)."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    for mark, (name, port) in SERVERS.items():
        marked = [item for item in items if item.get_closest_marker(mark)]
        if not marked or _answers(port):
            continue
        reason = f"{name} does not answer on 127.0.0.1:{port}"
        if os.environ.get("TESTS_REQUIRE_SERVERS"):
            raise pytest.UsageError(f"{reason}, and TESTS_REQUIRE_SERVERS is set")
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))
    _skip_without_browser([item for item in items if item.get_closest_marker("chromium")])


def browser() -> str | None:
    """An installed Chromium or Chrome; tests fetch none."""
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


def _skip_without_browser(marked: list[pytest.Item]) -> None:
    if not marked or browser():
        return
    reason = "no Chromium on the PATH"
    if os.environ.get("TESTS_REQUIRE_SERVERS"):
        raise pytest.UsageError(f"{reason}, and TESTS_REQUIRE_SERVERS is set")
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A test starts from the defaults: no TAILOR_* variable, no tailor.toml, a home of its own."""
    for name in list(os.environ):
        if name.startswith("TAILOR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TAILOR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def spark() -> Iterator["SparkSession"]:
    """The one Spark session of the process."""
    from features.settings import SparkSettings
    from features.spark import session

    made = session(SparkSettings(master="local[2]", driver_memory="2g", shuffle_partitions=2))
    yield made
    made.stop()


@dataclass(frozen=True)
class Home:
    """A home with one published release of a tiny shop."""

    path: Path
    shop: Path
    result: "RunResult"


@pytest.fixture(scope="session")
def published(spark: "SparkSession", tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One run of the whole way, shared; who changes it takes `home` instead.

    Of several processes the first makes it, the others wait; each has a copy of its own to open.
    """
    from recsys.pipeline.run import run
    from tests import tiny

    own = tmp_path_factory.mktemp("a tiny shop")
    folder = own.parent.parent if "PYTEST_XDIST_WORKER" in os.environ else own.parent
    made = folder / "the first tiny shop"
    with (folder / "tiny-shop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "result.pickle").exists():
            result = run(tiny.settings(made / "home"), raw=tiny.shop(made / "raw", seed=1))
            (made / "result.pickle").write_bytes(pickle.dumps(result))
        shutil.copytree(made, own, symlinks=True, dirs_exist_ok=True)
    return Home(own / "home", own / "raw", pickle.loads((own / "result.pickle").read_bytes()))


@pytest.fixture(scope="session")
def served(published: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Running"]:
    """The service over real HTTP, on a copy of the published home.

    It is shared: a test may send it purchases of shoppers of its own, and harm nothing else.
    """
    from recsys.service.app import create_app
    from tests import tiny
    from tests.running import Running

    copy = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(published.path, copy, symlinks=True)
    with Running(create_app(tiny.settings(copy))) as running:
        yield running


@pytest.fixture
def home(published: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A copy of the published home to change at will; the environment names it."""
    from tests import tiny

    copy = tmp_path / "home"
    shutil.copytree(published.path, copy, symlinks=True)
    for name, value in tiny.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TAILOR_HOME", str(copy))
    return Home(copy, published.shop, published.result)
