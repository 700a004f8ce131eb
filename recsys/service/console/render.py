"""From a view model to a page: one environment, everything escaped, one policy for browsers."""

import hashlib
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from recsys.errors import extra
from recsys.report.formats import FILTERS, NOTHING
from recsys.service.console.pictures import slope, spark, timeline
from recsys.service.console.records import seconds_of
from recsys.service.console.session import COOKIE

with extra("serve"):
    from fastapi import Request
    from fastapi.responses import HTMLResponse

with extra("report"):
    import jinja2

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

# which part of the console a page belongs to, by the end of its address
PARTS = {
    **dict.fromkeys(("console", "shopper", "why", "adapter", "what-if"), "/console"),
    **dict.fromkeys(("items", "item"), "/console/items"),
    **dict.fromkeys(("releases", "release"), "/console/releases"),
    **dict.fromkeys(("runs", "run"), "/console/runs"),
    "reports": "/console/reports",
    "quality": "/console/quality",
}
# a form sends its origin only where a referrer may be sent; other sites still learn nothing
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}


def page(request: Request, template: str, *, status: int = 200, **content: Any) -> HTMLResponse:
    """Render a page."""
    held = {
        "status": status,
        "here": PARTS.get(request.url.path.rstrip("/").rpartition("/")[2], ""),
        "signed_in": COOKIE in request.cookies,
    }
    text = _environment().get_template(template).render(held | content)
    return HTMLResponse(text, status, headers=HEADERS)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= FILTERS | {
        "ago": ago,
        "day": day,
        "figure": figure,
        "price": price,
        "took": took,
        "words": words,
    }
    environment.globals |= {
        "bar": spark.bar,
        "slope": slope.slope,
        "slopes": {"wide": slope.WIDE, "narrow": slope.NARROW},
        "spark": spark.spark,
        "timeline": timeline.timeline,
        "timelines": {"wide": timeline.WIDE, "narrow": timeline.NARROW},
        "seconds_of": seconds_of,
        "version": assets_version(),
        "release": None,
        "bare": False,
    }
    return environment


@cache
def assets_version() -> str:
    """Changes with style and script, so that a browser may keep them."""
    content = b"".join(path.read_bytes() for path in sorted(STATIC.iterdir()))
    return hashlib.sha256(content).hexdigest()[:12]


def ago(days: float | None) -> str:
    """How long ago, in the unit a person would choose."""
    if days is None:
        return NOTHING
    if days < 1 / 24:
        return "just now"
    if days < 2:
        return f"{days * 24:.0f} hours ago"
    return f"{days:.0f} days ago" if days < 730 else f"{days / 365.25:.1f} years ago"


def day(moment: datetime | None) -> str:
    """A date."""
    return f"{moment:%Y-%m-%d}" if moment else NOTHING


def price(value: float | None) -> str:
    """A price, without the currency that nobody told us."""
    return f"{value:,.2f}" if value is not None else NOTHING


def figure(value: Any) -> str:
    """A number of any size, or what stands in its place."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return f"{value:,.0f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def took(length: timedelta | None) -> str:
    """How long something took."""
    if length is None:
        return NOTHING
    minutes, seconds = divmod(length.total_seconds(), 60)
    return f"{minutes:.0f} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"


def words(code: str) -> str:
    """Read a code as words."""
    return str(code).replace("_", " ").replace("adapted lm", "adapted model")
