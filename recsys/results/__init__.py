"""The results database: runs, releases, lists, reports, and what quality control refused."""

from recsys.results.database import check, connect, downgrade, sqlite_url, upgrade
from recsys.results.errors import ResultsError
from recsys.results.failures import (
    Failure,
    failures,
    record_failures,
    retry_failures,
    settle,
)
from recsys.results.records import (
    finish_run,
    prune,
    record_quarantine,
    record_release,
    record_report,
    record_run,
)
from recsys.results.writer import Entry, ShopperList, erase, lists_of, write_lists

__all__ = [
    "Entry",
    "Failure",
    "ResultsError",
    "ShopperList",
    "check",
    "connect",
    "downgrade",
    "erase",
    "failures",
    "finish_run",
    "lists_of",
    "prune",
    "record_failures",
    "record_quarantine",
    "record_release",
    "record_report",
    "record_run",
    "retry_failures",
    "settle",
    "sqlite_url",
    "upgrade",
    "write_lists",
]
