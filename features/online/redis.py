"""Feast's Redis store: a hash per entity; fields are a view's features and its time."""

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

from features.errors import StoreError, extra
from features.online.base import Changes, Found, OnlineStore
from features.online.layout import Stored, View
from features.online.values import apart, read_varint, signed, varint

with extra("features"):
    import mmh3
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

_ATTEMPTS = 100


class RedisStore(OnlineStore):
    """One server; a change fails and is tried again if a key was changed meanwhile."""

    def __init__(self, project: str, options: Mapping[str, Any]) -> None:
        super().__init__(project)
        self._options = options

    @cached_property
    def _client(self) -> Any:
        # its own default tries for seconds; whoever asks here has a deadline
        return redis.Redis(**self._options, retry=Retry(NoBackoff(), 1))

    def read(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Read rows of several views by their keys, in one round trip."""
        with self._client.pipeline(transaction=False) as pipe:
            fields = _fields(tuple(views))
            for key in keys:
                pipe.hmget(self._name(key), fields)
            return _found(views, keys, pipe.execute())

    def change(
        self,
        views: Sequence[View],
        keys: Sequence[bytes],
        decide: Callable[[Found], Changes],
    ) -> Changes:
        """Watch the keys, read, decide, and write only if no key was changed since."""
        names = [self._name(key) for key in keys]
        for _ in range(_ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipe:
                pipe.watch(*names)
                found = _found(views, keys, _at_once(pipe.connection, names, _fields(tuple(views))))
                changes = decide(found)
                pipe.multi()
                for view in views:
                    for row in changes.get(view.name, ()):
                        content = dict(zip(_names_of(view), apart(row.packed), strict=True))
                        content[_time_of(view)] = _timestamp(row.event)
                        pipe.hset(self._name(row.key), mapping=content)
                try:
                    pipe.execute()
                except redis.WatchError:
                    continue
                return changes
        raise StoreError("others keep changing the same rows", where="redis", fix="try again later")

    def erase(self, views: Sequence[View], key: bytes) -> Mapping[str, int]:
        """Remove a key's fields; a hash without fields is gone."""
        with self._client.pipeline(transaction=True) as pipe:
            for view in views:
                pipe.hdel(self._name(key), *_names_of(view))
                pipe.hdel(self._name(key), _time_of(view))
            counts = pipe.execute()
        return {view.name: count for view, count in zip(views, counts[::2], strict=True)}

    def close(self) -> None:
        """Let go of the connections."""
        if client := self.__dict__.pop("_client", None):
            client.close()

    def _name(self, key: bytes) -> bytes:
        return key + self.project.encode()


def _at_once(connection: Any, names: Sequence[bytes], fields: Sequence[bytes]) -> list[Any]:
    """Ask for all hashes in one go, on the connection that watches: a pipeline would not."""
    commands = [("HMGET", name, *fields) for name in names]
    connection.send_packed_command(connection.pack_commands(commands))
    return [connection.read_response() for _ in commands]


def _found(views: Sequence[View], keys: Sequence[bytes], replies: Sequence[Any]) -> Found:
    found: dict[str, dict[bytes, Stored]] = {view.name: {} for view in views}
    for key, reply in zip(keys, replies, strict=True):
        rest = iter(reply)
        for view in views:
            messages = list(islice(rest, len(view.names)))
            moment = next(rest)
            if moment is not None:
                found[view.name][key] = Stored(_moment(moment), (view.names, messages), _named)
    return found


def _named(raw: tuple[Sequence[str], Sequence[bytes | None]]) -> dict[str, bytes]:
    return {name: message for name, message in zip(*raw, strict=True) if message is not None}


@lru_cache(maxsize=256)
def _fields(views: tuple[View, ...]) -> tuple[bytes, ...]:
    """What is asked for: of each view its features and its time."""
    return tuple(field for view in views for field in (*_names_of(view), _time_of(view)))


@lru_cache(maxsize=256)
def _names_of(view: View) -> tuple[bytes, ...]:
    hashes = (mmh3.hash(f"{view.name}:{name}", signed=False) for name in view.names)
    return tuple(struct.pack("<I", number) for number in hashes)


def _time_of(view: View) -> bytes:
    return f"_ts:{view.name}".encode()


@lru_cache(maxsize=100_000)
def _timestamp(moment: int) -> bytes:
    """A protobuf Timestamp: seconds and nanoseconds, each left out if zero."""
    seconds, micros = divmod(moment, 1_000_000)
    written = b"\x08" + varint(seconds) if seconds else b""
    return written + (b"\x10" + varint(micros * 1_000) if micros else b"")


@lru_cache(maxsize=100_000)
def _moment(message: bytes) -> int:
    parts, at = {0x08: 0, 0x10: 0}, 0
    while at < len(message):
        tag = message[at]
        parts[tag], at = read_varint(message, at + 1)
    return signed(parts[0x08]) * 1_000_000 + parts[0x10] // 1_000
