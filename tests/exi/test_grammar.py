"""Event codes of the message sets against the oracle's dumps, and against figures of facts/exi.md."""

from __future__ import annotations

import re

import pytest

from bench.exi.grammar import RELAXED, Grammars
from bench.v2g.messages import din, iso2, sap, xmldsig
from bench.v2g.messages.iso20 import ac, acdp, common, dc, wpt
from tests.shared import shared_dir

SETS = {
    "sap": sap.SET,
    "din": din.SET,
    "iso2": iso2.SET,
    "iso20-common": common.SET,
    "iso20-ac": ac.SET,
    "iso20-dc": dc.SET,
    "iso20-acdp": acdp.SET,
    "iso20-wpt": wpt.SET,
    "xmldsig": xmldsig.SET,
}


@pytest.mark.parametrize(
    ("name", "document", "fragment"),
    [
        ("sap", 3, 11),
        ("xmldsig", 25, 47),
        ("iso20-acdp", 35, 131),
        ("iso20-wpt", 39, 195),
        ("iso20-ac", 43, 156),
        ("iso20-dc", 49, 151),
        ("iso20-common", 55, 283),
        ("iso2", 81, 245),
        ("din", 82, 247),
    ],
)
def test_number_of_root_events(name: str, document: int, fragment: int) -> None:
    grammars = Grammars(SETS[name])
    assert len(grammars.document) + 1 == document
    assert len(grammars.fragment) + 2 == fragment


def test_only_emaid_is_relaxed() -> None:
    for name, message_set in SETS.items():
        relaxed = [d.name for d in Grammars(message_set).fragment if d.type is RELAXED]
        assert relaxed == (["eMAID"] if name == "iso2" else [])


def test_abstract_heads_occupy_codes() -> None:
    grammars = Grammars(iso2.SET)
    names = [c.__name__ for c in grammars.substitutes(iso2.BodyElement)]
    assert names.index("ChargingStatusReq") == 11
    assert "BodyElement" in names


@pytest.mark.parametrize("name", SETS)
def test_names_and_codes_match_the_dump(name: str) -> None:
    shared = shared_dir()
    path = shared / "vectors" / "grammar" / f"dump_{name}.txt" if shared is not None else None
    if path is None or not path.is_file():
        pytest.skip("no shared vectors (set PLUGBENCH_SHARED)")
    dump = path.read_text(encoding="utf-8")
    tables, rest = dump.split("document content")
    document, fragment = rest.split("fragment content")
    expected: dict[str, list[str]] = {}
    for line in tables.splitlines():
        found = re.match(r"uri \d+ (\S*) ?qnames", line)
        if found:
            current = expected.setdefault(found.group(1), [])
        else:
            current.append(line.strip().removesuffix(" [global]"))
    grammars = Grammars(SETS[name])
    assert grammars.uris == list(expected)
    assert grammars.local_names == expected
    for part, ours in ((document, grammars.document), (fragment, grammars.fragment)):
        theirs = re.findall(r"START_ELEMENT\((?:\{(.*?)\})?(\w+)\)", part)
        assert [(d.uri, d.name) for d in ours] == theirs
