"""The console: what an engineer opens when somebody asks "why did she see this?"."""

from recsys.errors import extra

with extra("serve"):
    from fastapi import APIRouter

with extra("report"):
    import jinja2  # noqa: F401 - told here once, instead of by every page

HOME = "/console"


def router() -> APIRouter:
    """All pages, ready to be put into the service."""
    from recsys.service.console import assets, errors, records_pages, session_pages, shopper_pages

    whole = APIRouter()
    for part in (assets, session_pages, shopper_pages, records_pages, errors):
        whole.include_router(part.router, prefix=HOME, include_in_schema=False)
    return whole


__all__ = ["HOME", "router"]
