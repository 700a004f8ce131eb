"""Opaque random ids in the look of the marketplace; nothing can be read from them."""

from collections.abc import Collection

import numpy as np

_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE36 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def users(count: int, rng: np.random.Generator) -> list[str]:
    """Distinct user ids: AE and 26 characters."""
    return _distinct(count, rng, prefix="AE", length=26, letters=_BASE32)


def items(count: int, rng: np.random.Generator, taken: Collection[str] = ()) -> list[str]:
    """Distinct item ids, none of those taken: B0 and eight characters."""
    return _distinct(count, rng, prefix="B0", length=8, letters=_BASE36, taken=taken)


def _distinct(
    count: int,
    rng: np.random.Generator,
    *,
    prefix: str,
    length: int,
    letters: bytes,
    taken: Collection[str] = (),
) -> list[str]:
    alphabet = np.frombuffer(letters, np.uint8)
    found = dict.fromkeys(taken)  # a dict keeps the order of drawing
    while missing := count + len(taken) - len(found):
        draws = rng.integers(0, len(alphabet), missing * length)
        text = alphabet[draws].tobytes().decode()
        for at in range(0, len(text), length):
            found[prefix + text[at : at + length]] = None
    return list(found)[len(taken) :]
