"""The outermost ring: ids and limits of requests, headers of answers, one shape for all errors."""

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

from features.errors import FeaturesError
from recsys.errors import TailorError, extra
from recsys.service.errors import ServiceError, envelope
from recsys.service.naming import Names
from recsys.service.state import State

with extra("serve"):
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.datastructures import Headers
    from starlette.exceptions import HTTPException

log = structlog.get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CODES = {
    400: "bad_request", 401: "unauthorised", 403: "forbidden", 404: "not_found",
    405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type",
}  # fmt: skip
REQUEST_ID = "X-Request-Id"
_OWN_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")  # a caller's id must not carry anything else
# of answers that are data; a page of the console sets its own policy
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_ID = REQUEST_ID.lower().encode("ascii")
_HEADERS = [(name.lower().encode("ascii"), told.encode("ascii")) for name, told in HEADERS.items()]


class Edge:
    """Names, limits, counts and logs every request."""

    def __init__(self, app: Any, state: State) -> None:
        self._app, self._telemetry = app, state.telemetry
        service = state.settings.service
        self._names = Names(state.settings.home.resolve(), hidden=service.hash_users)
        self._most = state.settings.service.limits.body_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, read = time.perf_counter(), 500, 0
        request_id = _request_id(Headers(scope=scope).get(REQUEST_ID, ""))
        scope.setdefault("state", {})["request_id"] = request_id

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise HTTPException(413, f"a request holds {self._most} bytes at most")
            return message

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message.get("headers", ())
                there = {name.lower() for name, _ in own}
                more = (header for header in _HEADERS if header[0] not in there)
                message["headers"] = [*own, (_ID, request_id.encode("ascii")), *more]
            await send(message)

        try:
            await self._app(scope, counted, told)
        finally:
            seconds = time.perf_counter() - began
            # what was written is sent when this turn of the loop is over: nobody waits for counting
            asyncio.get_running_loop().call_soon(self._count, scope, request_id, status, seconds)

    def _count(self, scope: Message, request_id: str, status: int, seconds: float) -> None:
        # by its route: what was typed into the path must fill neither metrics nor log
        route = getattr(scope.get("route"), "path", "other")
        self._telemetry.request(route, status, seconds)
        tell = log.warning if status >= 500 else log.debug
        user = scope.get("path_params", {}).get("user")
        tell(
            "request", id=request_id, method=scope["method"], route=route, status=status,
            ms=round(seconds * 1_000, 1), **({"user": self._names.of(user)} if user else {}),
        )  # fmt: skip


def _request_id(given: str) -> str:
    return given if _OWN_ID.fullmatch(given) else os.urandom(16).hex()


def answer_errors(app: FastAPI) -> None:
    """Give every error the one envelope."""
    app.add_exception_handler(ServiceError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(TailorError, _down)
    app.add_exception_handler(FeaturesError, _down)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _json(status: int, code: str, message: str, fix: str = "", **headers: str) -> JSONResponse:
    return JSONResponse(envelope(code, message, fix), status_code=status, headers=headers or None)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _json(error.status, error.code, error.what, error.fix, **headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with a request, and where; what was sent is not echoed."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")[:200]
    return _json(422, "invalid_request", f"{where}: {first['msg']}" if where else first["msg"])


async def _down(request: Request, error: Exception) -> JSONResponse:
    """A part failed that this request can't do without; where it stands is for the log alone."""
    log.error("part_failed", id=request.state.request_id, error=str(error))
    return _json(
        503, "unavailable", "a part of the service is down", "try again", **{"Retry-After": "1"}
    )


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "error")
    return _json(error.status_code, code, str(error.detail), **(error.headers or {}))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    request_id = getattr(request.state, "request_id", "")
    log.error("unforeseen_error", id=request_id, exc_info=error)
    return _json(500, "internal", f"the service failed; its log says why, under {request_id}")
