"""How shoppers are named in the log: by a keyed hash that only this home can make again."""

import hashlib
import os
import secrets
from pathlib import Path

KEY = "log.key"


class Names:
    """Hides shoppers' ids, if that is wanted; the same id is always told the same way."""

    def __init__(self, home: Path, *, hidden: bool) -> None:
        self._home, self._hidden = home, hidden
        self._key: bytes | None = None

    def of(self, user: str) -> str:
        """What the log may tell of a shopper."""
        if not self._hidden:
            return user
        if self._key is None:
            self._key = _key(self._home)
        text = user.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=8).hexdigest()


def _key(home: Path) -> bytes:
    """The home's own key; of several workers at once, one makes it."""
    path = home / KEY
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as made:
            made.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    except OSError:  # no place to keep it: names hold as long as the process
        return secrets.token_bytes(32)
    return path.read_bytes() or secrets.token_bytes(32)
