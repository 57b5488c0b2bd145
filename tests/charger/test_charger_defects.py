"""Each defect (but those of the OCPP client) changes what it says it changes: one row a defect.

A row is a coroutine that returns what the defect is about; it must give one value on a good charger
and another one on the defective charger.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from charger_lab import CARD, Lab, code, run, unplug
from cryptography import x509
from cryptography.x509.oid import NameOID

from bench.charger import defects
from bench.charger.backend import Authorization, ProvisioningAnswer
from bench.charger.cable import Seen
from bench.charger.defects import power, v2g
from bench.charger.profile import ChargerProfile
from bench.charger.secc import dispatch
from bench.charger.secc.iso2 import payment, provisioning
from bench.charger.secc.sdp import SdpServer
from bench.charger.secc.server import Link
from bench.v2g import codec, sdp, signature, tls, tls_probe, v2gtp
from bench.v2g.messages import iso2, sap, xmldsig
from bench.v2g.tls12.server import offered_suites

Row = tuple[Callable[[Lab], Awaitable[Any]], Any, Any]
"""(what to look at, its value on a good charger, its value with the defect)"""
ROWS: dict[str, Row] = {}
OFFLINE_OK = {("ISO15118Ctrlr", "ContractValidationOffline"): True}
OPTIONS: dict[str, dict[str, Any]] = {
    "contract-offered-without-tls": {"tls": False},
    "offline-refuses-known-contract": {"variables": OFFLINE_OK},
    "receipt-refused": {"profile": ChargerProfile(insulation_hold_s=0.0, receipt_required=True)},
    "receipt-signature-ignored": {"profile": ChargerProfile(insulation_hold_s=0.0, receipt_required=True)},
}


def row(name: str, good: Any, bad: Any) -> Callable[[Callable[[Lab], Awaitable[Any]]], None]:
    def register(look: Callable[[Lab], Awaitable[Any]]) -> None:
        ROWS[name] = (look, good, bad)

    return register  # type: ignore[return-value]


@pytest.mark.parametrize(
    "name", [n for n, d in defects.all_defects().items() if d.protocol not in ("ocpp", "slac")]
)
def test_each_defect_shows(name: str, make: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment, "ONGOING_PATIENCE_S", 0.02)
    monkeypatch.setattr(payment, "PAYMENT_DETAILS_PATIENCE_S", 1.0)
    monkeypatch.setattr(provisioning, "PATIENCE_S", 0.05)
    monkeypatch.setattr(v2g, "HANDSHAKE_DELAY_S", 0.1)
    monkeypatch.setattr(v2g, "SLOW_LOOP_S", 0.1)
    monkeypatch.setattr(power, "KEEPS_POWER_S", 0.05)
    assert name in ROWS, f"no row for {name}"
    look, good, bad = ROWS[name]

    async def with_defects(*names: str) -> Any:
        return await look(make(*names, **OPTIONS.get(name, {})))

    assert run(with_defects()) == good, "on a good charger"
    assert run(with_defects(name)) == bad, "with the defect"


def test_no_row_without_a_defect() -> None:
    assert set(ROWS) <= set(defects.all_defects())


def test_an_unknown_defect_is_told_with_near_names() -> None:
    with pytest.raises(defects.UnknownDefect, match="genchallenge-constant"):
        defects.find(["genchallenge-konstant"])


# --- SDP, framing, EXI ----
def sdp_of(lab: Lab) -> SdpServer:
    lab.charger.sdp = server = SdpServer(lab.charger, "::1", tcp_port=1, tls_port=2)
    for callback in lab.charger.on_listening:
        callback()
    return server


@row("sdp-ignores-first-request", [True, True], [False, True])
async def _(lab: Lab) -> Any:
    server = sdp_of(lab)
    return [server.answer(sdp.SdpRequest()) is not None for _ in range(2)]


@row("sdp-answers-without-tls", (2, sdp.SECURITY_TLS), (1, sdp.SECURITY_NONE))
async def _(lab: Lab) -> Any:
    answer = sdp_of(lab).answer(sdp.SdpRequest())
    assert answer is not None
    return answer.port, answer.security


@row("reads-one-segment-per-message", b"hello", "broken")
async def _(lab: Lab) -> Any:
    reader = asyncio.StreamReader()
    link = Link(reader, None, lab.charger.policy.parser())  # type: ignore[arg-type]
    frame = v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, b"hello")
    reader.feed_data(frame[:10])
    asyncio.get_running_loop().call_later(0.01, reader.feed_data, frame[10:])
    try:
        return await link.receive(1.0)
    except v2gtp.V2GTPError:
        return "broken"


def offer(namespace: str) -> sap.supportedAppProtocolReq:
    entry = sap.AppProtocol(
        ProtocolNamespace=namespace, VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=7, Priority=1
    )
    return sap.supportedAppProtocolReq(AppProtocol=[entry])


def negotiates(lab: Lab) -> str:
    try:
        return str(
            lab.charger.policy.choose_protocol(offer("urn:iso:15118:2:2013:MsgDef")).ResponseCode.value
        )
    except OSError:
        return "dead"


@row("dies-on-malformed-exi", "OK_SuccessfulNegotiation", "dead")
async def _(lab: Lab) -> Any:
    with pytest.raises(dispatch.Hangup):
        await dispatch.answer(b"\x80\xff\xff", lab.session, lab.charger)
    return negotiates(lab)


@row("accepts-unknown-protocol", ("Failed_NoNegotiation", None), ("OK_SuccessfulNegotiation", 7))
async def _(lab: Lab) -> Any:
    answer = lab.charger.policy.choose_protocol(offer("urn:nobody:speaks:this"))
    return answer.ResponseCode.value, answer.SchemaID


@row("exi-trailing-bytes", [], ["3 trailing byte(s) after the message"])
async def _(lab: Lab) -> Any:
    body = iso2.SessionStopRes(ResponseCode=iso2.responseCode.OK)
    message = iso2.V2G_Message(
        Header=iso2.MessageHeader(SessionID=bytes(8)), Body=iso2.Body(BodyElement=body)
    )
    findings: list[str] = []
    codec.decode("iso2", lab.charger.policy.encode(message), findings=findings)
    return findings


# --- TLS ----
def shown(lab: Lab) -> tuple[x509.Certificate, ...]:
    identity = lab.charger.tls.identity()
    assert identity is not None and lab.charger.tls.context is not None
    return identity.chain


@row("tls-secc-unknown-root", True, False)
async def _(lab: Lab) -> Any:
    return shown(lab)[-1].issuer == lab.pki.credentials["v2g/root"].certificate.subject


@row("secc-certificate-expired", True, False)
async def _(lab: Lab) -> Any:
    return shown(lab)[0].not_valid_after_utc > datetime.now(UTC)


@row("secc-certificate-wrong-domain-component", ["CPO"], [])
async def _(lab: Lab) -> Any:
    return [a.value for a in shown(lab)[0].subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]


@row("secc-chain-incomplete", 3, 1)
async def _(lab: Lab) -> Any:
    return len(shown(lab))


def shakes(lab: Lab, version: ssl.TLSVersion, ciphers: str) -> bool:
    """Whether a handshake in memory succeeds with this version and these suites."""
    assert lab.charger.tls.context is not None
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_ciphers(ciphers + ":@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.maximum_version = version
        client.minimum_version = ssl.TLSVersion.TLSv1
    a, b, c, d = (ssl.MemoryBIO() for _ in range(4))
    near = client.wrap_bio(a, b)
    far = lab.charger.tls.context.wrap_bio(c, d, server_side=True)
    done = {near: False, far: False}
    for _ in range(10):
        for side in (near, far):
            try:
                side.do_handshake()
                done[side] = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                return False
            c.write(b.read())
            a.write(d.read())
        if all(done.values()):
            return True
    return False


@row("tls-accepts-1.1", (True, False, False), (True, False, True))
async def _(lab: Lab) -> Any:
    return (
        shakes(lab, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256"),
        shakes(lab, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA"),
        shakes(lab, ssl.TLSVersion.TLSv1_1, "ECDHE-ECDSA-AES128-SHA"),
    )


@row("tls-accepts-any-suite", (True, False), (True, True))
async def _(lab: Lab) -> Any:
    return tuple(
        shakes(lab, ssl.TLSVersion.TLSv1_2, suite)
        for suite in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384")
    )


ECDHE, STATIC = tls.ISO2_SUITES


def agrees_on(lab: Lab) -> list[str]:
    """What comes of a ClientHello with ECDHE alone, with static ECDH alone, with both."""
    found = []
    for suites in (tls.ISO2_SUITES[:1], tls.ISO2_SUITES[1:], tls.ISO2_SUITES):
        hello = tls_probe.client_hello(suites=suites)
        offered = offered_suites(hello)
        assert offered is not None
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        charger = lab.charger.tls.choose(offered).wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(hello)
        with contextlib.suppress(ssl.SSLError):
            charger.do_handshake()
        answer = tls_probe.parse_answer(outgoing.read())
        assert answer is not None
        found.append(answer.suite or answer.alert)
    return found


@row("tls-lacks-ecdhe-suite", [ECDHE, STATIC, ECDHE], ["handshake_failure", STATIC, STATIC])
async def _(lab: Lab) -> Any:
    return agrees_on(lab)


@row("tls-lacks-static-ecdh-suite", [ECDHE, STATIC, ECDHE], [ECDHE, "handshake_failure", ECDHE])
async def _(lab: Lab) -> Any:
    return agrees_on(lab)


@row("tls-dies-after-failed-handshake", 0, 1)
async def _(lab: Lab) -> Any:
    class Listening:
        stopped = 0

        def stop_accepting(self) -> None:
            self.stopped += 1

    listener = Listening()
    lab.charger.tls.handshake_failed(listener)  # type: ignore[arg-type]
    return listener.stopped


# --- V2G ----
@row("contract-selection-refused", "OK", "FAILED_PaymentSelectionInvalid")
async def _(lab: Lab) -> Any:
    await lab.setup()
    await lab.discover()
    return code(await lab.select("Contract"))


@row("genchallenge-constant", False, True)
async def _(lab: Lab) -> Any:
    await lab.to_payment()
    first = (await lab.details()).GenChallenge
    lab.new_session()
    await lab.to_payment()
    return (await lab.details()).GenChallenge == first


@row("evse-timestamp-wrong", True, False)
async def _(lab: Lab) -> Any:
    await lab.to_payment()
    return abs((await lab.details()).EVSETimeStamp - datetime.now(UTC).timestamp()) < 60


@row("schedule-missing", True, False)
async def _(lab: Lab) -> Any:
    await lab.to_authorized()
    return (await lab.parameters()).SASchedules is not None


@row("limits-swapped", True, False)
async def _(lab: Lab) -> Any:
    await lab.to_authorized()
    limits = (await lab.parameters()).EVSEChargeParameter
    return limits.EVSEMaximumVoltageLimit.value > limits.EVSEMinimumVoltageLimit.value


async def to_start(lab: Lab) -> Any:
    await lab.to_authorized()
    await lab.parameters()
    await lab.cable_check()
    await lab.precharge()
    return await lab.power("Start")


@row("powerdelivery-start-refused", "OK", "FAILED_PowerDeliveryNotApplied")
async def _(lab: Lab) -> Any:
    return code(await to_start(lab))


async def seconds(work: Awaitable[Any]) -> float:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await work
    return loop.time() - begin


@row("slow-handshake", False, True)
async def _(lab: Lab) -> Any:
    return await seconds(lab.setup()) >= 0.1


@row("slow-current-demand", [False, False], [False, True])
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    return [await seconds(lab.demand(1.0)) >= 0.1 for _ in range(2)]


@row("eim-authorization-stays-ongoing", "Finished", "Ongoing_WaitingForCustomerInteraction")
async def _(lab: Lab) -> Any:
    await lab.charger.present_card(CARD)
    await lab.to_payment("ExternalPayment")
    return (await lab.ask(iso2.AuthorizationReq())).EVSEProcessing.value


@row("ac-meterinfo-missing", True, False)
async def _(lab: Lab) -> Any:
    await lab.to_charging("ExternalPayment", "AC_three_phase_core")
    return (await lab.ask(iso2.ChargingStatusReq())).MeterInfo is not None


@row("ignores-challenge", "FAILED_ChallengeInvalid", "OK")
async def _(lab: Lab) -> Any:
    await lab.to_payment()
    await lab.details()
    return code(await lab.authorize(challenge=b"\1" * 16))


async def badly_and_unsigned(lab: Lab) -> Any:
    found = []
    for how in ({"flip": True}, {"unsigned": True}):
        lab.new_session()
        await lab.to_payment()
        await lab.details()
        found.append(code(await lab.authorize(**how)))
    return found


BAD = "FAILED_SignatureError"
row("ignores-authorization-signature", [BAD, BAD], ["OK", BAD])(badly_and_unsigned)
row("accepts-unsigned-authorization", [BAD, BAD], [BAD, "OK"])(badly_and_unsigned)


async def options_of(lab: Lab) -> Any:
    await lab.setup()
    return [each.value for each in (await lab.discover()).PaymentOptionList.PaymentOption]


row("no-external-payment-with-tls", ["Contract", "ExternalPayment"], ["Contract"])(options_of)
row("contract-offered-without-tls", ["ExternalPayment"], ["Contract", "ExternalPayment"])(options_of)


@row("receipt-refused", "OK", "FAILED_MeteringSignatureNotValid")
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    await lab.demand(1.0)
    return code(await lab.receipt())


@row("receipt-signature-ignored", "FAILED_MeteringSignatureNotValid", "OK")
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    await lab.demand(1.0)
    return code(await lab.receipt(flip=True))


@row("tariff-signature-broken", True, False)
async def _(lab: Lab) -> Any:
    await lab.to_authorized()
    tariff = (await lab.parameters()).SASchedules.SAScheduleTuple[0].SalesTariff
    key = lab.pki.credentials["mo/sub_ca2"].private_key.public_key()
    return signature.verify(lab.last_header.Signature, [tariff], key).ok


@row("resume-refuses-old-session", "OK_OldSessionJoined", "OK_NewSessionEstablished")
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    await lab.power("Stop")
    await lab.stop("Pause")
    lab.new_session(session_id=lab.id)
    return code(await lab.setup())


@row("renegotiation-refused", "OK", "FAILED")
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    return code(await lab.power("Renegotiate"))


@row("early-stop-sequence-error", "OK", "FAILED_SequenceError")
async def _(lab: Lab) -> Any:
    await lab.to_authorized()
    return code(await lab.stop())


@row("no-sequence-check", "FAILED_SequenceError", "OK")
async def _(lab: Lab) -> Any:
    await lab.setup()
    return code(await lab.precharge())


@row("no-session-id-check", "FAILED_UnknownSession", "OK")
async def _(lab: Lab) -> Any:
    await lab.setup()
    lab.id = b"\xee" * 8
    return code(await lab.discover())


@row("never-times-out", 60.0, None)
async def _(lab: Lab) -> Any:
    return lab.charger.policy.sequence_timeout_s


@row(
    "wrong-response-type",
    ["CurrentDemandRes"] * 4,
    ["CurrentDemandRes"] * 2 + ["PreChargeRes", "CurrentDemandRes"],
)
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    return [type(await lab.demand(1.0)).__name__ for _ in range(4)]


@row("session-id-changes", (True, "OK"), (False, "OK"))
async def _(lab: Lab) -> Any:
    await lab.to_authorized()
    await lab.parameters()
    kept = lab.last_header.SessionID == lab.id
    return kept, code(await lab.cable_check())


# --- provisioning ----
def installation(key: Any = None) -> iso2.CertificateInstallationReq:
    serial = xmldsig.X509IssuerSerial(X509IssuerName="CN=x", X509SerialNumber=1)
    return iso2.CertificateInstallationReq(
        Id="id1",
        OEMProvisioningCert=key or b"\x30",
        ListOfRootCertificateIDs=iso2.ListOfRootCertificateIDs(RootCertificateID=[serial]),
    )


def exi_response(lab: Lab, kind: str = "CertificateInstallationReq") -> bytes:
    body: Any = lab.charger.policy.failed(kind, iso2.responseCode.OK, lab.session, lab.charger)
    body.ContractSignatureEncryptedPrivateKey.value = bytes(range(48))
    message = iso2.V2G_Message(
        Header=iso2.MessageHeader(SessionID=bytes(8)), Body=iso2.Body(BodyElement=body)
    )
    return codec.encode(message)


@row("installation-answer-altered", True, False)
async def _(lab: Lab) -> Any:
    lab.backend.provisioning = ProvisioningAnswer("Accepted", exi_response(lab))
    await lab.to_payment()
    answer = await lab.ask(installation())
    return bool(answer.ContractSignatureEncryptedPrivateKey.value == bytes(range(48)))


@row("installation-silent-when-service-down", "FAILED_NoCertificateAvailable", None)
async def _(lab: Lab) -> Any:
    await lab.to_payment()
    answer = await lab.ask(installation())
    return None if answer is None else code(answer)


@row("installation-waits-forever", True, False)
async def _(lab: Lab) -> Any:
    return (
        lab.charger.policy.provisioning_patience_s
        < 4.5
        > lab.charger.policy.time_limit_s("CertificateInstallationReq") - 0.1
    )


@row("installation-ok-on-refusal", "FAILED_NoCertificateAvailable", "OK")
async def _(lab: Lab) -> Any:
    lab.backend.provisioning = ProvisioningAnswer("Failed", None)
    await lab.to_payment()
    return code(await lab.ask(installation()))


@row("certificate-update-refused", "OK", "FAILED_NoCertificateAvailable")
async def _(lab: Lab) -> Any:
    lab.backend.provisioning = ProvisioningAnswer("Accepted", exi_response(lab, "CertificateUpdateReq"))
    await lab.to_payment()
    request = iso2.CertificateUpdateReq(
        Id="id1",
        eMAID="DE000000000000",
        ContractSignatureCertChain=iso2.CertificateChain(Certificate=b"\x30"),
        ListOfRootCertificateIDs=installation().ListOfRootCertificateIDs,
    )
    return code(await lab.ask(request))


@row(
    "installation-signs-over-request",
    ("FAILED_NoCertificateAvailable",) * 2,
    ("OK", "FAILED_NoCertificateAvailable"),
)
async def _(lab: Lab) -> Any:
    lab.backend.provisioning = ProvisioningAnswer("Failed", None)
    oem = lab.pki.credentials["oem/provisioning_leaf"]
    found = []
    for flip in (True, False):
        lab.new_session()
        await lab.to_payment()
        request = installation(oem.der_chain()[0])
        found.append(code(await lab.ask(request, key=oem.private_key, flip=flip)))
    return tuple(found)


# --- contract ----
async def verdict(lab: Lab) -> str:
    lab.new_session()
    await lab.to_payment()
    return code(await lab.details())


row("payment-details-refuses-sub-ca-2", "OK", "FAILED_CertChainError")(verdict)


@row("offline-refuses-known-contract", "OK", "FAILED_CertificateNotAllowedAtThisEVSE")
async def _(lab: Lab) -> Any:
    lab.backend.online = False
    assert lab.contract is not None
    lab.backend.known.add(lab.contract.emaid)
    return await verdict(lab)


@row("offline-accepts-unconditionally", "FAILED_CertificateNotAllowedAtThisEVSE", "OK")
async def _(lab: Lab) -> Any:
    lab.backend.online = False
    return await verdict(lab)


@row("authorizes-when-backend-silent", "FAILED_CertificateNotAllowedAtThisEVSE", "OK")
async def _(lab: Lab) -> Any:
    lab.backend.silent_s = 0.55
    return await verdict(lab)


def faulty(name: str, fault: str, good: str) -> None:
    @row(name, good, "OK")
    async def _(lab: Lab) -> Any:
        lab.contract = lab.pki.faulty("contract", fault)
        if fault == "unknown-root":
            lab.backend.answer = Authorization("Invalid", "CertChainError")
        return await verdict(lab)


faulty("accepts-expired-contract", "expired", "FAILED_CertificateExpired")
faulty("accepts-not-yet-valid-contract", "not-yet-valid", "FAILED_CertificateExpired")
faulty("accepts-unknown-mo-root", "unknown-root", "FAILED_CertChainError")
faulty("accepts-broken-chain", "incomplete-chain", "FAILED_CertChainError")
faulty("accepts-wrong-key-usage", "wrong-key-usage", "FAILED_CertChainError")


@row("accepts-wrong-emaid", "FAILED_CertificateNotAllowedAtThisEVSE", "OK")
async def _(lab: Lab) -> Any:
    lab.emaid = "DEPBXC99999999"
    return await verdict(lab)


@row("accepts-revoked-contract", "FAILED_CertificateRevoked", "OK")
async def _(lab: Lab) -> Any:
    lab.backend.answer = Authorization("Invalid", "CertificateRevoked")
    return await verdict(lab)


@row("accepts-blocked-emaid", "FAILED_ContractCanceled", "OK")
async def _(lab: Lab) -> Any:
    lab.backend.answer = Authorization("Blocked", "Accepted")
    return await verdict(lab)


@row("refuses-roaming-contract", "OK", "FAILED_CertificateNotAllowedAtThisEVSE")
async def _(lab: Lab) -> Any:
    lab.contract = lab.pki.credentials["foreign/mo/contract_leaf"]
    lab.charger.store.install_root("MORoot", lab.contract.root)
    return await verdict(lab)


@row(
    "dies-on-malformed-certificate",
    ("FAILED_CertChainError", "OK_SuccessfulNegotiation"),
    ("FAILED_CertChainError", "dead"),
)
async def _(lab: Lab) -> Any:
    await lab.to_payment()
    return code(await lab.details([b"\x30\x82\xff\xff"])), negotiates(lab)


@row("no-rfid-fallback", True, False)
async def _(lab: Lab) -> Any:
    lab.backend.answer = Authorization("Invalid", "CertificateRevoked")
    await verdict(lab)
    lab.new_session()
    await lab.to_authorized("ExternalPayment")
    return lab.session.authorized


@row("accepts-rejected-rfid", False, True)
async def _(lab: Lab) -> Any:
    lab.backend.card_answer = Authorization("Blocked")
    return await lab.charger.present_card(CARD)


# --- power, pilot, meter ----
async def current(lab: Lab, target_a: float) -> float:
    await lab.demand(target_a)
    return lab.cable.seen.dc_current_a


@row("no-current-delivered", 20.0, 0.0)
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    return await current(lab, 20.0)


@row("ac-contactor-stays-open", True, False)
async def _(lab: Lab) -> Any:
    await lab.to_charging("ExternalPayment", "AC_three_phase_core")
    return lab.cable.output.contactor


@row("precharge-undershoot", (400.0, 400.0), (400.0, 320.0))
async def _(lab: Lab) -> Any:
    await lab.to_authorized()
    await lab.parameters()
    await lab.cable_check()
    told = (await lab.precharge()).EVSEPresentVoltage.value
    return round(told, 1), round(lab.cable.seen.dc_voltage_v, 1)


@row("current-overshoot", (20.0, 0.0), (24.0, 0.0))
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    return round(await current(lab, 20.0), 3), await current(lab, 0.0)


@row("current-before-request", (0.0, 0.0, 30.0), (20.0, 20.0, 30.0))
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    return lab.cable.seen.dc_current_a, await current(lab, 0.0), await current(lab, 30.0)


@row("voltage-stays-after-stop", (0.0, 0.0, 0.0), (400.0, 400.0, 0.0))
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    await lab.demand(10.0)
    await lab.power("Stop")
    after_stop = lab.cable.seen.dc_voltage_v
    lab.cable._follow("B")
    in_b = lab.cable.seen.dc_voltage_v
    unplug(lab)
    return after_stop, in_b, lab.cable.output.dc_voltage_v


@row("cable-check-without-insulation-test", (True, "Valid"), (False, "Valid"))
async def _(lab: Lab) -> Any:
    seen: list[float] = []
    lab.cable.on_seen.append(lambda _before, now: seen.append(now.dc_voltage_v))
    await lab.to_authorized()
    await lab.parameters()
    check = await lab.cable_check()
    return max(seen, default=0.0) > 100, check.DC_EVSEStatus.EVSEIsolationStatus.value


@row("keeps-power-after-unplug", (False, False), (True, False))
async def _(lab: Lab) -> Any:
    await lab.to_charging()
    await lab.demand(10.0)
    unplug(lab)
    at_once = lab.cable.output.dc_enabled
    await asyncio.sleep(0.1)
    return at_once, lab.cable.output.dc_enabled


@row("voltage-before-allowed", 0.0, 100.0)
async def _(lab: Lab) -> Any:
    await lab.setup()
    return lab.cable.seen.dc_voltage_v


@row("pilot-duty-10-percent", 5.0, 10.0)
async def _(lab: Lab) -> Any:
    await lab.setup()
    return lab.cable.output.duty_percent


@row("pilot-oscillator-off", (True, True), (True, False))
async def _(lab: Lab) -> Any:
    await lab.setup()
    before = lab.cable.output.oscillator
    lab.new_session()
    await lab.to_charging()
    return before, lab.cable.output.oscillator


@row("needs-replug-after-failure", (True, True), (False, True))
async def _(lab: Lab) -> Any:
    await lab.setup()
    await lab.precharge()
    without = lab.charger.pilot.accepting
    unplug(lab)
    lab.cable._take(Seen("B"))
    return without, lab.charger.pilot.accepting


@row("meter-reads-10-percent-high", 1.002, 1.10)
async def _(lab: Lab) -> Any:
    now = [0.0]
    lab.charger.meter._clock = lambda: now[0]
    lab.charger.meter._at_s = 0.0
    lab.charger.meter._energy_wh = 0.0
    lab.cable._take(Seen("C"))
    lab.cable._take(Seen("C", 400.0, 9.0))
    now[0] = 1.0
    return round(lab.charger.meter.energy_wh, 6)
