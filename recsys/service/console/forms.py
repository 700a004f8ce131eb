"""Forms as pages send them: small, and from this console only."""

from typing import Annotated
from urllib.parse import parse_qs

from recsys.errors import extra
from recsys.service.console.session import same_origin
from recsys.service.errors import wrong

with extra("serve"):
    from fastapi import Depends, Request

MOST_FIELDS = 50


async def form_of(request: Request) -> dict[str, list[str]]:
    """Read the fields of a form."""
    same_origin(request)
    try:
        return parse_qs((await request.body()).decode(), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise wrong("the form can't be read") from error


Form = Annotated[dict[str, list[str]], Depends(form_of)]
