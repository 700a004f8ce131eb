"""Text work on single values, in plain Python: titles to plain text, Python literals to JSON.

Runs inside Spark's Python workers, so it imports the standard library only.
"""

import ast
import html
import json
import re
import warnings
from collections.abc import Iterable

MAX_TEXT = 10_000  # a "title" longer than this is a page
MAX_LITERAL = 4 << 20

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SCRIPT = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[A-Za-z!][^<>]*>", re.DOTALL)
# control characters, and the invisible ones that turn or hide text
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# the 2018 crawl took the page's script for the title of some products
_PAGE = re.compile(r"\bvar aPageStart\b|\bgetTime\(\)")


def plain(text: str | None) -> str | None:
    """Reduce text from a web page to plain text: entities decoded, markup and controls gone."""
    if text is None:
        return None
    before, now = None, text[:MAX_TEXT]
    while now != before:  # each round shortens: what was escaped twice is decoded twice
        before, now = now, _strip(now)
    return "" if _PAGE.search(now) else now


def _strip(text: str) -> str:
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if "<" in text:
        text = _TAG.sub(" ", _SCRIPT.sub(" ", text))
    return " ".join(_INVISIBLE.sub("", _CONTROL.sub(" ", text)).split())


def plain_path(path: Iterable[str | None] | None) -> list[str] | None:
    """Reduce each step of a category path to plain text; drop the steps that come out empty."""
    if path is None:
        return None
    return [step for step in map(plain, path) if step]


def as_json(line: str | None, keys: Iterable[str]) -> str | None:
    """Rewrite a line that holds a Python dict (or JSON) as JSON of some keys; None: unreadable."""
    row = record(line)
    if row is None:
        return None
    return json.dumps({key: row[key] for key in keys if key in row}, default=str)


def record(line: str | None) -> dict[str, object] | None:
    """Read a line as a JSON object or as a literal Python dict; None: it is neither."""
    if line is None or len(line) > MAX_LITERAL or not line.lstrip().startswith("{"):
        return None
    for read in (json.loads, _literal):
        try:
            row = read(line)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(row, dict):
            return row
    return None


def _literal(line: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in titles
        return ast.literal_eval(line.strip())
