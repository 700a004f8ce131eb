"""Everything the service refuses, with its status and its code; one envelope for all."""

from typing import Any

from recsys.errors import TailorError


class ServiceError(TailorError):
    """An answer that is an error."""

    def __init__(
        self, status: int, code: str, what: str, *, fix: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(what, fix=fix)
        self.status, self.code, self.retry_after = status, code, retry_after


def envelope(code: str, message: str, fix: str = "") -> dict[str, Any]:
    """The one shape of an error, the same as the model server's."""
    return {"error": {"type": code, "code": code, "message": message, "fix": fix}}


def wrong(what: str, fix: str = "") -> ServiceError:
    """The request can't be answered as it is."""
    return ServiceError(422, "invalid_request", what, fix=fix)


def unknown_item(item: str) -> ServiceError:
    """An item that the release does not have."""
    return ServiceError(404, "unknown_item", f"no item {item[:80]!r} in this release")


def unknown_shopper(user: str) -> ServiceError:
    """A shopper of whom nothing fresh is known."""
    return ServiceError(404, "unknown_shopper", f"nothing fresh is known of {user[:80]!r}")


def not_ready(why: str) -> ServiceError:
    """Nothing serves yet."""
    return ServiceError(503, "not_ready", why, retry_after=1)


def busy(code: str, what: str, seconds: int) -> ServiceError:
    """Too much is asked for at once."""
    return ServiceError(
        429, code, what, fix="come back later, or ask less often", retry_after=seconds
    )


def unavailable(what: str, fix: str = "") -> ServiceError:
    """A part that this request can't do without is down."""
    return ServiceError(503, "unavailable", what, fix=fix, retry_after=1)
