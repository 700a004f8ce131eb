"""The raw formats: one module each; importing this package registers them all."""

from features.formats import amazon_2014, amazon_2018, amazon_2023, csv
from features.formats.base import RawFormat, RecordFormat, Table, detect, formats, get, register

__all__ = [
    "RawFormat",
    "RecordFormat",
    "Table",
    "amazon_2014",
    "amazon_2018",
    "amazon_2023",
    "csv",
    "detect",
    "formats",
    "get",
    "register",
]
