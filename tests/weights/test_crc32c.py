import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.weights.convert.crc32c import POLYNOMIAL, crc32c, masked


def bit_by_bit(message: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in message:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (POLYNOMIAL if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("message", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),  # the rest from RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
    ],
)
def test_known_checksums(message, checksum):
    assert crc32c(message) == checksum
    assert crc32c(bytearray(message)) == checksum


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_agrees_with_the_definition(message):
    assert crc32c(message) == bit_by_bit(message)


@pytest.mark.parametrize("size", [131_067, 131_068, 131_069, 131_072, 262_140, 262_141])
def test_agrees_around_the_length_of_rows(size):
    message = bytes(range(251)) * (size // 251 + 1)
    assert crc32c(message[:size]) == bit_by_bit(message[:size])


def test_the_mask_is_tensorflows():
    assert masked(0) == 0xA282EAD8
    assert masked(0x8000) == 0xA282EAD9  # turned right by 15
    assert masked(0xFFFFFFFF) == 0xA282EAD7  # the sum wraps


def test_large_messages_take_little_time():
    message = bytes(20_000_000)
    crc32c(message)
    started = time.perf_counter()
    crc32c(message)
    assert time.perf_counter() - started < 2  # a byte at a time in Python takes about that long for a tenth of it
