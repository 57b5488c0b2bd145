"""Every capture of real cars and chargers, message by message, against what tshark with dsV2Gshark decodes.

Nothing is left out: names, message sets, EXI bytes, addresses, times and frame numbers of V2G and SDP; frame
numbers, addresses and names of HomePlug messages. Where the two differ, a rule says why.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from capture_lab import secrets, written

from bench.capture.decode import Decoder, decode, run
from bench.capture.files import open_capture
from bench.capture.items import NAMESPACES, Item
from bench.capture.keylog import KeyLog
from bench.v2g import codec
from tests.shared import shared_dir

SHARED = shared_dir()
CAPTURES = (SHARED / "captures") if SHARED else Path("absent")


def rows() -> list[dict[str, str]]:
    index = CAPTURES / "index.csv"
    return list(csv.DictReader(index.read_text("utf-8").splitlines())) if index.is_file() else []


ROWS = rows()
needs_captures = pytest.mark.skipif(not ROWS, reason="no shared captures beside the checkout")
NAMES = [row["file"] for row in ROWS]


class Read:
    """One capture, decoded."""

    def __init__(self, name: str, *, with_keys: bool = True) -> None:
        path = CAPTURES / name
        keys = CAPTURES / f"{name}.keylog"
        self.decoder = Decoder(KeyLog.parse(keys.read_bytes()) if with_keys and keys.is_file() else None)
        self.reader = open_capture(path)
        with self.reader:
            self.items: list[Item] = list(run(self.reader, self.decoder))
        truth = CAPTURES / f"{name}.truth.json.gz"
        self.truth: dict[str, Any] = json.loads(gzip.decompress(truth.read_bytes()))

    def layer(self, name: str) -> list[Item]:
        return [item for item in self.items if item.layer == name]


@cache
def read(name: str) -> Read:
    return Read(name)


def time_of(item: Item) -> str:
    return str(item.to_json()["t"])


@needs_captures
def test_there_is_something_to_compare() -> None:
    assert len(NAMES) == 49
    assert sum(len(read(name).truth["v2gtp"]) for name in NAMES) == 27_848


@pytest.mark.parametrize("name", NAMES)
def test_v2g_messages(name: str) -> None:
    """Frame, time, addresses, name, message set and EXI of each, none more and none less, in this order."""
    found = [
        (item.frame, time_of(item), item.src, item.dst, item.name, NAMESPACES.get(item.schema), item.exi,
         f"0x{item.payload_type:04x}", item.tls)
        for item in read(name).layer("v2g")
    ]  # fmt: skip
    expected = [
        (each["frame"], each["t"], each["src"], each["dst"], each["name"],
         each["schema"].removeprefix("Automatically detected (").rstrip(")"), each["exi"],
         each["payload_type"], each.get("tls", False))
        for each in read(name).truth["v2gtp"]
        if "exi" in each
    ]  # fmt: skip
    assert found == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_message_is_read_whole_and_writes_the_same_bytes(name: str) -> None:
    """The typed message holds everything: encoded again it gives the captured stream.

    Rule for the exceptions: where the codec tolerated something (a finding), the bytes are not those that it
    would write itself; there has to be a finding then.
    """
    for item in read(name).layer("v2g"):
        assert item.message is not None
        if codec.encode(item.message, item.schema, deviations=True) != item.payload:
            assert item.findings, (item.frame, item.name)


@pytest.mark.parametrize("name", NAMES)
def test_a_message_set_is_inferred_only_where_no_negotiation_was_captured(name: str) -> None:
    """dsV2Gshark says "Automatically detected" for the whole file; here it is said for the connection.

    Rule: a message whose connection has no supportedAppProtocolRes in the capture is inferred, no other.
    """
    negotiated = {item.connection for item in read(name).items if item.name == "supportedAppProtocolRes"}
    for item in read(name).layer("v2g"):
        if item.schema in ("din", "iso2"):
            assert item.inferred == (item.connection not in negotiated), item.frame
    automatic = [each for each in read(name).truth["v2gtp"] if "Automatically" in each.get("schema", "")]
    by_frame = {item.frame: item for item in read(name).layer("v2g")}
    assert all(by_frame[each["frame"]].inferred for each in automatic)


@pytest.mark.parametrize("name", NAMES)
def test_sdp(name: str) -> None:
    found = []
    for item in read(name).layer("sdp"):
        fields = item.fields
        kind = "req" if item.name == "SDPReq" else "res"
        shown = {
            f"v2gsdp-{kind}.security": f"0x{fields['security']:02x}",
            f"v2gsdp-{kind}.transportprotocol": f"0x{fields['transport']:02x}",
        }
        if kind == "res":
            shown |= {"v2gsdp-res.ipv6": fields["address"], "v2gsdp-res.port": str(fields["port"])}
        found.append((item.frame, time_of(item), item.src, item.dst, f"0x{item.payload_type:04x}", shown))
    expected = [
        (each["frame"], each["t"], each["src"], each["dst"], each["payload_type"], each["sdp"])
        for each in read(name).truth["v2gtp"]
        if "sdp" in each
    ]
    assert found == expected


def homeplug_name(info: str, mmtype: str, item: Item) -> str:
    """What our name must be for tshark's text. Rules:

    - "NAME (long name)" is NAME; "Qualcomm Atheros, OP_ATTR.REQ (..)" is a vendor's MME: VS_ in front.
    - tshark writes "OUI:..." or "Unknown" for MMEs of vendors: here they are called by their MMTYPE.
    - "CP State Change" is dsV2Gshark's own reading of dSPACE's MME 0xA22E: here it is called by its MMTYPE.
    """
    short = info.partition(" (")[0]
    if short.startswith("Qualcomm Atheros, "):
        short = short.removeprefix("Qualcomm Atheros, ")
        short = short if short.startswith("Unknown") else f"VS_{short}"
    if short.startswith(("OUI:", "Unknown ")):
        return f"MME {mmtype or short.removeprefix('Unknown ')}"
    if short.startswith("CP State Change"):
        return "MME 0xa22e"
    return short


@pytest.mark.parametrize("name", NAMES)
def test_homeplug_messages(name: str) -> None:
    """Frame, sender and name of each.

    Rule for the one capture where the truth has none: it was made with a filter on the outer ether type, and
    that capture's HomePlug frames are 802.1Q-tagged; all of ours must be, and none anywhere else.
    """
    found = read(name).layer("slac")
    expected = read(name).truth["hpav"]
    tagged = [item for item in found if item.message.vlan is not None]
    if tagged:
        assert tagged == found
        assert expected == []
        return
    assert len(found) == len(expected)
    for item, each in zip(found, expected, strict=True):
        assert (item.frame, item.src) == (each["frame"], each["src"])
        assert item.name == homeplug_name(each["info"], each["mmtype"], item)


@needs_captures
def test_the_tagged_capture_has_a_whole_match_in_each_lane() -> None:
    [name] = [each for each in NAMES if "multi_EVSE" in each]
    found = Counter(item.name for item in read(name).layer("slac"))
    assert found["CM_MNBC_SOUND.IND"] == 20
    assert found["CM_SLAC_MATCH.CNF"] == 1


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_counts_and_broken_files_are_as_the_index_says(row: dict[str, str]) -> None:
    found = read(row["file"])
    assert found.decoder.packets == int(row["packets"]) == found.truth["packets"]
    assert len(found.layer("v2g")) == int(row["v2gtp_tcp"])
    assert len(found.layer("sdp")) == int(row["sdp"])
    assert bool(found.reader.problems) == ("truncated or corrupt" in row["note"])
    assert all(each.startswith("at byte ") for each in found.reader.problems)
    assert found.decoder.problems == []
    assert [item for item in found.items if item.problem] == []


@pytest.mark.parametrize("row", [row for row in ROWS if row["tls"] == "True"], ids=lambda row: row["file"])
def test_tls_with_the_secrets_disclosed_in_the_capture(row: dict[str, str]) -> None:
    """The test system that made these captures sends them in UDP packets."""
    assert Read(row["file"], with_keys=False).items == read(row["file"]).items


@pytest.mark.parametrize("row", [row for row in ROWS if row["tls"] == "True"], ids=lambda row: row["file"])
def test_tls_without_keys_says_so(row: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyLog, "disclosed", lambda log, payload: False)
    found = Read(row["file"], with_keys=False)
    names = [item.name for item in found.layer("tls")]
    assert {"ClientHello", "ServerHello"} <= set(names)
    assert any("no secrets" in item.problem for item in found.layer("tls"))
    assert found.layer("v2g") == []
    assert len(found.layer("slac")) == len(read(row["file"]).layer("slac"))


@needs_captures
def test_tls_with_keys_shows_the_handshake_too() -> None:
    name = next(row["file"] for row in ROWS if row["tls"] == "True")
    names = [item.name for item in read(name).layer("tls")]
    assert names.index("ClientHello") < names.index("ServerHello") < names.index("Certificate")


@pytest.mark.parametrize("name", ["din_dc_eim", "iso2_dc_pnc_tls", "iso20_dc_dynamic_tls13"])
@needs_captures
def test_sessions_of_another_stack(name: str) -> None:
    """Josev against Josev: a whole session in each, with the keys where it is TLS.

    The last capture was stopped before the SessionStopRes: its last packet but one is the request.
    """
    folder = CAPTURES / "josev"
    keys = folder / f"{name}.keylog"
    decoder = Decoder(KeyLog.parse(keys.read_bytes()) if keys.is_file() else None)
    with open_capture(folder / f"{name}.pcap") as reader:
        items = list(run(reader, decoder))
    messages = [item for item in items if item.layer == "v2g"]
    assert [item for item in items if item.problem] == []
    assert messages[0].name == "supportedAppProtocolReq"
    assert messages[-1].name == ("SessionStopReq" if "iso20" in name else "SessionStopRes")
    for request, response in zip(messages[::2], messages[1::2], strict=False):
        assert (request.name[-3:], response.name) == ("Req", request.name[:-3] + "Res")
        assert (request.src, request.dst) == (response.dst, response.src)


@pytest.mark.parametrize("name", [row["file"] for row in ROWS if row["tls"] == "True"])
@pytest.mark.parametrize("where", ["in front", "behind"])
def test_secrets_inside_the_file_decrypt_it_wherever_they_stand(
    name: str, where: str, tmp_path: Path
) -> None:
    data = (CAPTURES / name).read_bytes()
    keys = secrets((CAPTURES / f"{name}.keylog").read_bytes())
    head = int.from_bytes(data[4:8], "little")  # the section header block
    whole = data[:head] + keys + data[head:] if where == "in front" else data + keys
    found = [item for item in decode(written(tmp_path, whole)) if item.layer == "v2g"]
    assert found == read(name).layer("v2g")
