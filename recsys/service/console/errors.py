"""Errors as pages: what happened, where, and what to do."""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from features.errors import FeaturesError
from recsys.errors import NoReleaseError, TailorError, extra
from recsys.service.console.render import page
from recsys.service.console.session import sign_in_for
from recsys.service.errors import ServiceError

with extra("serve"):
    from fastapi import APIRouter, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import RedirectResponse
    from fastapi.routing import APIRoute
    from starlette.exceptions import HTTPException

log = structlog.get_logger(__name__)

HEADINGS = {
    400: "That can't be read",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    422: "That can't be answered",
    429: "Too much at once",
    503: "Not ready",
}


class PageRoute(APIRoute):
    """A route whose errors are pages as well."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except ServiceError as error:
                if error.status == 401 and request.method == "GET":
                    return RedirectResponse(sign_in_for(request), 303)
                return told(request, error.status, error.what, error.fix)
            except Exception as error:
                return told(request, *_told_of(request, error))

        return handler


def _told_of(request: Request, error: Exception) -> tuple[int, str, str]:
    """Status, what happened and what to do."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        return 422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}", ""
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail), ""
    if isinstance(error, TailorError | FeaturesError):
        log.warning("page_failed", id=_id(request), error=str(error))
        return (404 if isinstance(error, NoReleaseError) else 503), error.what, error.fix
    log.error("unforeseen_error", id=_id(request), exc_info=error)
    return 500, "The console failed at this page.", "the log of the service says why"


def told(request: Request, status: int, what: str, fix: str = "") -> Response:
    """Show an error."""
    heading = HEADINGS.get(status, "Something failed")
    return page(
        request,
        "error.html",
        status=status,
        heading=heading,
        what=what,
        fix=fix,
        request_id=_id(request),
    )


def _id(request: Request) -> str:
    return str(getattr(request.state, "request_id", "without an id"))


router = APIRouter(route_class=PageRoute)


@router.get("/{rest:path}")
def nothing_here(request: Request, rest: str) -> Response:
    """Answer for all that is not a page; one that is typed with a slash at its end is found."""
    if not rest or rest.endswith("/"):
        # without the host, which a caller or a proxy may have named otherwise
        found = request.url.path.rstrip("/")
        return RedirectResponse(f"{found}?{request.url.query}" if request.url.query else found, 307)
    raise HTTPException(404, f"there is no page {rest[:80]!r}")
