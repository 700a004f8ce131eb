"""The outermost ring: limits on what comes in, one shape for every error that goes out."""

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from personalizer.errors import PersonalizerError, extra
from personalizer.server.errors import ServerError, envelope
from personalizer.server.metrics import Metrics

with extra("serve"):
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException

__all__ = ["answer_errors"]

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class _Edge:
    """Counts requests, and ends those whose body is too large."""

    def __init__(self, app: Any, metrics: Metrics, most_bytes: int) -> None:
        self._app, self._metrics, self._most = app, metrics, most_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, read = time.monotonic(), 500, 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise HTTPException(413, "the request is too large: ask for fewer at a time")
            return message

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, counted, told)
        finally:
            # by its route: what was typed into the path must not fill the metrics
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.monotonic() - start)


def answer_errors(app: FastAPI, metrics: Metrics, most_bytes: int) -> None:
    """Give every error the one envelope."""
    app.add_middleware(_Edge, metrics=metrics, most_bytes=most_bytes)
    app.add_exception_handler(ServerError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(PersonalizerError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _json(status: int, code: str, message: str, fix: str = "", **headers: str) -> JSONResponse:
    return JSONResponse(envelope(code, message, fix), status_code=status, headers=headers or None)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServerError)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _json(error.status, error.code, error.message, error.fix, **headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with a request, and where; what was sent is not echoed."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return _json(422, "invalid_request", f"{where}: {first['msg']}" if where else first["msg"])


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PersonalizerError)
    return _json(422, "invalid_request", error.what, error.fix)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "error")
    return _json(error.status_code, code, str(error.detail))


async def _unforeseen(_: Request, error: Exception) -> JSONResponse:
    log.error("unforeseen error", exc_info=error)
    return _json(500, "internal", "the model failed; the server's log says why")
