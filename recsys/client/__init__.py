"""A small typed client of the service.

from recsys.client import Client

with Client("http://127.0.0.1:8000", key="tailor_…") as tailor:
    for place in tailor.recommendations("u00001", k=5).items:
        ...
"""

from recsys.client.awaited import AsyncClient
from recsys.client.calls import Ready
from recsys.client.errors import (
    AnswerError,
    BusyError,
    ClientError,
    ConflictingError,
    DownError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooSlowError,
    UnauthorisedError,
    UnreachableError,
    UnreadableError,
)
from recsys.client.plain import Client
from recsys.client.policy import Policy

__all__ = [
    "AnswerError",
    "AsyncClient",
    "BusyError",
    "Client",
    "ClientError",
    "ConflictingError",
    "DownError",
    "ForbiddenError",
    "InvalidError",
    "NotFoundError",
    "Policy",
    "Ready",
    "TooSlowError",
    "UnauthorisedError",
    "UnreachableError",
    "UnreadableError",
]
