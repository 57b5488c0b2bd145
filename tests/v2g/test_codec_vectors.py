"""The codec against the oracle corpus (EXIficient): exact both ways, deviations and broken streams
included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.v2g import codec
from tests.shared import shared_dir

SHARED = shared_dir()
pytestmark = pytest.mark.skipif(
    SHARED is None or not (SHARED / "vectors").is_dir(), reason="no shared vectors (set PLUGBENCH_SHARED)"
)
# The sets of Amendment 1 have no vectors there.
SETS = tuple(name for name in codec.SCHEMAS if not name.startswith("iso20-ac-der-"))


def rows(name: str) -> Iterator[dict[str, Any]]:
    assert SHARED is not None
    with (SHARED / "vectors" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@pytest.mark.parametrize("schema", SETS)
def test_every_vector_encodes_exactly(schema: str) -> None:
    wrong = []
    for row in rows(schema):
        fragment = row["kind"] == "fragment"
        message = codec.from_xml(schema, row["xml"], fragment)
        ours = codec.encode(message, schema, fragment).hex()
        as_oracle = codec.encode(message, schema, fragment, empty_as_end=True).hex()
        # The oracle writes an empty value as an undeclared end; the codec's default is a value of length
        # zero.
        if ours != row.get("exi_alt", row["exi"]) or as_oracle != row["exi"]:
            wrong.append(row["id"])
    assert not wrong


@pytest.mark.parametrize("schema", SETS)
def test_every_legal_variant_decodes_to_the_same_message(schema: str) -> None:
    wrong = []
    for row in rows(schema):
        fragment = row["kind"] == "fragment"
        message = codec.from_xml(schema, row["xml"], fragment)
        for key in ("exi", "exi_alt", "exi_strtab", "exi_josev_jar"):
            if key in row and codec.decode(schema, bytes.fromhex(row[key]), fragment) != message:
                wrong.append((row["id"], key))
        if codec.from_xml(schema, codec.to_xml(message, schema), fragment) != message:
            wrong.append((row["id"], "xml"))
        json.loads(codec.to_json(message))
        json.dumps(codec.to_dict(message))
    assert not wrong


@pytest.mark.parametrize(
    ("schema", "least"),
    [
        ("din", 500),
        ("iso2", 500),
        ("iso20-common", 450),
        ("iso20-ac", 250),
        ("iso20-dc", 250),
        ("iso20-acdp", 100),
        ("iso20-wpt", 200),
    ],
)
def test_compiled_and_general_way_agree(schema: str, least: int) -> None:
    """What the compiled codec does at all, it does as the general reader and writer do."""
    known = codec._set(schema)
    done = 0
    for row in rows(schema):
        data, fragment = bytes.fromhex(row["exi"]), row["kind"] == "fragment"
        general = codec._decode_any(known, data, fragment, [])
        try:
            fast, _ = known.plan.decode(data, fragment)
        except codec.NotPlain:
            continue
        assert fast == general, row["id"]
        done += 1
    assert done >= least


def test_deviations_are_encoded_as_the_oracle_does_and_refused_otherwise() -> None:
    normalised = {"dev-bool-1", "dev-enum-with-whitespace", "dev-int-leading-plus-zeros"}
    for row in rows("deviations"):
        message = codec.from_xml(row["schema"], row["xml"])
        assert codec.encode(message, row["schema"], deviations=True).hex() == row["exi"], row["id"]
        assert codec.decode(row["schema"], bytes.fromhex(row["exi"])) == message, row["id"]
        if row["id"] in normalised:
            assert codec.encode(message, row["schema"]).hex() == row["exi"]
        else:
            with pytest.raises(codec.ValidationError):
                codec.encode(message, row["schema"])


def test_broken_streams_are_refused_or_read_as_the_oracle_reads_them() -> None:
    for row in rows("invalid"):
        data, fragment = bytes.fromhex(row["exi"]), row["kind"] == "fragment"
        try:
            message = codec.decode(row["schema"], data, fragment)
        except codec.DecodeError as exc:
            # The oracle answers some hopeless streams with an empty document, and guesses where options are
            # announced.
            assert "exificient_error" in row or "note" in row or "header=a0" in row["mutation"], (
                row["id"],
                exc,
            )
            continue
        assert "exificient_xml" in row, row["id"]
        if row.get("reencodes_same"):
            again = codec.encode(message, row["schema"], fragment, deviations=True, empty_as_end=True)
            assert again == data, row["id"]
