"""Style and script: two files, named, so that no other can be asked for."""

from recsys.errors import extra
from recsys.service.console.errors import PageRoute
from recsys.service.console.render import STATIC

with extra("serve"):
    from fastapi import APIRouter, Response
    from starlette.exceptions import HTTPException

TYPES = {"console.css": "text/css", "console.js": "text/javascript"}

router = APIRouter(route_class=PageRoute)


@router.get("/static/{name}")
def asset(name: str) -> Response:
    """Hand out one of them; its address changes with its content."""
    if name not in TYPES:
        raise HTTPException(404, f"there is no file {name[:80]!r}")
    return Response(
        (STATIC / name).read_bytes(),
        media_type=TYPES[name],
        headers={"Cache-Control": "public, max-age=86400"},
    )
