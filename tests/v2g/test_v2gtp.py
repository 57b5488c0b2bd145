"""V2GTP framing: what is packed is parsed, however it is cut; what is not V2GTP is refused and bounded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.v2g import v2gtp

MESSAGES = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=200)), max_size=8)


def test_the_header_is_that_of_the_standard() -> None:
    assert v2gtp.pack(0x8001, b"abc") == bytes.fromhex("01fe800100000003") + b"abc"


@given(MESSAGES, st.data())
def test_any_cut_gives_the_same_messages(messages: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(v2gtp.pack(kind, payload) for kind, payload in messages)
    parser = v2gtp.Parser()
    got = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += parser.feed(stream[:size])
        stream = stream[size:]
    assert got == messages
    assert parser.pending == 0


@given(st.lists(st.binary(max_size=100), max_size=20))
@settings(max_examples=300)
def test_any_bytes_are_bounded(pieces: list[bytes]) -> None:
    parser = v2gtp.Parser(max_payload=64)
    for piece in pieces:
        try:
            parser.feed(piece)
        except v2gtp.V2GTPError:
            assert parser.error is not None
        assert parser.pending <= 64 + v2gtp.HEADER_LENGTH + 100


@pytest.mark.parametrize(
    "frame",
    [
        v2gtp.pack(0x8001, b"", version=0x02),
        v2gtp.pack(0x8001, b"", inverse=0x00),
        v2gtp.pack(0x8001, b"", length=0xFFFFFFFF),
        v2gtp.pack(0x8001, bytes(v2gtp.DEFAULT_MAX_PAYLOAD + 1)),
    ],
)
def test_a_bad_header_is_refused_and_stays_so(frame: bytes) -> None:
    parser = v2gtp.Parser()
    with pytest.raises(v2gtp.V2GTPError):
        parser.feed(frame)
    with pytest.raises(v2gtp.V2GTPError):
        parser.feed(v2gtp.pack(0x8001, b"good"))
    assert parser.pending == 0


def test_messages_before_a_bad_header_are_not_lost() -> None:
    parser = v2gtp.Parser()
    assert parser.feed(v2gtp.pack(0x8001, b"one") + bytes(8)) == [(0x8001, b"one")]
    with pytest.raises(v2gtp.V2GTPError):
        parser.feed(b"")


@pytest.mark.parametrize("kind", [-1, 0x10000])
def test_values_that_do_not_fit_are_refused(kind: int) -> None:
    with pytest.raises(v2gtp.V2GTPError):
        v2gtp.pack(kind, b"")


@given(st.binary(max_size=64))
def test_unpack_takes_exactly_one_message(data: bytes) -> None:
    assert v2gtp.unpack(v2gtp.pack(0x9000, data)) == (0x9000, data)
    for wrong in (v2gtp.pack(0x9000, data) + b"x", v2gtp.pack(0x9000, data)[:7]):
        with pytest.raises(v2gtp.V2GTPError):
            v2gtp.unpack(wrong)
