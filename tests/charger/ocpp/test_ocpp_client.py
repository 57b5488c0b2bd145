"""The charger's OCPP client against the mock CSMS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from ocpp_station import Station

from bench.charger.backend import BackendUnavailable, IdToken
from bench.csms import Answer, CallError, Csms, Delay, Drop, Error, Malformed
from bench.csms.hashdata import hash_data
from bench.pki import Pki
from bench.pki.issue import issue_root
from bench.pki.profile import root as root_profile
from bench.timeline import Timeline

Make = Callable[..., Station]
CARD = IdToken("CARD-1", "ISO14443")
pytestmark = pytest.mark.usefixtures("clean")


def session(station: Station, token: IdToken = CARD) -> None:
    station.tell(station.client.plugged_in)
    station.tell(station.client.authorized, token)
    station.tell(station.client.charging_started)


def ended(payload: object) -> bool:
    return payload.eventType == "Ended"  # type: ignore[attr-defined]


def test_boot_status_heartbeat(csms: Csms, make_station: Make) -> None:
    csms.office.heartbeat_interval_s = 1
    station = make_station()
    assert csms.boot is not None
    assert csms.boot.chargingStation.serialNumber == "STUB-1"
    csms.wait_for("Heartbeat", timeout_s=3)
    assert station.charger.variables.number("OCPPCommCtrlr", "HeartbeatInterval") == 1
    station.charger.variables.put("OCPPCommCtrlr", "HeartbeatInterval", 300.0)


def test_boot_pending_then_accepted(csms: Csms, make_station: Make) -> None:
    csms.on("BootNotification", Answer({"status": "Pending", "interval": 1}, merge=True), times=1)
    station = make_station()
    assert len(csms.seen("BootNotification")) == 2
    assert station.client.online


def test_transaction_from_begin_to_end(csms: Csms, make_station: Make, pki: Pki) -> None:
    station = make_station()
    token = IdToken(pki.contract.emaid, "eMAID")
    assert station.authorize(pki.contract).accepted
    session(station, token)
    csms.wait_for("TransactionEvent", where=lambda p: p.triggerReason == "MeterValuePeriodic")
    station.tell(station.client.charging_suspended, "EV")
    station.tell(station.client.charging_stopped, "Local")
    station.tell(station.client.unplugged)
    csms.wait_for("TransactionEvent", where=ended)
    events = csms.seen("TransactionEvent")
    assert [each.seqNo for each in events] == list(range(len(events)))
    assert events[0].eventType == "Started"
    assert events[0].idToken.raw == {"idToken": pki.contract.emaid, "type": "eMAID"}
    assert events[0].meterValue[0].sampledValue[0].context == "Transaction.Begin"
    assert [e.transactionInfo.chargingState for e in events if e.triggerReason == "ChargingStateChanged"] == [
        "Charging",
        "SuspendedEV",
    ]
    last = events[-1]
    assert (last.triggerReason, last.transactionInfo.stoppedReason) == ("StopAuthorized", "Local")
    register = last.meterValue[0].sampledValue[0]
    assert (register.value, register.unitOfMeasure.unit, register.context) == (5000, "Wh", "Transaction.End")
    assert len({each.transactionInfo.transactionId for each in events}) == 1
    assert not any(each.offline for each in events)


@pytest.mark.parametrize("central", [False, True])
def test_authorize_contract(csms: Csms, make_station: Make, pki: Pki, central: bool) -> None:
    station = make_station()
    decision = station.authorize(pki.contract, central=central)
    assert (decision.status, decision.certificate_status) == ("Accepted", "Accepted")
    sent = csms.seen("Authorize")[-1]
    assert (sent.certificate is not None, sent.iso15118CertificateHashData is not None) == (
        central,
        not central,
    )
    assert sent.idToken.type == "eMAID"
    csms.contracts.revoke(pki.contract.emaid)
    decision = station.authorize(pki.contract, central=central)
    assert (decision.status, decision.certificate_status) == ("Invalid", "CertificateRevoked")
    csms.contracts.block(pki.contract.emaid)
    decision = station.authorize(pki.contract, central=central)
    assert (decision.status, decision.certificate_status) == ("Blocked", "ContractCancelled")
    csms.reset_behaviour()
    csms.contracts.revoke("X", cert=pki.contract.certificate)
    assert station.authorize(pki.contract, central=central).certificate_status == "CertificateRevoked"
    csms.reset_behaviour()
    assert station.authorize(pki.contract, central=central).accepted


@pytest.mark.parametrize(
    ("fault", "certificate_status", "status"),
    [
        ("expired", "CertificateExpired", "Expired"),
        ("wrong-key-usage", "CertChainError", "Invalid"),
        ("unknown-root", "NoCertificateAvailable", "Invalid"),
    ],
)
def test_central_validation_of_faulty_contracts(
    csms: Csms, make_station: Make, pki: Pki, fault: str, certificate_status: str, status: str
) -> None:
    station = make_station()
    contract = pki.faulty("contract", fault)
    csms.contracts.accept(contract.emaid)
    decision = station.authorize(contract, central=True)
    assert (decision.certificate_status, decision.status) == (certificate_status, status)


@pytest.mark.parametrize("how", [Error("InternalError"), Malformed(), Answer({"nonsense": 1}), Drop()])
def test_no_usable_answer(csms: Csms, make_station: Make, how: object) -> None:
    station = make_station(settings={"OCPPCommCtrlr.MessageTimeout": 0.3})
    csms.on("Authorize", how, times=1)  # type: ignore[arg-type]
    with pytest.raises(BackendUnavailable):
        station.do(station.client.authorize_token(CARD))
    assert station.do(station.client.authorize_token(CARD)).accepted  # the link survives
    assert csms.seen("BootNotification") == [csms.boot]


def test_late_answer_does_not_answer_the_next_call(csms: Csms, make_station: Make) -> None:
    station = make_station(settings={"OCPPCommCtrlr.MessageTimeout": 0.2})
    csms.tokens.block("CARD-2")
    csms.on("Authorize", Delay(0.3), times=1)
    with pytest.raises(BackendUnavailable):
        station.do(station.client.authorize_token(IdToken("CARD-2", "ISO14443")))
    assert station.do(station.client.authorize_token(CARD)).accepted
    # A call after the time-out is legal; the CSMS rightly notes that its first one was not answered yet.
    notes = [
        e for e in csms.timeline.since() if e.kind == "ocpp" and e.data["dir"] == "rx" and e.data["problem"]
    ]
    for each in notes:
        assert "unanswered" in each.data["problem"]
        each.data["problem"] = None


def test_a_caller_that_gives_up_does_not_free_the_line(csms: Csms, make_station: Make) -> None:
    station = make_station()
    csms.on("Authorize", Delay(0.4), times=1)

    async def impatient() -> None:
        async with asyncio.timeout(0.1):
            await station.client.authorize_token(CARD)

    with pytest.raises(TimeoutError):
        station.do(impatient())
    mark = csms.mark()
    csms.trigger("StatusNotification")
    late = csms.wait_for("StatusNotification", since=mark)
    assert late.t_ns - csms.seen("Authorize")[0].t_ns > 0.4e9


def test_offline_events_are_replayed(csms: Csms, make_station: Make, timeline: Timeline) -> None:
    station = make_station()
    assert station.do(station.client.authorize_token(CARD)).accepted
    session(station)
    csms.wait_for("TransactionEvent", where=lambda p: p.triggerReason == "MeterValuePeriodic")
    csms.offline()
    gone = datetime.now(UTC)
    with pytest.raises(BackendUnavailable):
        station.do(station.client.authorize_token(CARD))
    assert station.client.known_offline(CARD)
    assert not station.client.known_offline(IdToken("OTHER", "ISO14443"))
    assert station.client.transactions.active is not None  # connection loss does not end it
    station.tell(station.client.charging_stopped, "Local")
    stopped = datetime.now(UTC)
    csms.online()
    last = csms.wait_for("TransactionEvent", where=ended)
    assert last.offline is True
    stamp = datetime.fromisoformat(last.timestamp)
    assert gone - timedelta(milliseconds=2) <= stamp <= stopped
    events = csms.seen("TransactionEvent")
    assert sorted({each.seqNo for each in events}) == list(range(events[-1].seqNo + 1))
    assert events[0].offline is None
    assert len(csms.seen("BootNotification")) == 1  # part 4, 5.3


def test_back_off_doubles(csms: Csms, make_station: Make) -> None:
    station = make_station(settings={"OCPPCommCtrlr.RetryBackOffRandomRange": 0.0})
    waits = [station.client._back_off_s(failures) for failures in range(9)]
    assert waits == [0.2, 0.2, 0.4, 0.8, 1.6, 3.2, 3.2, 3.2, 3.2]


def test_remote_start_and_stop(csms: Csms, make_station: Make) -> None:
    station = make_station()
    answer = csms.request_start("CARD-1", "Central")
    assert answer.status == "Accepted"
    started = csms.wait_for("TransactionEvent")
    assert started.triggerReason == "RemoteStart"
    assert started.transactionInfo.remoteStartId == 1
    transaction = started.transactionInfo.transactionId
    assert answer.transactionId == transaction
    assert csms.request_start("CARD-1").status == "Rejected"
    assert csms.request_stop("another") == "Rejected"
    assert csms.request_stop(transaction) == "Accepted"
    last = csms.wait_for("TransactionEvent", where=ended)
    assert (last.triggerReason, last.transactionInfo.stoppedReason) == ("RemoteStop", "Remote")
    assert station.charger.commanded == ["start CARD-1", "stop"]


def test_deauthorized_by_transaction_event(csms: Csms, make_station: Make) -> None:
    station = make_station()
    csms.tokens.block("CARD-1")
    session(station)
    last = csms.wait_for("TransactionEvent", where=ended)
    assert (last.triggerReason, last.transactionInfo.stoppedReason) == ("Deauthorized", "DeAuthorized")


def test_reset_boots_again(csms: Csms, make_station: Make) -> None:
    station = make_station()
    assert csms.reset() == "Accepted"
    boot = csms.wait_for("BootNotification", where=lambda p: p.reason == "RemoteReset")
    assert boot.chargingStation.model == "Stub"
    assert station.charger.commanded == ["reset True"]


def test_variables(csms: Csms, make_station: Make) -> None:
    make_station()
    assert csms.get_variable("ISO15118Ctrlr", "PnCEnabled") == "true"
    assert csms.set_variable("ISO15118Ctrlr", "PnCEnabled", False) == "Accepted"
    assert csms.get_variable("iso15118ctrlr", "pncenabled") == "false"
    assert csms.set_variable("ISO15118Ctrlr", "PnCEnabled", "maybe") == "Rejected"
    assert csms.set_variable("ISO15118Ctrlr", "Nothing", 1) == "UnknownVariable"
    assert csms.set_variable("Nobody", "Nothing", 1) == "UnknownComponent"
    assert csms.set_variable("TxCtrlr", "TxStartPoint", "EVConnected") == "Rejected"
    assert csms.set_variable("SampledDataCtrlr", "TxUpdatedInterval", "nan") == "Rejected"
    assert csms.get_variable("SecurityCtrlr", "BasicAuthPassword") is None


def test_base_report(csms: Csms, make_station: Make) -> None:
    station = make_station()
    assert csms.call("GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"}).status == "Accepted"
    csms.wait_for("NotifyReport", where=lambda p: p.tbc is False)
    reported = [each for part in csms.seen("NotifyReport") for each in part.reportData]
    assert len(reported) == len(list(station.charger.variables))


@pytest.mark.parametrize(
    ("message", "action"),
    [
        ("Heartbeat", "Heartbeat"),
        ("StatusNotification", "StatusNotification"),
        ("MeterValues", "MeterValues"),
    ],
)
def test_trigger_message(csms: Csms, make_station: Make, message: str, action: str) -> None:
    make_station()
    mark = csms.mark()
    assert csms.trigger(message) == "Accepted"
    csms.wait_for(action, since=mark)
    assert csms.trigger("FirmwareStatusNotification") == "NotImplemented"
    assert csms.trigger("TransactionEvent") == "Rejected"


def test_unknown_and_bad_calls(csms: Csms, make_station: Make) -> None:
    make_station()
    for action, payload, code in (
        ("Nonsense", {}, "NotImplemented"),
        ("UnlockConnector", {"evseId": 1, "connectorId": 1}, "NotSupported"),
        ("Reset", {"type": 5}, "PropertyConstraintViolation"),
        ("Reset", {}, "OccurrenceConstraintViolation"),
    ):
        with pytest.raises(CallError) as caught:
            csms.call(action, payload)
        assert caught.value.code in (code, "TypeConstraintViolation")


def test_install_list_delete_roots(csms: Csms, make_station: Make, pki: Pki) -> None:
    station = make_station()
    foreign = pki.foreign.mo_root
    assert csms.install_certificate("MORoot", foreign.pem_chain()) == "Accepted"
    assert foreign.certificate in station.charger.store.roots("MORoot")
    listed = csms.installed_certificates(["MORoot"])
    assert len(listed) == 2
    wanted = hash_data(foreign.certificate, foreign.certificate)
    assert wanted in [each.certificateHashData.raw for each in listed]
    assert csms.delete_certificate(wanted) == "Accepted"
    assert csms.delete_certificate(wanted) == "NotFound"
    assert csms.installed_certificates(["ManufacturerRoot"]) == []
    (own,) = csms.installed_certificates(["V2GCertificateChain"])
    assert len(own.childCertificateHashData) == 2
    assert csms.delete_certificate(own.certificateHashData.raw) == "Failed"


def expired_root() -> bytes:
    """A self-signed root that ended yesterday."""
    from bench.pki.issue import build, new_key

    key = new_key()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    made = build(root_profile("MO"), "Old root", key.public_key(), None, key, faults={"not_after": yesterday})
    from cryptography.hazmat.primitives.serialization import Encoding

    return made.public_bytes(Encoding.PEM)


def test_unfit_roots_are_rejected(csms: Csms, make_station: Make, pki: Pki) -> None:
    station = make_station()
    before = station.charger.store.roots("MORoot")
    for pem in (expired_root(), pki.contract.pem_chain(), b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n"):
        assert csms.install_certificate("MORoot", pem) == "Rejected"
    two = issue_root("a", "A", "MO", root_profile("MO")).pem_chain() * 2
    assert csms.install_certificate("MORoot", two) == "Rejected"
    assert station.charger.store.roots("MORoot") == before


@pytest.mark.parametrize(
    ("message", "part"), [("SignV2GCertificate", "secc"), ("SignChargingStationCertificate", "client")]
)
def test_certificate_renewal(csms: Csms, make_station: Make, message: str, part: str) -> None:
    station = make_station()
    store = station.charger.store
    before = getattr(store, part)
    import threading

    changed = threading.Event()
    store.on_change.append(changed.set)
    assert csms.trigger(message) == "Accepted"
    assert changed.wait(5)
    after = getattr(store, part)
    assert after.chain[0].serial_number != before.chain[0].serial_number
    assert after.key_pem != before.key_pem


def test_unfit_signed_certificates_are_rejected(csms: Csms, make_station: Make, pki: Pki) -> None:
    station = make_station()
    before = station.charger.store.secc
    csms.on("SignCertificate", Answer({"status": "Accepted"}))
    csms.trigger("SignV2GCertificate")
    csr = csms.wait_for("SignCertificate").csr
    yesterday = datetime.now(UTC) - timedelta(days=1)
    from cryptography.hazmat.primitives.serialization import Encoding

    unfit = [
        pki.secc.chain,  # another key
        pki.sign_csr(csr, "secc", domain_component="MO"),
        pki.sign_csr(csr, "secc", not_after=yesterday),
        pki.sign_csr(csr, "secc", sign_with_other_key=True),
        pki.sign_csr(csr, "secc")[:1],  # sub-CAs left out
    ]
    for number, chain in enumerate(unfit, 1):
        pem = "".join(each.public_bytes(Encoding.PEM).decode() for each in chain)
        payload = {"certificateChain": pem, "certificateType": "V2GCertificate"}
        assert csms.call("CertificateSigned", payload).status == "Rejected"
        csms.wait_for(
            "SecurityEventNotification",
            where=lambda p, n=number: len(csms.seen("SecurityEventNotification")) >= n,  # type: ignore[misc]
        )
    assert csms.seen("SecurityEventNotification")[0].type == "InvalidChargingStationCertificate"
    assert station.charger.store.secc == before
    good = "".join(each.public_bytes(Encoding.PEM).decode() for each in pki.sign_csr(csr, "secc"))
    assert (
        csms.call("CertificateSigned", {"certificateChain": good, "certificateType": "V2GCertificate"}).status
        == "Accepted"
    )
    assert station.charger.store.secc != before


def test_csr_is_repeated(csms: Csms, make_station: Make) -> None:
    make_station(
        settings={"SecurityCtrlr.CertSigningWaitMinimum": 0.1, "SecurityCtrlr.CertSigningRepeatTimes": 2}
    )
    csms.on("SignCertificate", Answer({"status": "Accepted"}))
    csms.trigger("SignV2GCertificate")
    csms.wait_for("SignCertificate", where=lambda p: len(csms.seen("SignCertificate")) == 3)
    first, second, third = (each.t_ns / 1e9 for each in csms.seen("SignCertificate"))
    assert 0.09 < second - first < third - second


@pytest.mark.parametrize("profile", [1, 2, 3])
def test_security_profiles(timeline: Timeline, pki: Pki, make_station: Make, profile: int) -> None:
    password = "0123456789abcdef" if profile < 3 else None
    with Csms(
        timeline, pki, "localhost", security_profile=profile, station_id="CS01", password=password
    ) as secure:
        station = make_station(wait=False, url=secure.url, password=password)
        secure.wait_for("StatusNotification")
        station.close_early = True  # type: ignore[attr-defined]
        (link,) = [e for e in timeline.since() if e.kind == "ocpp-link" and e.name == "connected"]
        assert link.data["security_profile"] == profile
        if profile == 3:
            assert "STUB" not in link.data["peer"]
            assert pki.charger_tls.common_name in link.data["peer"]
