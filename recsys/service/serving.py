"""The release that serves, and its replacement by the next without a pause."""

import gc
import threading
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from recsys.artifacts import ArtifactStore, Releases
from recsys.errors import TailorError
from recsys.service.errors import not_ready
from recsys.service.snapshot import Snapshot
from recsys.settings import Settings

log = structlog.get_logger(__name__)

Loader = Callable[..., Snapshot]


@dataclass(eq=False)
class _Held:
    """A snapshot and the requests that work with it."""

    snapshot: Snapshot
    users: int = 0
    retired: bool = False


class Serving:
    """Holds the current release. Who asks takes it once and works with that one to the end.

    A new one is loaded beside it and swapped in by one assignment; the old one is let go when its
    last request ends. One that is damaged, or that gives no answer, is refused: the old one serves
    on, and `refused` says why.
    """

    def __init__(
        self,
        settings: Settings,
        load: Loader = Snapshot.load,
        erased: Callable[[], Set[str]] = frozenset,
    ) -> None:
        self.settings = settings
        self.refused: dict[str, str] = {}
        self.swaps = 0
        self.on_swap: list[Callable[[Snapshot], None]] = []
        self._load, self._erased = load, erased
        self._forgotten: set[str] = set()
        self._releases = Releases(ArtifactStore(settings.home))
        self._current: _Held | None = None
        self._lock = threading.Lock()  # of the counts
        self._refreshing = threading.Lock()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        """Load the live release, if there is one, and watch for others."""
        self.refresh()
        self._watcher = threading.Thread(target=self._watch, name="tailor-releases", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop watching, and let go of the release."""
        self._stop.set()
        if self._watcher:
            self._watcher.join()
        self._swap(None)

    @property
    def ready(self) -> bool:
        """Whether a release serves."""
        return self._current is not None

    @contextmanager
    def hold(self) -> Iterator[Snapshot]:
        """Work with the release that serves now, whatever is swapped meanwhile."""
        with self._lock:
            held = self._current
            if held is None:
                raise not_ready("no release is loaded: " + self._why())
            held.users += 1
        try:
            yield held.snapshot
        finally:
            with self._lock:
                held.users -= 1
                last = held.retired and not held.users
            if last:
                held.snapshot.close()

    def refresh(self) -> bool:
        """Take the live release, if it is another one and whole; says whether it changed."""
        with self._refreshing:
            try:
                live = self._releases.live()
            except (OSError, ValueError) as error:  # a pointer that can't be read
                log.warning("pointer_unreadable", error=str(error))
                return False
            serving = self._current.snapshot.release.id if self._current else None
            if live is None or live == serving or (serving and live in self.refused):
                return False
            return self._take(live)

    def forget(self, digest: str) -> None:
        """Let go of an erased shopper's list at once."""
        self._forgotten.add(digest)
        if self._current:
            self._current.snapshot.published.forget({digest})

    def _forget_erased(self) -> None:
        """Other workers, and the command line, erase as well."""
        if new := set(self._erased()) - self._forgotten:
            self._forgotten |= new
            if self._current:
                self._current.snapshot.published.forget(new)

    def _take(self, live: str) -> bool:
        before = self._current.snapshot if self._current else None
        try:
            if before:
                release, artifacts = self._releases.open(live)
            else:  # nothing serves: an earlier release is better than none
                found = self._releases.serving()
                release, artifacts = found.release, found.artifacts
                self.refused |= found.refused
            snapshot = self._load(self.settings, release, artifacts, before)
            snapshot.prove()
            snapshot.published.forget(self._forgotten)
        except Exception as error:  # whatever is wrong with it, the old one serves on
            self.refused[live] = str(error)
            log.error("release_refused", release=live, error=str(error))
            return False
        self._swap(snapshot)
        # what a release holds stays until the next: looking through it again and again takes time
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        for told in self.on_swap:
            told(snapshot)
        log.info("release_serves", release=release.id, lineage_key=release.key)
        return True

    def _swap(self, snapshot: Snapshot | None) -> None:
        with self._lock:
            old, self._current = self._current, _Held(snapshot) if snapshot else None
            self.swaps += 1
            unused = old is not None and not old.users
            if old is not None:
                old.retired = True
        if old is not None and unused:
            old.snapshot.close()

    def _why(self) -> str:
        """What a person should know who finds nothing."""
        return next(reversed(self.refused.values()), "nothing has been published yet")

    def _watch(self) -> None:
        while not self._stop.wait(self.settings.service.poll_seconds):
            try:
                self.refresh()
                self._forget_erased()
            except TailorError as error:
                log.warning("refresh_failed", error=str(error))
