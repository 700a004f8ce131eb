"""What all endpoints share in one worker."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from sqlalchemy import Engine

from recsys.errors import extra
from recsys.results import erasures, quality
from recsys.results.errors import ResultsError
from recsys.results.keys import Scope
from recsys.service.answers import Answer, Lists
from recsys.service.auth import Keys, check, keys_needed
from recsys.service.breaker import Breaker
from recsys.service.errors import ServiceError
from recsys.service.filters import Stock
from recsys.service.intake import Intake
from recsys.service.kitchen import Kitchen
from recsys.service.limits import Rates
from recsys.service.reranking import Guarded
from recsys.service.serving import Serving
from recsys.service.shopper import Desk
from recsys.service.snapshot import Snapshot
from recsys.service.telemetry import DRIFT, Telemetry
from recsys.settings import Settings

with extra("serve"):
    from fastapi import Depends, Request


@dataclass(frozen=True, eq=False)
class State:
    """The parts of the service, at `app.state.service`."""

    settings: Settings
    engine: Engine
    serving: Serving
    telemetry: Telemetry
    lists: Lists
    kitchen: Kitchen
    keys: Keys
    rates: Rates
    intake: Intake

    @classmethod
    def of(cls, settings: Settings, engine: Engine) -> "State":
        """Put the parts of a worker together; nothing runs yet."""
        service = settings.service
        return cls(
            settings,
            engine,
            Serving(settings, erased=partial(erasures.erased, engine)),
            Telemetry(together=service.workers > 1),
            Lists(Desk(Breaker(service.breaker)), Stock(service.out_of_stock)),
            Kitchen(service),
            Keys(engine, service.poll_seconds),
            Rates(service.limits),
            Intake(engine, settings),
        )

    def show(self) -> None:
        """Let the metrics tell of the release, the store, the model and the work at hand."""
        show, serving = self.telemetry.show, self.serving

        def of_release(value: Callable[[Snapshot], float]) -> Callable[[], float]:
            def now() -> float:
                try:
                    with serving.hold() as snapshot:
                        return value(snapshot)
                except ServiceError:
                    return math.nan

            return now

        show("tailor_release_age_seconds", "Since the release was made", of_release(_age))
        show("tailor_data_age_seconds", "Since the release's data end", of_release(_data_age))
        show("tailor_release_swaps", "Releases taken", lambda: serving.swaps)
        show("tailor_releases_refused", "Releases refused", lambda: len(serving.refused))
        show("tailor_at_work", "Lists being made", lambda: self.kitchen.at_work)
        show(
            "tailor_store_rests", "1: the store is left alone", lambda: self.lists.desk.breaker.open
        )
        show("tailor_model_rests", "1: the model is left alone", of_release(_model_rests))

    def released(self, snapshot: Snapshot) -> None:
        """Tell of the drift that was measured for a release."""
        worst: dict[str, float] = {}
        try:
            checks = quality.latest(self.engine, snapshot.artifacts["quality"].version)
        except (ResultsError, KeyError):
            checks = []
        for one in checks:
            if one.measure in DRIFT:
                worst[one.measure] = max(one.value, worst.get(one.measure, 0.0))
        self.telemetry.drift(worst)

    def told(self, answer: Answer) -> Answer:
        """Count an answer, as soon as it is sent: nobody is to wait for that."""
        asyncio.get_running_loop().call_soon(self._count, answer)
        return answer

    def _count(self, answer: Answer) -> None:
        self.telemetry.answer(str(answer.rung), str(answer.why), answer.source)
        for stage, seconds in answer.watch.seconds.items():
            self.telemetry.stage(stage, seconds)
        if answer.row is not None:
            for view, row in answer.row.views.items():
                self.telemetry.lookup(view, str(row.outcome))


def _age(snapshot: Snapshot) -> float:
    made = datetime.fromisoformat(snapshot.release.created_at)
    return (datetime.now(UTC) - made).total_seconds()


def _data_age(snapshot: Snapshot) -> float:
    cut = datetime.fromisoformat(snapshot.release.data_cut)
    return (datetime.now(UTC) - cut).total_seconds()


def _model_rests(snapshot: Snapshot) -> float:
    model = snapshot.recommender.reranker
    return float(isinstance(model, Guarded) and model.breaker.open)


def state_of(request: Request) -> State:
    """The parts, at hand for a request."""
    state: State = request.app.state.service
    return state


async def _service(request: Request) -> State:
    """The parts, for an endpoint; async, because anything else is run in a thread of its own."""
    return state_of(request)


def _needs(scope: Scope) -> Any:
    async def caller(request: Request) -> str:
        state = state_of(request)
        who = check(state.keys, request, scope, needed=keys_needed(state.settings.service))
        state.rates.take(who)
        return who

    return Depends(caller)


Service = Annotated[State, Depends(_service)]
READ, WRITE, ADMIN = (_needs(scope) for scope in Scope)
