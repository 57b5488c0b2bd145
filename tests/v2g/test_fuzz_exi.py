"""A small run of benchmarks/fuzz_exi.py, over random messages of every set: the long one is for the night."""

from __future__ import annotations

import random

import pytest

from bench.exi import bits
from bench.v2g import codec
from benchmarks import fuzz_exi
from benchmarks.exi_samples import own_streams


@pytest.mark.parametrize("schema", codec.SCHEMAS)
def test_broken_streams_give_a_message_or_the_documented_error(schema: str) -> None:
    corpus = own_streams(1, per_side=15, schemas=(schema,))
    assert {fragment for _, fragment, _ in corpus} == {False, True}
    # No time limit here: a loaded machine is no finding.
    chunk = fuzz_exi.run_chunk(0, 1, 250, corpus, limit_ms=float("inf"))
    assert chunk.failures == []
    assert chunk.peak > 0
    assert chunk.outcomes["refused"] > 30
    assert sum(count for outcome, count in chunk.outcomes.items() if outcome.startswith("read")) > 30


def test_a_length_of_thousands_of_digits_is_refused_clearly() -> None:
    """Found by the fuzzer: the length of a string was too long to be written into the text of the error."""
    longest = b"\xff" * bits.MAX_VARINT_OCTETS + b"\x7f"
    with pytest.raises(bits.EndOfStream):
        bits.BitReader(b"").characters(bits.BitReader(longest).unsigned())
    with pytest.raises(bits.EndOfStream):
        bits.BitReader(b"").octets(bits.BitReader(longest).unsigned())
    with pytest.raises(bits.Malformed, match="sensible size"):
        bits.BitReader(b"\xff" + longest).unsigned()


def test_nil_of_an_element_with_two_types() -> None:
    """Found by the fuzzer: after xsi:nil an eMAID was read as the other of its types."""
    xml = (
        '<n4:V2G_Message xmlns:n4="urn:iso:15118:2:2013:MsgDef" xmlns:n5="urn:iso:15118:2:2013:MsgHeader" '
        'xmlns:n2="urn:iso:15118:2:2013:MsgBody" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        "<n4:Header><n5:SessionID>01</n5:SessionID></n4:Header><n4:Body><n2:CertificateInstallationRes>"
        '<n2:eMAID xsi:nil="true"/></n2:CertificateInstallationRes></n4:Body></n4:V2G_Message>'
    )
    message = codec.from_xml("iso2", xml)
    assert codec.decode("iso2", codec.encode(message, "iso2", deviations=True)) == message


def test_mutations_of_a_chunk_are_always_the_same() -> None:
    corpus = own_streams(3, per_side=2)
    first = [fuzz_exi.mutated(random.Random("7/0"), corpus) for _ in range(2)]
    assert first[0] == first[1]
    assert own_streams(3, per_side=2) == corpus
