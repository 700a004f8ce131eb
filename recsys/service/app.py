"""The service put together: one application for all endpoints and the console."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec

import structlog

from recsys import __version__
from recsys.errors import TailorError, extra
from recsys.results import database, events
from recsys.service.edge import Edge, answer_errors
from recsys.service.routes import events as taking
from recsys.service.routes import health, items, lists, preference, shoppers
from recsys.service.state import State
from recsys.settings import Settings

with extra("serve"):
    from fastapi import FastAPI
    from fastapi.middleware.cors import CORSMiddleware
    from threadpoolctl import threadpool_limits

log = structlog.get_logger(__name__)

FAIR = 0.001  # seconds a thread may keep the interpreter: the event loop must not wait for long
CONSOLE = "recsys.service.console"
ABOUT = "Recommendations on a feature store; every answer says which release made it, and how."


def create_app(settings: Settings) -> FastAPI:
    """Make the service of a home; `app.state` holds `settings`, `serving` and `service`."""
    state = State.of(settings, events.durable(database.of(settings)))
    app = FastAPI(
        title="tailor", version=__version__, description=ABOUT, lifespan=_life(state),
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.state.settings, app.state.serving, app.state.service = settings, state.serving, state
    for part in (lists, items, preference, shoppers, taking, health):
        app.include_router(part.router)
    if find_spec(CONSOLE):
        app.include_router(import_module(CONSOLE).router())
    answer_errors(app)
    _fence(app, state)
    return app


def _fence(app: FastAPI, state: State) -> None:
    """Put the outer rings around: what comes last here sees a request first."""
    service = state.settings.service
    if service.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(Edge, state=state)


def _life(state: State) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Start the parts before the first request, and end them after the last."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        sys.setswitchinterval(FAIR)
        try:
            database.upgrade(state.engine)
        except TailorError as error:  # lists need no results database; events will say so
            log.warning("results_database_down", error=str(error))
        # one request is too small a work to share among threads, which would wait for each other
        with threadpool_limits(1, user_api="blas"):
            state.show()
            state.serving.on_swap += [state.intake.swapped, state.released]
            state.serving.start()
            state.intake.start()
            try:
                yield
            finally:
                state.intake.stop()
                state.serving.stop()
                state.kitchen.close()
                state.engine.dispose()

    return life
