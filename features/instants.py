"""Moments, without the Spark that `features.timeline` brings along."""

from datetime import UTC, datetime, timedelta

from features.errors import QualityError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(moment: datetime) -> datetime:
    """Put the moment in UTC; refuse a naive one, because nobody can know what it means."""
    if moment.tzinfo is None:
        raise QualityError(
            "the moment has no time zone", where=str(moment), fix="pass an aware datetime, in UTC"
        )
    return moment.astimezone(UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (utc(moment) - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The moment that many microseconds after 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)
