"""What a call can end in, drawn as a tree.

ClientError
├── UnreachableError      no connection
│   └── TooSlowError      no answer within the time-out
├── UnreadableError       an answer that is none of the service's
└── AnswerError           the service said no; carries status, code and request id
    ├── InvalidError      400, 413, 415, 422: the request can't be answered as it is
    ├── UnauthorisedError 401: no valid key
    ├── ForbiddenError    403: the key may not do this
    ├── NotFoundError     404: the shopper or the item is not known
    ├── ConflictingError  409: the event id was given to another purchase
    ├── BusyError         429: too many requests
    └── DownError         5xx: nothing serves yet, or a part is down
"""

from recsys.errors import TailorError

__all__ = [
    "AnswerError",
    "BusyError",
    "ClientError",
    "ConflictingError",
    "DownError",
    "ForbiddenError",
    "InvalidError",
    "NotFoundError",
    "TooSlowError",
    "UnauthorisedError",
    "UnreachableError",
    "UnreadableError",
]


class ClientError(TailorError):
    """A call that gave no answer that can be used."""


class UnreachableError(ClientError):
    """The service can't be reached."""


class TooSlowError(UnreachableError):
    """The service did not answer in time."""


class UnreadableError(ClientError):
    """What answered is not this service, or another version of it."""


class AnswerError(ClientError):
    """The service refused, and said why."""

    def __init__(
        self, what: str, *, where: str, fix: str, status: int, code: str, request_id: str
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.code, self.request_id = status, code, request_id


class InvalidError(AnswerError):
    """The request can't be answered as it is."""


class UnauthorisedError(AnswerError):
    """No valid API key came with the request."""


class ForbiddenError(AnswerError):
    """The key may not do this."""


class NotFoundError(AnswerError):
    """The shopper or the item is not known."""


class ConflictingError(AnswerError):
    """The event id was given to another purchase."""


class BusyError(AnswerError):
    """Too much was asked for at once."""


class DownError(AnswerError):
    """Nothing serves yet, or a part is down that this can't do without."""


KINDS: dict[int, type[AnswerError]] = {
    401: UnauthorisedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictingError,
    429: BusyError,
}


def kind_of(status: int) -> type[AnswerError]:
    """The error of a status."""
    return KINDS.get(status, DownError if status >= 500 else InvalidError)
