"""Files that can't be read are told apart before Spark meets them."""

import gzip
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import preflight
from features.errors import RawDataError
from features.preflight import inspect

LINE = b'{"a": "\xc3\xa9"}\n'


def gz(content: bytes) -> bytes:
    """Without the time of day: what a test is called must be the same in every process."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\n\r\n \t\n", "is empty"),
        (gz(b""), "is empty"),
        (LINE + b"caf\xe9\n" + LINE, "line 2 is not UTF-8"),
        (LINE * 3 + b"cut \xc3", "line 4 is not UTF-8"),
        (gz(LINE + b"\xff\xff"), "line 2 is not UTF-8"),
        ("a,b\n".encode("utf-16"), "UTF-16"),
        ("a,b\n".encode("utf-16-le"), "NUL"),
        (b"\x7fELF\0\0\0", "binary"),
        (gz(LINE * 100)[:-4], "truncated"),
        (gz(LINE)[:5], "truncated"),
        (gz(LINE) + b"tail", "damaged"),
        (gz(LINE)[:-8] + b"\0" * 8, "damaged"),
        (b"PK\x03\x04 zip", "is a zip archive"),
        (b"PAR1 parquet", "is a Parquet file"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path, content, what):
    path = tmp_path / "raw.json"
    path.write_bytes(content)
    with pytest.raises(RawDataError, match=what) as error:
        inspect(path)
    assert error.value.where == str(path)
    assert error.value.fix


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(RawDataError, match="no such file"):
        inspect(tmp_path / "nowhere.json")
    with pytest.raises(RawDataError, match="not a file"):
        inspect(tmp_path)


def test_a_line_too_long_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "MAX_LINE", 100)
    monkeypatch.setattr(preflight, "CHUNK", 16)
    path = tmp_path / "long"
    path.write_bytes(b"x" * 90 + b"\n" + b"y" * 150)
    with pytest.raises(RawDataError, match="line 2 is longer"):
        inspect(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_is_known_of_a_good_file(tmp_path, pack):
    content = pack(b"\xef\xbb\xbfone\r\n\ntwo\n" + LINE)
    path = tmp_path / "odd name.txt"
    path.write_bytes(content)
    file = inspect(path)
    assert file.head[:4] == ("one", "", "two", '{"a": "é"}')
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert (file.size, file.gzip) == (len(content), pack is gzip.compress)


def test_members_of_a_gzip_file_are_read_as_one(tmp_path):
    path = tmp_path / "two"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert inspect(path).head[:2] == ("one", "two")


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.integers(1, 9)
)
def test_text_is_judged_alike_however_it_is_cut(text, size):
    content = ("x" + text + "\nlast").encode() + b"\xff"
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    reader = preflight._Text(preflight.Path("file"))
    with pytest.raises(RawDataError, match=f"line {text.count(chr(10)) + 2} is not UTF-8"):  # noqa: PT012
        for chunk in chunks:
            reader.feed(chunk)
        reader.close()
