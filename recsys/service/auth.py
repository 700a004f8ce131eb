"""Who may call: keys by digest, read again every moment, so that they change at once."""

import hmac
import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Engine

from recsys.errors import extra
from recsys.results.errors import ResultsError
from recsys.results.keys import Key, Scope, digest_of, every
from recsys.service.config import ServiceSettings
from recsys.service.errors import ServiceError

with extra("serve"):
    from fastapi import Request

log = structlog.get_logger(__name__)

MOST_READ = 512  # characters of a key that are looked at


class Keys:
    """The keys that are valid now."""

    def __init__(
        self, engine: Engine, every_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._every, self._clock = engine, every_seconds, clock
        self._known: Mapping[str, Key] = {}
        self._read_at = -1e9
        self._lock = threading.Lock()

    def find(self, given: str) -> Key | None:
        """The key that was given, if it is one and has not ended."""
        self._refresh()
        digest = digest_of(given[:MOST_READ])
        key = self._known.get(digest)
        if key is None or not hmac.compare_digest(key.digest, digest):
            return None
        return key if key.valid(datetime.now(UTC)) else None

    def _refresh(self) -> None:
        if self._clock() - self._read_at < self._every or not self._lock.acquire(blocking=False):
            return
        try:
            self._known = {key.digest: key for key in every(self._engine)}
            self._read_at = self._clock()
        except ResultsError as error:  # the keys known last still hold
            self._read_at = self._clock()
            log.warning("keys_unreadable", error=str(error))
        finally:
            self._lock.release()


@cache
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keys_needed(settings: ServiceSettings) -> bool:
    """Whether a caller must bring a key."""
    return settings.keys == "always" or not is_loopback(settings.host)


def given_key(request: Request) -> str:
    """The key of a request: `Authorization: Bearer KEY` or `X-Api-Key: KEY`; never in the URL."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key", "")


def _refuse_rebound(host: str) -> None:
    """Refuse a page of the web that made its own name lead to this machine."""
    if _is_name_of_the_web(host):
        raise ServiceError(
            403, "forbidden", "without keys only this machine's own names lead here",
            fix="set service.keys to always behind a proxy",
        )  # fmt: skip


@lru_cache(maxsize=256)  # every request names a host, mostly the same
def _is_name_of_the_web(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # no name at all
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." in name
    return False


def check(
    keys: Keys, request: Request, scope: Scope, *, needed: bool, given: str | None = None
) -> str:
    """Say who calls, by what may be logged and counted; refuse who may not.

    `given` is the key where it stands elsewhere than an endpoint looks: the console's cookie.
    """
    given = given_key(request) if given is None else given
    if not given and not needed:
        _refuse_rebound(request.headers.get("host", ""))
        return request.client.host if request.client else "local"
    key = keys.find(given) if given else None
    if key is None:
        raise ServiceError(
            401, "unauthorised", "a valid API key is needed", fix="tailor keys create"
        )
    if not key.scope.allows(scope):
        raise ServiceError(403, "forbidden", f"this needs a key of scope {scope.value}")
    return key.id
