"""A small run of benchmarks/fuzz_exi.py, over random messages of every set: the long one is for the night."""

from __future__ import annotations

import random

import pytest

from bench.v2g import codec
from benchmarks import fuzz_exi
from benchmarks.exi_samples import own_streams


@pytest.mark.parametrize("schema", codec.SCHEMAS)
def test_broken_streams_give_a_message_or_the_documented_error(schema: str) -> None:
    corpus = [stream for stream in own_streams(1, per_side=15, schemas=(schema,))]
    assert {fragment for _, fragment, _ in corpus} == {False, True}
    # No time limit here: a loaded machine is no finding.
    chunk = fuzz_exi.run_chunk(0, 1, 300, corpus, limit_ms=float("inf"))
    assert chunk.failures == []
    assert chunk.outcomes["refused"] > 30
    assert sum(count for outcome, count in chunk.outcomes.items() if outcome.startswith("read")) > 30


def test_a_number_too_long_to_print_is_refused() -> None:
    """Found by the fuzzer: the length of a string was so long that the error's text could not be made."""
    message = b"\x80\x00" + b"\xff" * 3000
    for schema in codec.SCHEMAS:
        for shift in range(8):
            value = int.from_bytes(message, "big") << shift
            stream = b"\x80" + value.to_bytes(len(message) + 1, "big")[2:]
            for fragment in (False, True):
                with pytest.raises(codec.DecodeError):
                    codec.decode(schema, stream, fragment)


def test_mutations_of_a_chunk_are_always_the_same() -> None:
    corpus = own_streams(3, per_side=2)
    first = [fuzz_exi.mutated(random.Random("7/0"), corpus) for _ in range(2)]
    assert first[0] == first[1]
    assert own_streams(3, per_side=2) == corpus
