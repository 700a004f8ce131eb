"""One service over a copy of the tiny home, shared; who harms it takes one of its own."""

import shutil

import pytest

from recsys.service.app import create_app
from tests import tiny
from tests.running import Running


def settings_of(home, **service):
    made = tiny.settings(home)
    changed = made.service.model_copy(update={"poll_seconds": 0.05, **service})
    return made.model_copy(update={"service": changed})


def copy_of(published, folder):
    shutil.copytree(published.path, folder / "home", symlinks=True)
    return folder / "home"


@pytest.fixture(scope="module")
def running(published, tmp_path_factory):
    home = copy_of(published, tmp_path_factory.mktemp("service"))
    with Running(create_app(settings_of(home))) as running:
        yield running


@pytest.fixture(scope="module")
def client(running):
    return running.client


@pytest.fixture(scope="module")
def snapshot(running):
    with running.app.state.serving.hold() as snapshot:
        yield snapshot


@pytest.fixture(scope="module")
def users(snapshot):
    return list(snapshot.published.rows)


@pytest.fixture
def own(published, tmp_path):
    """Start a service on a home of the test's own."""
    home = copy_of(published, tmp_path)

    def start(**service):
        return Running(create_app(settings_of(home, **service)))

    start.home = home
    return start
