"""Schemas, payloads, recorder, registries, hash data, behaviours, scripts: the parts of the CSMS by
themselves."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from bench.csms import behaviour as b
from bench.csms import schemas, show
from bench.csms import script as script_module
from bench.csms.contracts import Contracts, Tokens
from bench.csms.hashdata import hash_data, issuer_of, ocsp_request_data, same
from bench.csms.ocsp_status import certificate_status
from bench.csms.payload import Payload
from bench.csms.record import MAX_RAW_CHARACTERS, Recorder, RecordError
from bench.csms.script import ScriptError
from bench.csms.security import check_basic_auth
from bench.csms.server import Csms
from bench.pki import Pki
from bench.pki.ocsp import read_response
from bench.timeline import Timeline


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def nothing(*_: object) -> None:
    pass


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_every_schema_compiles(version: str) -> None:
    assert len(schemas.actions(version)) > 20
    for action in schemas.actions(version):
        schemas.check(version, action, {})
        schemas.check(version, action, {}, response=True)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "OccurrenceConstraintViolation"),
        ({"idToken": {"idToken": "1", "type": "Nonsense"}}, "PropertyConstraintViolation"),
        ({"idToken": {"idToken": "1" * 37, "type": "eMAID"}}, "PropertyConstraintViolation"),
        ({"idToken": 5}, "TypeConstraintViolation"),
        ({"idToken": {"idToken": "1", "type": "eMAID"}, "x": 1}, "FormatViolation"),
    ],
)
def test_violations(payload: dict[str, object], code: str) -> None:
    found = schemas.check("2.0.1", "Authorize", payload)
    assert found is not None
    assert found.code == code


def test_date_times_are_checked() -> None:
    status = {"timestamp": "2026-01-01 10:00", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
    assert schemas.check("2.0.1", "StatusNotification", status) is not None
    status["timestamp"] = "2026-01-01T10:00:00Z"
    assert schemas.check("2.0.1", "StatusNotification", status) is None


@pytest.mark.parametrize("action", ["Nonsense", "../Authorize", ""])
def test_unknown_action(action: str) -> None:
    with pytest.raises(schemas.UnknownActionError):
        schemas.check("2.0.1", action, {})


def test_odd_json_values_do_not_break_the_validator() -> None:
    for value in (10**30, "\ud800", -1e308):
        schemas.check("2.0.1", "Authorize", {"idToken": {"idToken": value, "type": "eMAID"}})


def test_payload() -> None:
    found = Payload({"idToken": {"type": "eMAID"}, "list": [{"a": 1}]}, ocpp_action="Authorize", t_ns=5)
    assert found.idToken.type == "eMAID"
    assert found.idToken.nothing is None
    assert found.nothing is None
    assert found.list[0].a == 1
    assert found["idToken"] == {"type": "eMAID"}
    assert "list" in found
    assert dict(found) == {"idToken": {"type": "eMAID"}, "list": [{"a": 1}]}
    assert found.get("nothing") is None
    assert bool(Payload({}))


def test_recorder(tmp_path: Path) -> None:
    timeline, path = Timeline(), tmp_path / "ocpp.jsonl"
    recorder = Recorder(timeline, path)
    recorder.link("connected", "CS01", 1, None, 0)
    odd = '[2,"1","\u2028Ä\ud800",{}]'
    for raw in (odd, "x" * (MAX_RAW_CHARACTERS + 1)):
        recorder.frame("rx", "CS01", 1, raw, t_ns=7, kind="?", action="?", frame_id=None, payload=None)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert [line["dir"] for line in lines] == ["open", "rx", "rx"]
    assert lines[1]["mono_ns"] == 7
    assert lines[1]["raw"] == odd
    assert len(lines[2]["raw"]) == MAX_RAW_CHARACTERS
    assert "cut" in lines[2]["problem"]
    recorder.close()
    recorder.link("closed", "CS01", 1, "end", 0)
    assert [e.name for e in timeline.since() if e.kind == "ocpp-link"] == ["connected", "closed"]
    with pytest.raises(RecordError):
        Recorder(timeline, tmp_path / "none" / "x.jsonl")


def test_registries(pki: Pki) -> None:
    contracts = Contracts(pki.revocations, nothing)
    assert contracts.status("DE-PBX-C1") == ("Unknown", None)
    contracts.accept("DE-PBX-C1")
    assert contracts.status("depbxc1") == ("Accepted", None)
    contracts.cancel("DEPBXC1")
    assert contracts.status("DEPBXC1") == ("Invalid", "ContractCancelled")
    contracts.forget("DEPBXC1")
    assert contracts.status("DEPBXC1") == ("Unknown", None)
    contracts.revoke("DEPBXC1", pki.contract.certificate)
    assert pki.revocations.is_revoked(pki.contract.certificate)
    contracts.reset()
    assert not pki.revocations.is_revoked(pki.contract.certificate)
    assert contracts.status("DEPBXC1") == ("Accepted", None)
    tokens = Tokens(nothing)
    tokens.accept("aB")
    assert tokens.status("Ab") == "Accepted"
    tokens.block("AB", "NoCredit")
    assert tokens.status("ab") == "NoCredit"
    tokens.reset()
    assert tokens.status("ab") == "Accepted"


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_hash_data_is_that_of_ocsp(pki: Pki, algorithm: str) -> None:
    leaf, issuer = pki.contract.chain[0], pki.contract.chain[1]
    kind = {"SHA256": hashes.SHA256, "SHA384": hashes.SHA384, "SHA512": hashes.SHA512}[algorithm]
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, kind()).build()
    found = hash_data(leaf, issuer, algorithm)
    assert found["issuerNameHash"] == request.issuer_name_hash.hex()
    assert found["issuerKeyHash"] == request.issuer_key_hash.hex()
    assert int(found["serialNumber"], 16) == request.serial_number
    assert same(found, {**found, "serialNumber": "00" + found["serialNumber"].upper()})
    assert issuer_of(found, [each.certificate for each in pki.issuers()]) == issuer


def test_certificate_status_is_a_real_ocsp_answer(pki: Pki) -> None:
    leaf, issuer = pki.contract.chain[0], pki.contract.chain[1]
    payload = {"ocspRequestData": ocsp_request_data(leaf, issuer)}
    assert schemas.check("2.0.1", "GetCertificateStatus", payload) is None
    answer = certificate_status(payload, pki)
    assert schemas.check("2.0.1", "GetCertificateStatus", answer, response=True) is None
    assert read_response(base64.b64decode(answer["ocspResult"]), leaf, issuer).status == "good"
    pki.revocations.revoke(leaf)
    answer = certificate_status(payload, pki)
    pki.revocations.reinstate(leaf)
    assert read_response(base64.b64decode(answer["ocspResult"]), leaf, issuer).status == "revoked"
    for bad in ({"hashAlgorithm": "SHA256"}, {**payload["ocspRequestData"], "serialNumber": "zz"}, {}):
        assert certificate_status({"ocspRequestData": bad}, pki)["status"] == "Failed"
    assert certificate_status(payload, None)["status"] == "Failed"


def test_behaviours_queue_and_end() -> None:
    table = b.Behaviours()
    assert table.take("A") == b.Behaviour()
    table.set("A", b.Drop())
    table.set("A", b.Error("X"), times=2)
    table.set("A", b.Delay(1), times=1)
    assert [table.take("A") for _ in range(5)] == [b.Error("X"), b.Error("X"), b.Delay(1), b.Drop(), b.Drop()]
    table.set("A", b.Reject())
    assert table.take("A") == b.Reject()
    table.clear()
    assert table.take("A") == b.Behaviour()
    with pytest.raises(ValueError, match="at least 1"):
        table.set("A", b.Drop(), times=0)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (None, "no basic"),
        ("Bearer x", "scheme"),
        ("Basic %%%", "base64"),
        ("Basic " + base64.b64encode(b"CS01").decode(), "colon"),
        ("Basic " + base64.b64encode(b"CS02:secret").decode(), "user name"),
        ("Basic " + base64.b64encode(b"CS01:wrong").decode(), "wrong password"),
        ("Basic " + base64.b64encode(b"CS01:\xff\xfe").decode(), "wrong password"),
    ],
)
def test_basic_auth(header: str | None, problem: str) -> None:
    assert problem in str(check_basic_auth(header, "CS01", b"secret"))


def test_basic_auth_with_binary_password() -> None:
    assert (
        check_basic_auth("basic " + base64.b64encode(b"CS01:\xff:\x00").decode(), "CS01", b"\xff:\x00")
        is None
    )


SCRIPT = """
[contracts]
accept = ["DEPBXC1"]
block = ["DEPBXC2"]
[tokens]
accept = ["CARD"]
[provisioning]
mood = "slow"
delay_s = 2.5
[[on]]
action = "Authorize"
do = "reject"
status = "Blocked"
times = 2
[[on]]
action = "Heartbeat"
do = "answer"
payload = {currentTime = "x"}
merge = true
"""


def test_script(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SCRIPT)
    csms = Csms(Timeline())
    script_module.apply(script_module.load(path), csms)
    assert csms.contracts.status("DEPBXC2")[0] == "Blocked"
    assert csms.tokens.status("CARD") == "Accepted"
    assert csms.provisioning.delay_s == 2.5
    assert [csms.behaviours.take("Authorize") for _ in range(3)] == [b.Reject("Blocked")] * 2 + [
        b.Behaviour()
    ]
    assert csms.behaviours.take("Heartbeat") == b.Answer({"currentTime": "x"}, merge=True)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        "[[on]]\naction = 'Nonsense'\ndo = 'drop'",
        "[[on]]\naction = 'Authorize'\ndo = 'dance'",
        "[[on]]\naction = 'Authorize'\ndo = 'delay'",
        "[[on]]\naction = 'Authorize'\ndo = 'delay'\ndelay_s = -1",
        "[[on]]\naction = 'Authorize'\ndo = 'drop'\ntimes = 0",
        "[[on]]\naction = 'Authorize'\ndo = 'drop'\nspeed = 1",
        "on = 5",
        "[tokens]\nlove = ['x']",
        "[tokens]\naccept = 'x'",
        "[provisioning]\nmood = 'angry'",
        "not toml",
    ],
)
def test_bad_scripts_are_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(ScriptError) as caught:
        script_module.apply(script_module.load(path), Csms(Timeline()))
    assert "\n" not in str(caught.value)


def test_shown_lines_cannot_steer_the_terminal() -> None:
    timeline = Timeline()
    Recorder(timeline).frame(
        "rx",
        "CS\x1b[2J",
        1,
        "\x1b]0;x",
        t_ns=0,
        kind="?",
        action="\r\n",
        frame_id=None,
        payload=None,
        problem="p",
    )
    text = show.line(timeline.since()[-1], 0)
    assert text is not None
    assert text.isprintable()
    assert show.line(timeline.since()[0], 0) is None
