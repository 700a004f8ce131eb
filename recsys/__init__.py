"""Retrieval, ranking, pipeline, artifacts, results, evaluation, service and command line."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tailor")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
