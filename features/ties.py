"""Spark's `xxhash64`, for the ties of one shopper: a push must order them as the batch does.

xxHash64 is published in full at github.com/Cyan4973/xxHash; Spark chains columns by their seeds.
"""

import struct

SEED = 20_140_718

_MASK = (1 << 64) - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_SPARK_SEED = 42


def tie_break(item: str, seed: int = SEED) -> int:
    """What `features.timeline.tie_break` gives for one column, as a signed number."""
    number = xxhash64(struct.pack("<i", seed), xxhash64(item.encode(), _SPARK_SEED))
    return number - (1 << 64) if number >> 63 else number


def xxhash64(text: bytes, seed: int) -> int:
    """Hash bytes to 64 bits."""
    number, rest = _stripes(text, seed)
    number = (number + len(text)) & _MASK
    while len(rest) >= 8:
        number ^= _round(0, struct.unpack_from("<Q", rest)[0])
        number = (_rotate(number, 27) * _P1 + _P4) & _MASK
        rest = rest[8:]
    if len(rest) >= 4:
        number ^= struct.unpack_from("<I", rest)[0] * _P1 & _MASK
        number = (_rotate(number, 23) * _P2 + _P3) & _MASK
        rest = rest[4:]
    for byte in rest:
        number = _rotate(number ^ byte * _P5 & _MASK, 11) * _P1 & _MASK
    return _mixed(number)


def _stripes(text: bytes, seed: int) -> tuple[int, bytes]:
    """Take in 32 bytes at a time; what is left comes after."""
    if len(text) < 32:
        return (seed + _P5) & _MASK, text
    lanes = [(seed + start) & _MASK for start in (_P1 + _P2, _P2, 0, -_P1)]
    end = len(text) // 32 * 32
    for at in range(0, end, 32):
        parts = struct.unpack_from("<4Q", text, at)
        lanes = [_round(lane, part) for lane, part in zip(lanes, parts, strict=True)]
    number = sum(_rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
    for lane in lanes:
        number = ((number ^ _round(0, lane)) * _P1 + _P4) & _MASK
    return number, text[end:]


def _round(lane: int, part: int) -> int:
    return _rotate((lane + part * _P2) & _MASK, 31) * _P1 & _MASK


def _rotate(number: int, by: int) -> int:
    return (number << by | number >> (64 - by)) & _MASK


def _mixed(number: int) -> int:
    number = (number ^ number >> 33) * _P2 & _MASK
    number = (number ^ number >> 29) * _P3 & _MASK
    return number ^ number >> 32
