import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.weights.convert.wire import read_message, read_varint
from tf_writer import message, varint


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.binary(max_size=5))
def test_numbers_come_back(value, more):
    written = b"x" + varint(value)
    assert read_varint(written + more, 1) == (value, len(written))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9, b"\xff" * 10 + b"\x00", b"\xff" * 9 + b"\x02"])
def test_numbers_that_do_not_end_or_are_too_large(data):
    with pytest.raises(ValueError, match="does not end"):
        read_varint(data, 0)


def test_messages_of_every_kind_of_field():
    data = message((1, 300), (2, b"text"), (6, 7)) + varint(9 << 3 | 1) + (8).to_bytes(8, "little")
    assert list(read_message(data)) == [(1, 300), (2, b"text"), (6, 7), (9, 8)]
    assert list(read_message(b"")) == []


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_an_error(data):
    try:
        fields = list(read_message(data))
    except ValueError:
        return
    assert all(number > 0 and isinstance(value, int | bytes) for number, value in fields)
