import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.weights.convert.snappy import unpack
from mendpix.weights.convert.wire import read_varint
from tf_writer import pack, varint


@pytest.mark.parametrize(
    ("packed", "content"),
    [
        (b"\0", b""),
        (b"\x05" + bytes([4 << 2]) + b"hello", b"hello"),
        (varint(70) + bytes([60 << 2, 69]) + b"x" * 70, b"x" * 70),
        (varint(300) + bytes([61 << 2, 43, 1]) + b"y" * 300, b"y" * 300),
        (varint(70) + bytes([62 << 2, 69, 0, 0]) + b"x" * 70, b"x" * 70),
        (varint(70) + bytes([63 << 2, 69, 0, 0, 0]) + b"x" * 70, b"x" * 70),
        (b"\x08" + bytes([1 << 2]) + b"ab" + bytes([2 << 2 | 1, 2]), b"abababab"),  # a copy that overlaps itself
        (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([3 << 2 | 2, 4, 0]), b"abcdabcd"),
        (b"\x07" + bytes([3 << 2]) + b"abcd" + bytes([2 << 2 | 3, 3, 0, 0, 0]), b"abcdbcd"),
        (varint(305) + bytes([61 << 2, 44, 1]) + bytes(301) + bytes([1 << 5 | 1, 44]), bytes(305)),  # 300 bytes back
    ],
)
def test_every_kind_of_element(packed, content):
    assert unpack(packed) == content


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"a", b"bc", b"inpaint_generator/", bytes(9), b"\xff" * 70]), max_size=60))
def test_what_was_packed_comes_back(pieces):
    content = b"".join(pieces)
    packed = pack(content)
    assert unpack(packed) == content
    if len(content) > 1000:
        assert len(packed) < len(content)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_other_bytes_give_an_error_or_their_length(packed):
    try:
        content = unpack(packed)
    except ValueError:
        return
    assert len(content) == read_varint(packed, 0)[0]


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"", "does not end"),
        (b"\x05" + bytes([4 << 2]) + b"hell", "too early"),
        (b"\x06" + bytes([4 << 2]) + b"hello", "6 bytes were announced, 5 came"),
        (b"\x04" + bytes([4 << 2]) + b"hello", "4 bytes were announced, 5 came"),
        (b"\x08" + bytes([0 << 2]) + b"a" + bytes([3 << 2 | 1, 2]), "reaches back 2 bytes where 1"),
        (b"\x08" + bytes([0 << 2]) + b"a" + bytes([3 << 2 | 1, 0]), "reaches back 0"),
        (b"\x08" + bytes([3 << 2 | 2, 1]), "too early"),
    ],
)
def test_broken_blocks(packed, words):
    with pytest.raises(ValueError, match=words):
        unpack(packed)


def test_a_small_block_cannot_grow_without_end():
    copies = bytes([63 << 2 | 2, 1, 0]) * 10_000
    with pytest.raises(ValueError, match="100 bytes were announced, 129 came"):
        unpack(varint(100) + bytes([0, 97]) + copies)
