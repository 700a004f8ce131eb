"""The server's endpoints."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from personalizer.adapters import Shopper
from personalizer.config import ServerConfig
from personalizer.errors import extra
from personalizer.server import schemas
from personalizer.server.batcher import Batcher
from personalizer.server.edge import answer_errors
from personalizer.server.engine import Engine, Made, Score, Text, Written, out_of_memory
from personalizer.server.errors import ServerError, unknown_shopper, wrong
from personalizer.server.metrics import Metrics

with extra("serve"):
    import numpy as np
    from fastapi import FastAPI, Request, Response

__all__ = ["create_app"]

log = logging.getLogger(__name__)

T = TypeVar("T")
GONE = 499  # as nginx calls a client that went away


class _Server:
    """What the endpoints share."""

    def __init__(self, engine: Engine, config: ServerConfig) -> None:
        self.engine, self.config, self.metrics = engine, config, Metrics()
        self.batcher = Batcher(
            engine.run,
            most=config.batch,
            wait=config.wait_ms / 1000,
            most_waiting=config.most_waiting,
            out_of_memory=out_of_memory,
            watch=self.metrics.watch(),
        )
        self.metrics.show(engine.store, self.batcher)
        self.warm, self.stopping = False, False

    @asynccontextmanager
    async def life(self, _: FastAPI) -> AsyncIterator[None]:
        """Warm up while the health check answers already; at the end answer all that wait."""
        self.batcher.start()
        warming = asyncio.create_task(self._warm_up())
        try:
            yield
        finally:
            self.stopping = True
            await warming
            await self.batcher.close()

    async def _warm_up(self) -> None:
        try:
            await self.batcher.first(self.engine.warm_up)
        except Exception:  # never ready, and the log says why
            log.exception("warming up failed")
        else:
            self.warm = True

    async def shoppers(self, asked: Sequence[schemas.ShopperAsked]) -> list[Shopper]:
        """Find or embed the shoppers of a request."""
        engine = self.engine
        ids = [a.id for a in asked if a.embedding is None and a.profile is None and a.id]
        known = await asyncio.to_thread(engine.directory, ids) if ids else {}
        texts = [a.profile for a in asked if a.profile is not None]
        if texts and engine.encode is None:
            raise wrong("this server has no encoder for profiles", fix="give an embedding")
        encoded = (
            iter(await asyncio.to_thread(engine.encode, texts))
            if engine.encode is not None and texts
            else iter(())
        )
        found = []
        for one in asked:
            if one.embedding is not None:
                vector = np.array(one.embedding, np.float32)
            elif one.profile is not None:
                vector = next(encoded)
            elif one.id is not None and one.id in known:
                found.append(known[one.id])
                continue
            else:
                raise unknown_shopper(one.id or "")
            if vector.shape != (engine.user_dim,) or not np.isfinite(vector).all():
                raise wrong(f"an embedding of {len(vector)}", fix=f"give {engine.user_dim} numbers")
            found.append(Shopper(one.id or "", vector))
        return found

    async def ask(
        self, request: Request, kind: str, works: Sequence[Any], deadline_ms: int | None
    ) -> list[Any]:
        """Queue work and wait for its answers, as long as the caller does."""
        seconds = self.config.deadline_s if deadline_ms is None else deadline_ms / 1000
        return await _while_connected(request, self.batcher.submit(kind, works, seconds))

    async def write(
        self, request: Request, asked: Any, chat: Sequence[tuple[str, str]], *, plain: bool
    ) -> Written:
        """Generate a text with the adapter of the user named."""
        shopper = None
        if asked.user is not None:
            (shopper,) = await self.shoppers([schemas.ShopperAsked(id=asked.user)])
        most = min(
            getattr(asked, "max_completion_tokens", None) or asked.max_tokens,
            self.config.most_tokens,
        )
        work = Text(shopper, tuple(chat), most, plain=plain)
        try:
            (written,) = await self.ask(request, "text", [work], asked.deadline_ms)
        finally:
            work.gone.set()
        told: Written = written
        return told


async def _while_connected(request: Request, work: Awaitable[T]) -> T:
    """Wait for an answer; when the client goes away, the work is taken off the queue."""
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ServerError(GONE, "client_closed_request", "the client went away")
        return task.result()
    finally:
        gone.cancel()
        task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def create_app(engine: Engine, config: ServerConfig | None = None) -> FastAPI:
    """Make the server of a model."""
    server = _Server(engine, config or ServerConfig())
    app = FastAPI(title="tailor personalizer", lifespan=server.life, docs_url=None, redoc_url=None)
    app.state.server = server
    _health(app, server)
    _scores(app, server)
    _openai(app, server)
    answer_errors(app, server.metrics, server.config.most_bytes)
    return app


def _health(app: FastAPI, server: _Server) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        if server.stopping or not server.warm:
            reason = "stopping" if server.stopping else "warming_up"
            raise ServerError(503, reason, "not ready", retry_after=1)
        engine = server.engine
        return {"status": "ready", "model": engine.name, "hypernet": engine.store.version}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(server.metrics.text(), media_type="text/plain; version=0.0.4")


def _scores(app: FastAPI, server: _Server) -> None:
    @app.post("/v1/score")
    async def score(asked: schemas.ScoreAsked, request: Request) -> schemas.ScoreTold:
        shoppers = await server.shoppers(asked.shoppers)
        works = [_work(one, who) for one, who in zip(asked.shoppers, shoppers, strict=True)]
        kinds = dict.fromkeys(work.kind for work in works)
        if len(kinds) > 1:
            raise wrong("one request scores candidates, or options of one number")
        scores = await server.ask(request, next(iter(kinds)), works, asked.deadline_ms)
        return schemas.ScoreTold(
            results=[_scored(server.engine, row) for row in scores],
            model=server.engine.name,
            hypernet=server.engine.store.version,
        )

    @app.post("/v1/adapters")
    async def adapters(asked: schemas.AdaptersAsked, request: Request) -> schemas.AdaptersTold:
        shoppers = await server.shoppers(asked.shoppers)
        made: list[Made] = await server.ask(request, "adapters", shoppers, asked.deadline_ms)
        return schemas.AdaptersTold(
            adapters=[
                schemas.Adapter(
                    name=one.name, version=one.version, parameters=one.numbers, folder=one.folder
                )
                for one in made
            ],
            model=server.engine.name,
            hypernet=server.engine.store.version,
        )


def _work(asked: schemas.Question, shopper: Shopper) -> Score:
    texts = asked.candidates if asked.candidates is not None else asked.options
    assert texts is not None
    return Score(shopper, tuple(texts), asked.prompt, by_label=asked.options is not None)


def _scored(engine: Engine, row: Any) -> schemas.Scored:
    table = np.asarray(row)[None]
    best = int(engine.calibration.answers(table)[0])
    return schemas.Scored(
        scores=[float(score) for score in row],
        best=None if best < 0 else best,
        confidence=float(engine.calibration.confidence(table)[0]),
    )


def _openai(app: FastAPI, server: _Server) -> None:
    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": server.engine.name, "object": "model"}]}

    @app.post("/v1/chat/completions")
    async def chat(asked: schemas.ChatAsked, request: Request) -> dict[str, Any]:
        turns = [(message.role, message.content) for message in asked.messages]
        made = await server.write(request, asked, turns, plain=False)
        message = {"role": "assistant", "content": made.text}
        return _completion(server, "chat.completion", {"message": message}, made)

    @app.post("/v1/completions")
    async def completions(asked: schemas.CompletionAsked, request: Request) -> dict[str, Any]:
        made = await server.write(request, asked, [("user", asked.prompt)], plain=True)
        return _completion(server, "text_completion", {"text": made.text}, made)


def _completion(
    server: _Server, kind: str, choice: dict[str, Any], made: Written
) -> dict[str, Any]:
    """An answer in the shape of the OpenAI API."""
    reason = "length" if made.cut else "stop"
    return {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": server.engine.name,
        "choices": [{"index": 0, **choice, "finish_reason": reason, "logprobs": None}],
        "usage": {
            "prompt_tokens": made.prompt_tokens,
            "completion_tokens": made.tokens,
            "total_tokens": made.prompt_tokens + made.tokens,
        },
    }
