"""The codec against EXIficient on messages made at random, and its XML against the schemas.

Beyond the corpus of the shared folder: messages that nobody has seen, both ways, documents and fragments.
Known differences of EXIficient from the codec's default, each by its rule:

- an empty value: EXIficient ends the element by an undeclared event, the codec writes a value of length zero;
  compared with ``empty_as_end=True``, and both are given to EXIficient to read
- spaces at the ends of text: EXIficient drops text of nothing else, and those around an anyURI (XML Schema
  collapses them), where the codec keeps what was sent; no such text is made here
- an element that no schema declares: the codec writes it with xsi:type, as Josev does; the other form is read
  too
- the jar takes large array bounds for unbounded, which shows in arrays that are full only; none is made here
"""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exificient import SCHEMA_FILES, Oracle, RefusedError, copy_schemas, why_not
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from bench.exi.declare import Named, RecordMeta
from bench.v2g import codec
from tests.shared import shared_dir
from tests.v2g.strategies import messages, records, values

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=why_not() or ""),
]
EXAMPLES = int(os.environ.get("PLUGBENCH_EXAMPLES", "100"))
SEED = int(os.environ.get("PLUGBENCH_SEED", "15118"))
PLAIN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("josev") / "schemas"
    copy_schemas(target)
    return target


@pytest.fixture(scope="module", params=list(SCHEMA_FILES))
def schema(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def oracle(schema: str, schemas: Path) -> Iterator[Oracle]:
    with Oracle(schemas / SCHEMA_FILES[schema]) as found:
        yield found


@st.composite
def fragments(draw: st.DrawFn, schema: str) -> Any:
    """Any element of a set as a fragment, with a valid value of its type."""
    known = codec._set(schema).grammars
    declared = [d for d in known.fragment if not (isinstance(d.type, RecordMeta) and d.type._abstract)]
    chosen = draw(st.sampled_from(declared))
    candidates = [d.type for d in known.candidates((chosen.uri, chosen.name))]
    # An element of two types has the relaxed grammar, in which every value is text.
    kind = draw(st.sampled_from([k for k in candidates if not (isinstance(k, RecordMeta) and k._abstract)]))
    value = draw(records(kind, schema) if isinstance(kind, RecordMeta) else values(kind))
    return Named(chosen.name, value, chosen.uri)


XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def canonical(xml: str) -> str:
    """Canonical XML, without the xsi:type that the encoder gives to what no schema declares."""
    root = ET.fromstring(xml)
    for element in root.iter():
        if element.get(XSI_TYPE, "").endswith(":anyType"):
            del element.attrib[XSI_TYPE]
    return ET.canonicalize(ET.tostring(root, "unicode"), rewrite_prefixes=True)


def agree(oracle: Oracle, schema: str, message: Any, fragment: bool) -> None:
    """The same bytes from the same XML, and the same XML from the same bytes."""
    xml = codec.to_xml(message, schema)
    assume(not re.search("> | <", xml))
    ended = codec.encode(message, schema, fragment, empty_as_end=True)
    assert oracle.encode(xml, fragment).hex() == ended.hex()
    for exi in {ended, codec.encode(message, schema, fragment)}:
        read = oracle.decode(exi, fragment)
        assert canonical(read) == canonical(xml)
    learned = oracle.encode(xml, fragment, learning=True)
    for exi in {ended, learned}:
        assert codec.to_xml(codec.decode(schema, exi, fragment), schema) == xml


@pytest.mark.parametrize("kind", ["document", "fragment"])
def test_random_messages_are_read_and_written_as_exificient_does(
    oracle: Oracle, schema: str, kind: str
) -> None:
    made = messages(schema) if kind == "document" else fragments(schema)

    @seed(SEED)
    @PLAIN
    @given(made)
    def check(message: Any) -> None:
        agree(oracle, schema, message, kind == "fragment")

    check()


def typed(xml: str, schema: str) -> str:
    """The XML with xsi:type at its root where that is no global element, so that it can be validated."""
    known = codec._set(schema).grammars
    root = ET.fromstring(xml)
    uri, _, name = root.tag[1:].rpartition("}") if root.tag.startswith("{") else ("", "", root.tag)
    if (uri, name) in known.globals:
        return xml
    kinds = [d.type for d in known.candidates((uri, name))]
    names = [qname for qname, kind in known.types.items() if kinds and kind is kinds[0]]
    if len(kinds) != 1 or not names:
        return xml
    space, local = names[0]
    extra = (
        f' xmlns:root="{space}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="root:{local}"'
    )
    return re.sub(r"^(<[^\s/>]+)", lambda m: m[1] + extra, xml.replace("xmlns:xsi=", "xmlns:again="), count=1)


def problem(oracle: Oracle, xml: str) -> str | None:
    try:
        oracle.validate(xml)
    except RefusedError as refused:
        return str(refused)
    return None


def test_xml_of_every_vector_is_as_valid_as_its_source(oracle: Oracle, schema: str) -> None:
    shared = shared_dir()
    if shared is None or not (shared / "vectors").is_dir():
        pytest.skip("no shared vectors (set PLUGBENCH_SHARED)")
    valid, wrong = 0, []
    with (shared / "vectors" / f"{schema}.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            message = codec.from_xml(schema, row["xml"], row["kind"] == "fragment")
            found = problem(oracle, typed(codec.to_xml(message, schema), schema))
            valid += found is None
            # Some sources are not valid themselves: an IDREF to nothing, a length counted in UTF-16.
            if found is not None and problem(oracle, typed(row["xml"], schema)) is None:
                wrong.append((row["id"], found))
    assert not wrong
    assert valid > 0
