"""Each defect of the OCPP client shows in the traffic, and only there where it should."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from ocpp_station import Station
from test_ocpp_client import CARD, ended, expired_root, session

import bench.charger.defects.ocpp  # noqa: F401  registers
from bench.charger.backend import BackendUnavailable, IdToken
from bench.charger.defects import _registry
from bench.csms import Answer, Csms, CsmsTimeout, Malformed
from bench.csms.hashdata import hash_data
from bench.pki import Pki

Make = Callable[..., Station]
Check = Callable[[Csms, Station, Pki], bool]
"""Whether the charger behaves as it should."""


def _run(csms: Csms, station: Station, token: IdToken = CARD) -> None:
    session(station, token)
    csms.wait_for("TransactionEvent", where=lambda p: p.triggerReason == "MeterValuePeriodic")
    station.tell(station.client.charging_stopped, "Local")


def ends(csms: Csms, station: Station, pki: Pki) -> bool:
    _run(csms, station)
    try:
        csms.wait_for("TransactionEvent", where=ended, timeout_s=1)
    except CsmsTimeout:
        return False
    return True


def has_hash_data(csms: Csms, station: Station, pki: Pki) -> bool:
    station.authorize(pki.contract)
    return csms.seen("Authorize")[-1].iso15118CertificateHashData is not None


def has_certificate(csms: Csms, station: Station, pki: Pki) -> bool:
    station.authorize(pki.contract, central=True)
    return csms.seen("Authorize")[-1].certificate is not None


def names_emaid(csms: Csms, station: Station, pki: Pki) -> bool:
    _run(csms, station, IdToken(pki.contract.emaid, "eMAID"))
    csms.wait_for("TransactionEvent", where=ended)
    return any(p.idToken is not None and p.idToken.type == "eMAID" for p in csms.seen("TransactionEvent"))


def marks_offline(csms: Csms, station: Station, pki: Pki) -> bool:
    session(station)
    csms.offline()
    station.do(_gone(station))
    station.tell(station.client.charging_stopped, "Local")
    csms.online()
    return csms.wait_for("TransactionEvent", where=ended).offline is True


async def _gone(station: Station) -> None:
    import asyncio

    while station.client.online:
        await asyncio.sleep(0.01)


def survives_malformed(csms: Csms, station: Station, pki: Pki) -> bool:
    csms.on("Authorize", Malformed(), times=1)
    with pytest.raises((BackendUnavailable, TimeoutError)):
        station.do(station.client.authorize_token(CARD), timeout_s=1)
    return _answers(station)


def _answers(station: Station) -> bool:
    try:
        return bool(station.do(station.client.authorize_token(CARD), timeout_s=1).accepted)
    except (BackendUnavailable, TimeoutError):
        return False


def uses_new_certificate(csms: Csms, station: Station, pki: Pki) -> bool:
    before = station.charger.store.secc
    csms.trigger("SignV2GCertificate")
    answer = csms.timeline.wait_for(
        lambda e: e.kind == "ocpp" and e.name == "CertificateSigned" and e.data["type"] == "CALLRESULT", 5
    )
    assert answer is not None
    assert answer.data["payload"]["status"] == "Accepted"
    return station.charger.store.secc != before


def rejects_unfit_certificate(csms: Csms, station: Station, pki: Pki) -> bool:
    csms.on("SignCertificate", Answer({"status": "Accepted"}))
    csms.trigger("SignV2GCertificate")
    chain = pki.sign_csr(csms.wait_for("SignCertificate").csr, "secc", domain_component="MO")
    pem = "".join(each.public_bytes(Encoding.PEM).decode() for each in chain)
    answer = csms.call("CertificateSigned", {"certificateChain": pem, "certificateType": "V2GCertificate"})
    return answer.status == "Rejected"


def passes_exi_unaltered(csms: Csms, station: Station, pki: Pki) -> bool:
    import base64

    station.do(
        station.client.get_15118_ev_certificate("urn:iso:15118:2:2013:MsgDef", "Install", b"\x80\x98\x02")
    )
    return base64.b64decode(csms.seen("Get15118EVCertificate")[-1].exiRequest) == b"\x80\x98\x02"


def survives_large_exi(csms: Csms, station: Station, pki: Pki) -> bool:
    csms.on("Get15118EVCertificate", Answer({"status": "Accepted", "exiResponse": "AAAA" * 10000}), times=1)
    with pytest.raises((BackendUnavailable, TimeoutError)):
        station.do(station.client.get_15118_ev_certificate("urn:iso:15118:2:2013:MsgDef", "Install", b"x"), 1)
    return _answers(station)


def lists_v2g_root(csms: Csms, station: Station, pki: Pki) -> bool:
    root = pki.foreign.v2g_root
    assert csms.install_certificate("V2GRoot", root.pem_chain()) == "Accepted"
    wanted = hash_data(root.certificate, root.certificate)
    return wanted in [e.certificateHashData.raw for e in csms.installed_certificates(["V2GRoot"])]


def forgets_deleted_root(csms: Csms, station: Station, pki: Pki) -> bool:
    root = pki.foreign.mo_root
    wanted = hash_data(root.certificate, root.certificate)
    assert csms.install_certificate("MORoot", root.pem_chain()) == "Accepted"
    assert csms.delete_certificate(wanted) == "Accepted"
    assert wanted not in [e.certificateHashData.raw for e in csms.installed_certificates()]
    assert csms.delete_certificate(wanted) == "NotFound"
    gone = root.certificate not in station.charger.store.roots("MORoot")
    assert csms.install_certificate("MORoot", root.pem_chain()) == "Accepted"
    assert wanted in [e.certificateHashData.raw for e in csms.installed_certificates()]
    return gone


def rejects_expired_root(csms: Csms, station: Station, pki: Pki) -> bool:
    return csms.install_certificate("MORoot", expired_root()) == "Rejected"


def reports_watt_hours(csms: Csms, station: Station, pki: Pki) -> bool:
    _run(csms, station)
    value = csms.wait_for("TransactionEvent", where=ended).meterValue[0].sampledValue[0]
    return bool(value.value == 5000 and value.unitOfMeasure.unit == "Wh")


def obeys_remote_stop(csms: Csms, station: Station, pki: Pki) -> bool:
    session(station)
    transaction = csms.wait_for("TransactionEvent").transactionInfo.transactionId
    assert csms.request_stop(transaction) == "Accepted"
    try:
        csms.wait_for("TransactionEvent", where=ended, timeout_s=1)
    except CsmsTimeout:
        return False
    return True


def goes_on_without_backend(csms: Csms, station: Station, pki: Pki) -> bool:
    session(station)
    csms.wait_for("TransactionEvent")
    csms.offline()
    station.do(_gone(station))
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline and not station.charger.commanded:
        time.sleep(0.01)  # that nothing happens can only be waited for
    return station.charger.commanded == []


def counts_up(csms: Csms, station: Station, pki: Pki) -> bool:
    _run(csms, station)
    csms.wait_for("TransactionEvent", where=ended)
    numbers = [each.seqNo for each in csms.seen("TransactionEvent")]
    return numbers == list(range(len(numbers)))


def meter_rises(csms: Csms, station: Station, pki: Pki) -> bool:
    _run(csms, station)
    last = csms.wait_for("TransactionEvent", where=ended)
    values = [
        each.meterValue[0].sampledValue[0].value for each in csms.seen("TransactionEvent") if each.meterValue
    ]
    assert (values[0], last.meterValue[0].sampledValue[0].value) == (5000, 5000)
    return values == sorted(values)


def valid_payloads(csms: Csms, station: Station, pki: Pki) -> bool:
    _run(csms, station)
    csms.wait_for("TransactionEvent", where=ended)
    return all(each.problem is None for each in csms.seen("StatusNotification"))


CHECKS: dict[str, Check] = {
    "transaction-never-ended": ends,
    "authorize-without-hash-data": has_hash_data,
    "central-validation-without-certificate": has_certificate,
    "transaction-without-emaid": names_emaid,
    "offline-replay-without-flag": marks_offline,
    "ocpp-dies-on-malformed-answer": survives_malformed,
    "csr-keeps-old-certificate": uses_new_certificate,
    "accepts-unfit-signed-certificate": rejects_unfit_certificate,
    "get15118-request-altered": passes_exi_unaltered,
    "dies-on-large-exi-response": survives_large_exi,
    "installed-root-not-listed": lists_v2g_root,
    "deleted-root-still-trusted": forgets_deleted_root,
    "installs-expired-root": rejects_expired_root,
    "ocpp-energy-in-kwh": reports_watt_hours,
    "remote-stop-ignored": obeys_remote_stop,
    "stops-on-backend-loss": goes_on_without_backend,
    "ocpp-seqno-repeats": counts_up,
    "ocpp-meter-goes-back": meter_rises,
    "ocpp-invalid-payload": valid_payloads,
}


def test_every_ocpp_defect_has_a_check() -> None:
    assert set(CHECKS) == {name for name, each in _registry.items() if each.protocol == "ocpp"}


@pytest.mark.parametrize("name", CHECKS)
def test_conforming_charger(name: str, csms: Csms, make_station: Make, pki: Pki) -> None:
    assert CHECKS[name](csms, make_station(), pki)


@pytest.mark.parametrize("name", CHECKS)
def test_defect_shows(name: str, csms: Csms, make_station: Make, pki: Pki) -> None:
    assert not CHECKS[name](csms, make_station(defects=(name,)), pki)
