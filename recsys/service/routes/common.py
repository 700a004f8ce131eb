"""What the endpoints have in common: answers with ETags, documented errors."""

import hashlib
import json
from typing import Any

from recsys.errors import extra
from recsys.service.schemas import ErrorTold

with extra("serve"):
    from fastapi import Request, Response
    from pydantic_core import PydanticSerializationError, to_json

_MEANINGS = {
    304: "What the caller has is still so",
    400: "The request can't be read",
    401: "No valid API key",
    403: "The key may not do this",
    404: "The shopper or the item is not known",
    409: "The event id was given to another purchase",
    413: "The request is too large",
    422: "The request can't be answered as it is",
    429: "Too many requests",
    503: "Nothing serves yet, or a part is down that this can't do without",
}


def errors(*more: int) -> dict[int | str, dict[str, Any]]:
    """Document the errors of an endpoint: those of all, and some more."""
    codes = sorted({400, 401, 403, 413, 422, 429, 503, *more} - {304})
    told: dict[int | str, dict[str, Any]] = {
        code: {"model": ErrorTold, "description": _MEANINGS[code]} for code in codes
    }
    return told | ({304: {"description": _MEANINGS[304]}} if 304 in more else {})


def answered(
    document: dict[str, Any], request: Request | None = None, *, timing: str = "", status: int = 200
) -> Response:
    """Give a document; with a request, one that the caller has already is not sent again."""
    body = _json(document)
    headers = {"Server-Timing": timing} if timing else {}
    if request is not None:
        etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        headers |= {"ETag": etag, "Cache-Control": "private, no-cache"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def _json(document: dict[str, Any]) -> bytes:
    try:
        return to_json(document, inf_nan_mode="null", fallback=str)
    except PydanticSerializationError:  # half a pair of surrogates: UTF-8 has no bytes for it
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, default=str)
        return text.encode("utf-8", "backslashreplace")
