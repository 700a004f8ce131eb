"""What pages share between requests: opened when first asked for, let go with its release."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from personalizer.vectors import Encoder
from recsys.errors import extra
from recsys.profiles.run import whole_text
from recsys.results import erasures
from recsys.results.errors import ResultsError
from recsys.service.console.finding import Directory
from recsys.service.console.scene import Scene
from recsys.service.errors import busy
from recsys.service.serving import Serving
from recsys.service.snapshot import Snapshot
from recsys.service.state import state_of
from recsys.settings import Settings

with extra("serve"):
    from fastapi import Request


AT_ONCE, SEATS = 2, 8  # pages made at once, and those that wait included
RETRY = 2  # seconds


class Backstage:
    """The scene of the release that serves, its shoppers, and the encoder of profiles."""

    def __init__(self, settings: Settings, serving: Serving, engine: Engine) -> None:
        self.settings, self.serving, self.engine = settings, serving, engine
        self._lock = threading.Lock()
        self._turns, self._seats = threading.Semaphore(AT_ONCE), threading.Semaphore(SEATS)
        self._scene: Scene | None = None
        self._directory: tuple[Scene, frozenset[str], Directory] | None = None
        self._encoder: Encoder | None = None

    @contextmanager
    def scene(self) -> Iterator[Scene]:
        """Hold the release that serves for as long as a page is made.

        Pages are made a few at a time, and few may wait: lists for the shop come first.
        """
        if not self._seats.acquire(blocking=False):
            raise busy("too_many_pages", "too many pages are asked for at once", RETRY)
        try:
            with self._turns, self.serving.hold() as snapshot:
                yield self._scene_of(snapshot)
        finally:
            self._seats.release()

    def _scene_of(self, snapshot: Snapshot) -> Scene:
        with self._lock:
            if self._scene is None or self._scene.snapshot is not snapshot:
                self._scene = Scene(snapshot)
            return self._scene

    def directory(self, scene: Scene) -> Directory:
        """The shoppers of a scene."""
        erased = self._erased()
        with self._lock:
            held = self._directory
            if held is None or held[0] is not scene or held[1] != erased:
                held = self._directory = (scene, erased, Directory.of(scene, erased))
            return held[2]

    def _erased(self) -> frozenset[str]:
        """Digests of who was erased; a database that is down hides nobody that it did not."""
        try:
            return frozenset(erasures.erased(self.engine))
        except ResultsError:
            return self._directory[1] if self._directory else frozenset()

    def encoder(self) -> Encoder:
        """What reads an edited profile; without the cache on disk, because nothing is saved."""
        with self._lock:
            if self._encoder is None:
                from personalizer.encoder import TextEncoder

                self._encoder = TextEncoder(whole_text(self.settings.personalizer).encoder)
            return self._encoder


_MAKING = threading.Lock()


def backstage(request: Request) -> Backstage:
    """The one of the application."""
    state, service = request.app.state, state_of(request)
    with _MAKING:
        if not hasattr(state, "backstage"):
            state.backstage = Backstage(service.settings, service.serving, service.engine)
    made: Backstage = state.backstage
    return made
