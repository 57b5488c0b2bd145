"""The mock CSMS over real connections: good clients, bad clients, no clients."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from bench.csms import (
    Answer,
    CallError,
    Csms,
    CsmsError,
    CsmsTimeout,
    Delay,
    Drop,
    Error,
    Malformed,
    NotConnected,
    Reject,
)
from bench.csms.handlers import conforming_201
from bench.csms.schemas import check
from bench.csms.security import load_credential
from bench.pki import Pki
from bench.timeline import Event, Timeline


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


@pytest.fixture
def csms(timeline: Timeline, pki: Pki) -> Iterator[Csms]:
    with Csms(timeline, pki) as backend:
        yield backend


def dial(csms: Csms, **more: Any) -> ClientConnection:
    return connect(csms.url + "/CS01", subprotocols=["ocpp2.0.1"], proxy=None, **more)  # type: ignore[list-item]


@pytest.fixture
def charger(csms: Csms) -> Iterator[ClientConnection]:
    with dial(csms) as socket_:
        yield socket_


def ask(charger: ClientConnection, action: str, payload: dict[str, Any], frame_id: str = "1") -> list[Any]:
    charger.send(json.dumps([2, frame_id, action, payload]))
    return list(json.loads(charger.recv(timeout=5)))


def links(timeline: Timeline, name: str) -> list[Event]:
    return [e for e in timeline.since() if e.kind == "ocpp-link" and e.name == name]


def frames(timeline: Timeline) -> list[Event]:
    return [e for e in timeline.since() if e.kind == "ocpp"]


STAMP = "2026-01-01T00:00:00Z"
CALLS: dict[str, dict[str, Any]] = {
    "Authorize": {"idToken": {"idToken": "X", "type": "ISO14443"}},
    "BootNotification": {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v"}},
    "ClearedChargingLimit": {"chargingLimitSource": "EMS"},
    "DataTransfer": {"vendorId": "x"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Get15118EVCertificate": {"iso15118SchemaVersion": "u", "action": "Install", "exiRequest": "gJgC"},
    "GetCertificateStatus": {
        "ocspRequestData": {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": "a",
            "issuerKeyHash": "b",
            "serialNumber": "c",
            "responderURL": "d",
        }
    },
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Idle"},
    "MeterValues": {"evseId": 1, "meterValue": [{"timestamp": STAMP, "sampledValue": [{"value": 1}]}]},
    "NotifyEvent": {
        "generatedAt": STAMP,
        "seqNo": 0,
        "eventData": [
            {
                "eventId": 1,
                "timestamp": STAMP,
                "trigger": "Alerting",
                "actualValue": "1",
                "eventNotificationType": "HardWiredNotification",
                "component": {"name": "x"},
                "variable": {"name": "y"},
            }
        ],
    },
    "NotifyReport": {"requestId": 1, "generatedAt": STAMP, "seqNo": 0},
    "SecurityEventNotification": {"type": "x", "timestamp": STAMP},
    "SignCertificate": {"csr": "rubbish"},
    "StatusNotification": {
        "timestamp": STAMP,
        "connectorStatus": "Available",
        "evseId": 1,
        "connectorId": 1,
    },
    "TransactionEvent": {
        "eventType": "Started",
        "timestamp": STAMP,
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "t"},
        "idToken": {"idToken": "X", "type": "eMAID"},
    },
}


def test_conforming_answers_fit_the_schema(charger: ClientConnection) -> None:
    for number, (action, payload) in enumerate(CALLS.items()):
        kind, frame_id, answer = ask(charger, action, payload, str(number))
        assert (kind, frame_id) == (3, str(number)), answer
        assert check("2.0.1", action, answer, response=True) is None
    assert set(CALLS) <= set(conforming_201())


def test_frames_are_recorded_raw_with_stamps(
    csms: Csms, charger: ClientConnection, timeline: Timeline
) -> None:
    raw = '[2, "1" ,"Heartbeat",\n{}]'
    charger.send(raw)
    charger.recv(timeout=5)
    received, sent = frames(timeline)
    assert (received.data["raw"], received.data["dir"], received.data["problem"]) == (raw, "rx", None)
    assert (sent.name, sent.data["type"], sent.data["id"]) == ("Heartbeat", "CALLRESULT", "1")
    assert received.t_ns < sent.t_ns
    assert csms.seen("Heartbeat")[0].t_ns == received.t_ns


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("{", "RpcFrameworkError"),
        ('[2,"9"]', "RpcFrameworkError"),
        ('[8,"9",{}]', "MessageTypeNotSupported"),
        ('[6,"9","X",{}]', "MessageTypeNotSupported"),
        ('[2,"9","Nonsense",{}]', "NotImplemented"),
        ('[2,"9","Reset",{"type":"Immediate"}]', "NotSupported"),
        ('[2,"9","Authorize",{}]', "OccurrenceConstraintViolation"),
        ('[2,"9\\ud800","Nonsense\\ud800",{}]', "NotImplemented"),
    ],
)
def test_bad_calls_get_callerror(charger: ClientConnection, timeline: Timeline, raw: str, code: str) -> None:
    charger.send(raw)
    answer = json.loads(charger.recv(timeout=5))
    assert (answer[0], answer[2]) == (4, code)
    assert ask(charger, "Heartbeat", {}, "after")[0] == 3


def test_binary_frames_and_stray_answers_are_noted(charger: ClientConnection, timeline: Timeline) -> None:
    charger.send(b"\xff\x00")
    assert json.loads(charger.recv(timeout=5))[2] == "RpcFrameworkError"
    charger.send('[3,"never-asked",{}]')
    charger.send("[3,")
    assert ask(charger, "Heartbeat", {})[1] == "1"
    problems = [e.data["problem"] for e in frames(timeline) if e.data["dir"] == "rx"]
    assert "binary" in problems[0]
    assert "no open call" in problems[1]
    assert "not JSON" in problems[2]


def test_pipelined_calls_and_reused_ids_are_noted(
    csms: Csms, charger: ClientConnection, timeline: Timeline
) -> None:
    csms.on("Heartbeat", Delay(0.05), times=1)
    charger.send('[2,"a","Heartbeat",{}]')
    charger.send('[2,"b","Heartbeat",{}]')
    assert {json.loads(charger.recv(timeout=5))[1] for _ in range(2)} == {"a", "b"}
    ask(charger, "Heartbeat", {}, "a")
    first, second, third = (each.problem for each in csms.seen("Heartbeat"))
    assert first is None
    assert "call a is unanswered" in str(second)
    assert "used before" in str(third)


def test_lenient(timeline: Timeline) -> None:
    with Csms(timeline, strict=False) as csms, dial(csms) as charger:
        assert ask(charger, "Heartbeat", {"extra": 1})[0] == 3
        assert csms.seen("Heartbeat")[0].problem is not None
        charger.send("{")
        assert ask(charger, "Heartbeat", {}, "2")[1] == "2"


def test_behaviours(csms: Csms, charger: ClientConnection) -> None:
    card = CALLS["Authorize"]
    csms.tokens.accept("X")
    csms.on("Authorize", Reject("Blocked"), times=1)
    assert ask(charger, "Authorize", card, "1")[2]["idTokenInfo"]["status"] == "Blocked"
    csms.on("Authorize", Error("SecurityError", "no"), times=1)
    assert ask(charger, "Authorize", card, "2")[:4] == [4, "2", "SecurityError", "no"]
    csms.on("Authorize", Malformed('[3,"{id}",{'), times=1)
    charger.send(json.dumps([2, "3", "Authorize", card]))
    assert charger.recv(timeout=5) == '[3,"3",{'
    csms.on("Authorize", Answer({"idTokenInfo": {"status": "NoCredit"}, "odd": True}), times=1)
    assert ask(charger, "Authorize", card, "4")[2]["odd"] is True
    csms.on("BootNotification", Answer({"status": "Pending"}, merge=True), times=1)
    assert ask(charger, "BootNotification", CALLS["BootNotification"], "5")[2]["interval"] == 300
    csms.on("Get15118EVCertificate", Reject(), times=1)
    assert ask(charger, "Get15118EVCertificate", CALLS["Get15118EVCertificate"], "6")[2]["status"] == "Failed"
    csms.on("Authorize", Drop())
    charger.send(json.dumps([2, "7", "Authorize", card]))
    assert ask(charger, "Heartbeat", {}, "8")[1] == "8"
    csms.reset_behaviour()
    assert json.loads(charger.recv(timeout=5))[:3] == [4, "7", "GenericError"]
    assert ask(charger, "Authorize", card, "9")[2] == {"idTokenInfo": {"status": "Accepted"}}
    csms.provisioning.down()
    assert ask(charger, "Get15118EVCertificate", CALLS["Get15118EVCertificate"], "10")[2] == "InternalError"
    assert all(each.problem is None for each in csms.seen("Authorize"))


def test_a_handler_that_fails_answers_internal_error(csms: Csms, charger: ClientConnection) -> None:
    def broken(*_: object) -> Any:
        raise KeyError("x")

    csms.handlers["Heartbeat"] = broken
    assert ask(charger, "Heartbeat", {})[2] == "InternalError"
    assert conforming_201()["Heartbeat"] is not broken  # no table is shared


def answering(charger: ClientConnection, answers: list[str]) -> threading.Thread:
    def run() -> None:
        for each in answers:
            frame_id = json.loads(charger.recv(timeout=5))[1]
            charger.send(each.replace("ID", frame_id))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_calls_to_the_charger(csms: Csms, charger: ClientConnection, timeline: Timeline) -> None:
    csms.wait_connected(5)
    thread = answering(
        charger,
        [
            '[3,"ID",{"status":"Accepted"}]',
            '[4,"ID","NotSupported","never",{}]',
            '[3,"ID",{"status":"Perhaps"}]',
        ],
    )
    assert csms.trigger("Heartbeat") == "Accepted"
    with pytest.raises(CallError) as caught:
        csms.call("ClearCache")
    assert (caught.value.code, caught.value.description) == ("NotSupported", "never")
    answer = csms.call("ClearCache")
    assert "status" in str(answer.problem)
    thread.join()
    with pytest.raises(CsmsTimeout):
        csms.call("ClearCache", timeout_s=0.05)


def test_call_fails_when_the_link_closes(csms: Csms) -> None:
    with pytest.raises(NotConnected):
        csms.call("ClearCache")
    with dial(csms) as charger:
        csms.wait_connected(5)
        closer = threading.Timer(0.1, charger.close)
        closer.start()
        with pytest.raises(NotConnected):
            csms.call("ClearCache", timeout_s=5)
        closer.join()


def test_waiting(csms: Csms, charger: ClientConnection) -> None:
    with pytest.raises(CsmsTimeout):
        csms.wait_for("Heartbeat", timeout_s=0.02)
    mark = csms.mark()
    ask(charger, "Heartbeat", {})
    assert csms.wait_for("Heartbeat", since=mark).ocpp_action == "Heartbeat"
    assert csms.seen("Heartbeat", since=csms.mark()) == []
    with pytest.raises(CsmsTimeout):
        csms.wait_for("Heartbeat", where=lambda p: p.x is not None, timeout_s=0.02)


def test_offline_refuses_and_keeps_the_port(csms: Csms, timeline: Timeline) -> None:
    port = csms.port
    with dial(csms) as charger:
        csms.wait_connected(5)
        csms.offline()
        assert not csms.connected
        with pytest.raises(ConnectionClosed):
            charger.recv(timeout=5)
    with pytest.raises(ConnectionRefusedError):
        dial(csms).__enter__()
    csms.offline()
    csms.online()
    csms.online()
    assert csms.port == port
    with dial(csms) as charger:
        csms.wait_connected(5)
        csms.drop_link()
        with pytest.raises(ConnectionClosed):
            charger.recv(timeout=5)
    reasons = [e.data["reason"] for e in links(timeline, "closed")]
    assert reasons == ["the CSMS went offline", "dropped by the CSMS"]


def test_port_in_use_is_one_line(csms: Csms) -> None:
    with pytest.raises(CsmsError) as caught:
        Csms(Timeline(), port=csms.port).start()
    assert "\n" not in str(caught.value)


def test_versions_and_profiles_that_cannot_be() -> None:
    for more in (
        {"ocpp": "1.6"},
        {"ocpp": "7"},
        {"security_profile": 1},
        {"security_profile": 2, "password": "x"},
    ):
        with pytest.raises(CsmsError):
            Csms(Timeline(), **more)  # type: ignore[arg-type]


def test_who_may_connect(timeline: Timeline) -> None:
    with Csms(timeline, security_profile=1, station_id="CS01", password="0123456789abcdef") as csms:
        for url, header in (
            ("/CS02", None),
            ("/", None),
            ("/CS01", None),
            ("/CS01", "Basic " + base64.b64encode(b"CS01:wrong").decode()),
        ):
            with pytest.raises(InvalidStatus):
                connect(
                    csms.url + url,
                    subprotocols=["ocpp2.0.1"],  # type: ignore[list-item]
                    proxy=None,
                    additional_headers={} if header is None else {"Authorization": header},
                ).__enter__()
        good = "Basic " + base64.b64encode(b"CS01:0123456789abcdef").decode()
        with pytest.raises(InvalidStatus):
            connect(
                csms.url + "/CS01",
                subprotocols=["ocpp1.6"],  # type: ignore[list-item]
                proxy=None,
                additional_headers={"Authorization": good},
            ).__enter__()
        with dial(csms, additional_headers={"Authorization": good}) as charger:
            assert ask(charger, "Heartbeat", {})[0] == 3
    assert [e.data["http_status"] for e in links(timeline, "handshake-failed")] == [404, 404, 401, 401, 400]


def tls(pki: Pki, *, root: bool = True, client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if root:
        context.load_verify_locations(cadata=pki.csms_root.certificate.public_bytes(Encoding.PEM).decode())
    if client:
        load_credential(context, pki.charger_tls.pem_chain(), pki.charger_tls.pem_key())
    return context


def test_mutual_tls_and_failed_handshakes(timeline: Timeline, pki: Pki) -> None:
    with Csms(timeline, pki, security_profile=3) as csms:
        with dial(csms, ssl=tls(pki, client=True)) as charger:
            assert ask(charger, "Heartbeat", {})[0] == 3
        with pytest.raises((WebSocketException, OSError, EOFError)):
            dial(csms, ssl=tls(pki)).__enter__()  # no client certificate
        with pytest.raises(ssl.SSLCertVerificationError):
            dial(csms, ssl=tls(pki, root=False)).__enter__()  # refuses ours
        old = tls(pki, client=True)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
        with dial(csms, ssl=old) as charger:
            assert ask(charger, "Heartbeat", {})[0] == 3
    (first, second) = links(timeline, "connected")
    assert pki.charger_tls.common_name in first.data["peer"]
    assert (first.data["tls"], second.data["tls"]) == ("TLSv1.3", "TLSv1.2")
    reasons = " ".join(e.data["reason"] for e in links(timeline, "handshake-failed"))
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in reasons
    assert "UNKNOWN_CA" in reasons


def test_hostile_clients_do_not_stop_the_others(csms: Csms, timeline: Timeline) -> None:
    with socket.create_connection((csms.host, csms.port)) as raw:
        raw.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        with socket.create_connection((csms.host, csms.port)), dial(csms) as good, dial(csms) as bad:
            bad.send('[2,"' + "x" * 300_000)
            with pytest.raises(ConnectionClosed):
                bad.recv(timeout=5)
            with dial(csms) as flood, pytest.raises(ConnectionClosed):
                for number in range(5000):
                    flood.send(f'[2,"{number}","Nonsense",{{}}]')
                while True:
                    flood.recv(timeout=5)
            assert ask(good, "Heartbeat", {})[0] == 3
    reasons = " ".join(str(e.data["reason"]) for e in links(timeline, "closed"))
    assert "flood" in reasons or "does not read" in reasons
    assert "1009" in reasons


def test_reset_answers_what_is_held_back(csms: Csms, charger: ClientConnection) -> None:
    csms.on("Heartbeat", Delay(3600.0))
    charger.send('[2,"1","Heartbeat",{}]')
    csms.wait_for("Heartbeat")
    csms.reset_behaviour()
    assert json.loads(charger.recv(timeout=5))[:2] == [3, "1"]
    payload = CALLS["Get15118EVCertificate"]
    assert ask(charger, "Get15118EVCertificate", payload, "2")[0] == 3
    assert csms.seen("Get15118EVCertificate")[0].action == "Install"


def test_too_many_links(csms: Csms) -> None:
    open_ = [dial(csms).__enter__() for _ in range(8)]
    with pytest.raises(InvalidStatus):
        dial(csms).__enter__()
    for each in open_:
        each.close()


def test_too_many_calls_at_once(csms: Csms, charger: ClientConnection) -> None:
    csms.on("Heartbeat", Delay(5.0))
    for number in range(33):
        charger.send(f'[2,"{number}","Heartbeat",{{}}]')
    assert json.loads(charger.recv(timeout=5))[:3] == [4, "32", "InternalError"]


def test_dropping_for_ever_takes_no_room(csms: Csms, charger: ClientConnection) -> None:
    csms.on("Authorize", Drop())
    for number in range(60):
        charger.send(json.dumps([2, f"d{number}", "Authorize", CALLS["Authorize"]]))
        assert ask(charger, "Heartbeat", {}, f"h{number}")[:2] == [3, f"h{number}"]
