"""Values written and read by hand, against Feast's own messages."""

import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from features.errors import StoreError
from features.online.layout import entity_key
from features.online.values import (
    apart,
    arrow_type,
    decoder,
    encode,
    entry,
    message,
    text,
    together,
)
from features.repo.types import Array, Float32, Float64, Int64, String, feast_type

WORDS = some.text(max_size=200)
INTEGERS = some.integers(-(2**63), 2**63 - 1)
NUMBERS = some.floats(allow_nan=False)
SINGLES = some.floats(width=32, allow_nan=False)
FIELDS = {
    String: (WORDS, "string_val"),
    Int64: (INTEGERS, "int64_val"),
    Float64: (NUMBERS, "double_val"),
    Float32: (SINGLES, "float_val"),
    Array(String): (some.lists(WORDS, max_size=60), "string_list_val"),
    Array(Int64): (some.lists(INTEGERS, max_size=60), "int64_list_val"),
    Array(Float64): (some.lists(NUMBERS, max_size=60), "double_list_val"),
    Array(Float32): (some.lists(SINGLES, max_size=60), "float_list_val"),
}


@pytest.mark.parametrize("kind", FIELDS, ids=str)
@given(data=some.data())
@settings(max_examples=60, deadline=None)
def test_a_column_is_written_as_protobuf_would(kind, data):
    from feast.infra.online_stores.helpers import extract_text_and_num
    from feast.protos.feast.types.Value_pb2 import Value

    values = data.draw(some.lists(some.none() | FIELDS[kind][0], max_size=8))
    column = pa.array(values, arrow_type(kind))
    messages = encode(kind, column).to_pylist()
    assert [decoder(kind)(told) for told in messages] == values
    assert [message(kind, value) for value in values] == messages
    for value, told in zip(values, messages, strict=True):
        expected = Value()
        if value is not None:
            field = getattr(expected, FIELDS[kind][1])
            if isinstance(kind, Array):
                field.SetInParent()
                field.val.extend(value)
            else:
                setattr(expected, FIELDS[kind][1], value)
        assert told == expected.SerializeToString()
        assert text(kind, told) == extract_text_and_num(expected, False)[0]


@given(WORDS)
@settings(deadline=None)
def test_a_key_is_written_as_feast_does(name):
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    theirs = EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=name)])
    assert entity_key("user_id", name) == serialize_entity_key(theirs, 3)


def test_numbers_that_are_none_are_nothing():
    column = pa.array([math.nan, 1.0, None])
    assert encode(Float64, column).to_pylist()[::2] == [b"", b""]
    assert message(Float64, math.nan) == b""


def test_a_slice_of_a_column_and_hidden_entries_of_a_null_are_read_right():
    lists = pa.array([["a"], ["b", "c"], None, ["d"]])
    assert encode(Array(String), lists.slice(1)) == encode(
        Array(String), pa.array([["b", "c"], None, ["d"]])
    )
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 1, 3, 4], pa.int32()),
        pa.array([1, 2, 3, 4], pa.int64()),
        mask=pa.array([False, True, False]),
    )
    assert [decoder(Array(Int64))(m) for m in encode(Array(Int64), hidden).to_pylist()] == [
        [1],
        None,
        [4],
    ]


def test_a_list_with_an_empty_entry_is_refused():
    with pytest.raises(StoreError, match="a list with an empty entry"):
        encode(Array(String), pa.array([["a", None]]))


def test_types_are_those_of_feast():
    for kind in FIELDS:
        assert str(feast_type(kind)) == str(kind)


@given(some.lists(some.lists(some.binary(max_size=300), min_size=2, max_size=2), min_size=1))
@settings(max_examples=60, deadline=None)
def test_messages_of_a_row_are_one_of_feasts_and_come_apart_again(rows):
    from feast.protos.feast.types.Value_pb2 import RepeatedValue, Value

    values = [[Value(bytes_val=content) for content in row] for row in rows]
    messages = [[value.SerializeToString() for value in row] for row in values]
    columns = [pa.array(column, pa.binary()) for column in zip(*messages, strict=True)]
    for packed, row, told in zip(together(columns).to_pylist(), values, messages, strict=True):
        assert packed == RepeatedValue(val=row).SerializeToString()
        assert packed == b"".join(map(entry, told))
        assert apart(packed) == told
