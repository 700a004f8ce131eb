"""Who may read the pages: whoever has a key that may read, where the service demands one.

The key stands in a cookie that scripts can't read. The API never looks at cookies, so that no
other site's page can use it there; here it opens pages only, and nothing that changes anything.
"""

from urllib.parse import quote, urlsplit

from recsys.errors import extra
from recsys.results.keys import Scope
from recsys.service.auth import check, keys_needed
from recsys.service.errors import ServiceError
from recsys.service.state import state_of

with extra("serve"):
    from fastapi import Request

COOKIE = "tailor_key"
SIGN_IN = "/console/sign-in"
_HOME = "/console"


async def reader(request: Request) -> None:
    """Let a reader pass; others are sent to sign in."""
    state = state_of(request)
    needed = keys_needed(state.settings.service)
    given = request.cookies.get(COOKIE, "") if needed else ""
    state.rates.take(check(state.keys, request, Scope.READ, needed=needed, given=given))


def may_read(request: Request, key: str) -> None:
    """Raise unless a key may read."""
    check(state_of(request).keys, request, Scope.READ, needed=True, given=key)


def same_origin(request: Request) -> None:
    """Refuse a form that another site's page sent."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in {None, "same-origin", "none"}
    if foreign or (origin and urlsplit(origin).netloc != request.headers.get("host", "")):
        raise ServiceError(403, "forbidden", "the form did not come from a page of this console")


def sign_in_for(request: Request) -> str:
    """Where to sign in, and come back from."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{SIGN_IN}?next={quote(asked, safe='')}"


def inside(address: str) -> str:
    """An address within the console; any other becomes its first page."""
    parts = urlsplit(address)
    own = not parts.scheme and not parts.netloc and "\\" not in address and address.isprintable()
    under = parts.path == _HOME or parts.path.startswith(f"{_HOME}/")
    return address if own and under else _HOME
