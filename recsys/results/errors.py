"""The error of the results database."""

from recsys.errors import TailorError


class ResultsError(TailorError):
    """The results database can't be reached, read or written."""
