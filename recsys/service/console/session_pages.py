"""Sign in with an API key, and out again."""

from typing import Annotated

from recsys.errors import extra
from recsys.service.console.errors import PageRoute
from recsys.service.console.forms import Form
from recsys.service.console.render import page
from recsys.service.console.session import COOKIE, SIGN_IN, inside, may_read
from recsys.service.errors import ServiceError
from recsys.service.state import state_of

with extra("serve"):
    from fastapi import APIRouter, Query, Request, Response
    from fastapi.responses import RedirectResponse

router = APIRouter(route_class=PageRoute)


@router.get("/sign-in")
def sign_in(request: Request, next: Annotated[str, Query(max_length=1_000)] = "") -> Response:  # noqa: A002
    """Ask for a key."""
    return page(request, "sign_in.html", next=inside(next), refused="", bare=True)


@router.post("/sign-in")
async def signed_in(request: Request, form: Form) -> Response:
    """Keep the key in a cookie, if it is one."""
    state_of(request).rates.take(request.client.host if request.client else "local")
    given, back = form.get("key", [""])[0].strip(), inside(form.get("next", [""])[0])
    try:
        may_read(request, given)
    except ServiceError as error:
        refused = "That is no valid key. Keys end, and are replaced: `tailor keys list` shows all."
        return page(
            request, "sign_in.html", status=error.status, next=back, refused=refused, bare=True
        )
    answer = RedirectResponse(back, 303)
    answer.set_cookie(
        COOKIE,
        given,
        path="/console",
        httponly=True,
        samesite="lax",  # a link from a chat must open; a form from elsewhere must not
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out")
def signed_out(form: Form) -> Response:  # noqa: ARG001 - read for where it comes from
    """Forget the key."""
    answer = RedirectResponse(SIGN_IN, 303)
    answer.delete_cookie(COOKIE, path="/console")
    return answer
