"""Everything the server refuses, with its status and its code; one envelope for all."""

from typing import Any

__all__ = ["ServerError", "busy", "envelope", "late", "stopping", "unknown_shopper", "wrong"]


class ServerError(Exception):
    """An answer that is an error."""

    def __init__(
        self, status: int, code: str, message: str, *, fix: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.fix = status, code, message, fix
        self.retry_after = retry_after


def envelope(code: str, message: str, fix: str = "") -> dict[str, Any]:
    """The one shape of an error."""
    return {"error": {"type": code, "code": code, "message": message, "fix": fix}}


def wrong(message: str, fix: str = "") -> ServerError:
    """The request can't be answered as it is."""
    return ServerError(422, "invalid_request", message, fix=fix)


def unknown_shopper(user_id: str) -> ServerError:
    """Nothing is known of a shopper named by id."""
    return ServerError(
        404,
        "unknown_shopper",
        f"nothing is known of {user_id!r}",
        fix="give an embedding or a profile, or leave the user out for the bare model",
    )


def busy(seconds: int) -> ServerError:
    """The queue is full."""
    return ServerError(
        429,
        "busy",
        "too many requests wait already",
        fix="try again later, or raise personalizer.server.most_waiting",
        retry_after=seconds,
    )


def late() -> ServerError:
    """The caller's deadline passed."""
    return ServerError(504, "deadline_exceeded", "the deadline passed before the answer was there")


def stopping() -> ServerError:
    """The server takes nothing new."""
    return ServerError(503, "stopping", "the server is stopping", retry_after=1)
