"""Primitives of the bit stream, with values worked out from EXI 1.0 clause 7.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.exi.bits import BitReader, BitWriter, EndOfStream, Malformed


def written(*calls: tuple[str, object]) -> bytes:
    sink = BitWriter()
    for name, value in calls:
        getattr(sink, name)(value)
    return sink.getvalue()


def test_varints_by_hand() -> None:
    assert written(("unsigned", 0)) == b"\x00"
    assert written(("unsigned", 127)) == b"\x7f"
    assert written(("unsigned", 128)) == b"\x80\x01"
    assert written(("unsigned", 300)) == b"\xac\x02"
    # Sign bit, then magnitude; a negative one is stored less one.
    assert written(("signed", 1)) == b"\x00\x80"
    assert written(("signed", -1)) == b"\x80\x00"
    assert written(("signed", -2)) == b"\x80\x80"


@given(
    st.lists(
        st.one_of(
            st.integers(0, 2**70), st.integers(-(2**70), -1), st.binary(max_size=700), st.text(max_size=40)
        )
    )
)
def test_round_trip(values: list[object]) -> None:
    sink = BitWriter()
    for value in values:
        sink.bits(1, 3)
        if isinstance(value, int):
            sink.signed(value)
        elif isinstance(value, bytes):
            sink.unsigned(len(value))
            sink.octets(value)
        else:
            sink.unsigned(len(str(value)))
            sink.characters(str(value))
    source = BitReader(sink.getvalue())
    for value in values:
        assert source.bits(3) == 1
        if isinstance(value, int):
            assert source.signed() == value
        elif isinstance(value, bytes):
            assert source.octets(source.unsigned()) == value
        else:
            assert source.characters(source.unsigned()) == value


def test_lengths_are_checked_before_anything_is_allocated() -> None:
    source = BitReader(b"\xff" * 20)
    with pytest.raises(EndOfStream):
        source.octets(2**60)
    with pytest.raises(EndOfStream):
        source.characters(2**60)


def test_endless_varint_is_refused() -> None:
    with pytest.raises(Malformed):
        BitReader(b"\xff" * 10_000).unsigned()


def test_code_points_that_are_no_characters_are_refused() -> None:
    sink = BitWriter()
    sink.unsigned(0xD800)
    with pytest.raises(Malformed):
        BitReader(sink.getvalue()).characters(1)
