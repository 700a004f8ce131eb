"""Text from web pages to plain text, and Python literals that must never be run."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.formats.text import as_json, plain, plain_path, record

KEYS = ("asin", "title")


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("Lip Balm", "Lip Balm"),
        ("  Lip \n\t Balm ", "Lip Balm"),
        ("Lip &amp; Balm", "Lip & Balm"),
        ("Lip &amp;amp;quot; Balm", 'Lip " Balm'),
        ("&#39;Red&#x27; &eacute;", "'Red' é"),
        ("<b>Red</b> Gloss<br/>2 oz", "Red Gloss 2 oz"),
        ("&lt;b&gt;Red&lt;/b&gt;", "Red"),
        ("Red<script>alert('x')</script>", "Red"),
        ("Red<STYLE>a{}", "Red"),
        ("Red <!-- cheap --> Gloss", "Red Gloss"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("R&D, AT&T, black&copy", "R&D, AT&T, black&copy"),
        ("Red\x00\x07\x9f Gloss", "Red Gloss"),
        ("evil\u202etxt\u200b", "eviltxt"),
        ("var aPageStart = (new Date()).getTime(); var x", ""),
        ("", ""),
        (None, None),
    ],
)
def test_plain_text(page, text):
    assert plain(page) == text


@given(st.text() | st.from_regex(r"(&(amp;)*(lt|gt|#0|#x1F600);|<[a-z/!-]*>?|[a-z ])*"))
def test_plain_text_is_plain_for_good(page):
    once = plain(page)
    assert plain(once) == once
    assert once.isprintable() or not any(ord(letter) < 32 for letter in once)
    assert once == once.strip()


def test_a_path_loses_its_empty_steps():
    assert plain_path(["Health &amp; Care", "</span>", None, " "]) == ["Health & Care"]
    assert plain_path(None) is None


def test_literals_become_json_of_the_wanted_keys():
    line = "{'asin': 'B1', 'title': 'Anne\\'s \"Best\"', 'related': {'also_bought': ['B2']}}"
    assert json.loads(as_json(line, KEYS)) == {"asin": "B1", "title": 'Anne\'s "Best"'}


@pytest.mark.parametrize(
    "line",
    [
        None,
        "",
        "[]",
        "{'asin': 'B1'",
        "{'asin': __import__('os').getcwd()}",
        "{'asin': 'a' * 9}",
        "{**{}}",
        "{'a', 'b'}",
        "{'asin': " + "[" * 100_000,
        "{'asin': " + "-" * 100_000 + "1}",
        "{'asin': " + "1+" * 20_000 + "1j}",
        '{"asin": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "{'asin': " + "9" * 5000 + "}",
        "{'asin': '" + "x" * (5 << 20) + "'}",
    ],
)
def test_what_is_no_literal_dict_is_unreadable(line):
    assert as_json(line, KEYS) is None


VALUES = st.text() | st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), VALUES))
def test_every_dict_of_plain_values_is_read_back(row):
    assert record(repr(row)) == row


@given(st.text())
def test_no_line_breaks_the_reader(line):
    assert record("{" + line) is None or isinstance(record("{" + line), dict)
