"""Purchases made now: kept, acknowledged, pushed; what can't be pushed yet is pushed later."""

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from datetime import datetime

import structlog
from sqlalchemy import Engine

from features.errors import FeaturesError, QualityError
from features.push import Purchase, Pusher
from recsys.errors import TailorError
from recsys.online import pusher_of
from recsys.results import events
from recsys.results.events import Event, Kept
from recsys.service.errors import ServiceError
from recsys.service.snapshot import Snapshot
from recsys.settings import Settings

log = structlog.get_logger(__name__)

PENDING, REFUSED = "pending", "refused"
RETRY_SECONDS = 1.0


class Intake:
    """Takes purchases in. One thread pushes: a pusher is not for several at once."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._patience = settings.service.deadlines.total_ms / 1_000
        self._pool = ThreadPoolExecutor(1, "tailor-push")
        self._pusher: Pusher | None = None
        self._stop = threading.Event()
        self._retrying = threading.Thread(target=self._retry, name="tailor-retry", daemon=True)

    def start(self) -> None:
        """Push what an earlier life of the service left over, and go on retrying."""
        self._retrying.start()

    def stop(self) -> None:
        """Finish what is being pushed; what is left is pushed by the next start."""
        self._stop.set()
        self._retrying.join()
        self._pool.shutdown()

    def swapped(self, snapshot: Snapshot) -> None:
        """Push by the vectors of a new release; what came after its data is pushed again."""
        self._pusher = pusher_of(self._settings, snapshot.artifacts)
        self._pool.submit(self._again, snapshot.release.data_cut)

    def take(self, event: Event) -> tuple[str, str]:
        """Keep a purchase and push it; tells what became of it, durable in any case."""
        kept = events.keep(self._engine, event)
        if not kept.new and kept.event != event:
            raise ServiceError(
                409, "conflict", f"event {event.event_id} was another purchase",
                fix="give every purchase an id of its own",
            )  # fmt: skip
        if kept.outcome is not None:
            return kept.outcome, "known"
        return self._pushed_soon(kept), "new" if kept.new else "known"

    def _pushed_soon(self, kept: Kept) -> str:
        """Push, and wait as long as a caller may be kept waiting."""
        try:
            return self._pool.submit(self._push, kept.event).result(self._patience)
        except LateError:
            return PENDING

    def _push(self, event: Event) -> str:
        if self._pusher is None:
            return PENDING
        try:
            outcome = str(self._pusher.push(Purchase(*event[1:])))
        except QualityError as error:  # it will never be right
            log.warning("event_refused", event=event.event_id, error=error.what)
            outcome = REFUSED
        except (FeaturesError, OSError) as error:
            log.warning("push_failed", error=str(error))
            return PENDING
        try:
            events.settle(self._engine, [(event.event_id, outcome)])
        except TailorError as error:  # it is pushed; that it is noted can wait
            log.warning("settling_failed", error=str(error))
        return outcome

    def _again(self, data_cut: str) -> None:
        try:
            for event in events.since(self._engine, datetime.fromisoformat(data_cut)):
                if self._stop.is_set() or self._push(event) == PENDING:
                    return
        except TailorError as error:
            log.warning("replay_failed", error=str(error))

    def _retry(self) -> None:
        while not self._stop.wait(RETRY_SECONDS):
            try:
                for event in events.unsettled(self._engine):
                    if self._stop.is_set():
                        return
                    if self._pool.submit(self._push, event).result() == PENDING:
                        break
            except (TailorError, RuntimeError) as error:
                log.warning("retry_failed", error=str(error))
