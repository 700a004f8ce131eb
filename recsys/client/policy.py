"""What to do with what came back: read it, try again after a while, or raise."""

import random
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from recsys.client.calls import Call
from recsys.client.errors import (
    AnswerError,
    ClientError,
    TooSlowError,
    UnreachableError,
    UnreadableError,
    kind_of,
)
from recsys.errors import extra

with extra("client"):
    import httpx

Answer = TypeVar("Answer", bound=BaseModel)

AGAIN = {429, 502, 503, 504}
_JITTER = random.SystemRandom()  # many clients that failed together must not return together


@dataclass(frozen=True)
class Policy:
    """How often a call is tried, and how long it waits in between."""

    retries: int = 2
    first_wait: float = 0.1  # seconds; doubled with each try
    longest_wait: float = 5.0  # a server that asks for more patience is not waited for

    def wait(self, tried: int, outcome: "httpx.Response | httpx.TransportError") -> float | None:
        """Seconds to wait before the next try; None: there is none."""
        if tried >= self.retries:
            return None
        least = 0.0
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in AGAIN:
                return None
            least = asked_for(outcome)
        if least > self.longest_wait:
            return None
        return max(least, _JITTER.uniform(0.5, 1.0) * self.first_wait * 2.0**tried)


def asked_for(response: "httpx.Response") -> float:
    """The seconds of `Retry-After`; a date counts as none."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0


def read(call: Call[Answer], outcome: "httpx.Response | httpx.TransportError", url: str) -> Answer:
    """Turn what came back into an answer, or into the error that it is."""
    where = f"{call.method} {url}{call.path}"
    if isinstance(outcome, httpx.TransportError):
        raise _unreachable(outcome, where)
    if not outcome.is_success:
        raise _refused(outcome, where)
    try:
        return call.answer.model_validate_json(outcome.content)
    except ValidationError as error:
        raise UnreadableError(
            f"the answer is no {call.answer.__name__}", where=where, fix="check the address"
        ) from error


def _unreachable(error: "httpx.TransportError", where: str) -> ClientError:
    if isinstance(error, httpx.TimeoutException):
        return TooSlowError("no answer in time", where=where, fix="allow more with `timeout`")
    return UnreachableError(
        f"no connection: {error}", where=where, fix="start `tailor serve`, or check the address"
    )


def _refused(response: "httpx.Response", where: str) -> AnswerError:
    told = _envelope(response)
    return kind_of(response.status_code)(
        str(told.get("message") or response.reason_phrase),
        where=where,
        fix=str(told.get("fix") or ""),
        status=response.status_code,
        code=str(told.get("code") or "unknown"),
        request_id=response.headers.get("x-request-id", ""),
    )


def _envelope(response: "httpx.Response") -> dict[str, Any]:
    """The body of the service's errors; empty where something in between answered."""
    try:
        told = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}
