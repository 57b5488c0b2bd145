"""Sessions through the dispatcher: what a conforming charger answers, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from charger_lab import CARD, Lab, code, run, unplug

from bench.charger.backend import Authorization, ProvisioningAnswer
from bench.charger.profile import ChargerProfile
from bench.charger.secc import dispatch
from bench.charger.secc.iso2 import payment
from bench.v2g import codec, signature
from bench.v2g.messages import iso2

Make = Callable[..., Lab]


@pytest.mark.parametrize("mode", ["DC_extended", "AC_three_phase_core"])
@pytest.mark.parametrize("option", ["Contract", "ExternalPayment"])
def test_a_whole_session(make: Make, mode: str, option: str) -> None:
    async def work() -> None:
        lab = make()
        await lab.to_charging(option, mode)
        if mode.startswith("DC"):
            loop = await lab.demand(20.0)
            assert loop.EVSEPresentCurrent.value == pytest.approx(20.0)
            assert loop.EVSEPresentVoltage.value == pytest.approx(400.0)
            assert (await lab.demand(0.0)).EVSEPresentCurrent.value == 0
        else:
            loop = await lab.ask(iso2.ChargingStatusReq())
            assert lab.cable.output.contactor
        assert code(loop) == "OK" and loop.MeterInfo is not None
        assert code(await lab.power("Stop")) == "OK"
        assert not lab.cable.output.dc_enabled and not lab.cable.output.contactor
        if mode.startswith("DC"):
            welding = await lab.ask(iso2.WeldingDetectionReq(DC_EVStatus=loop_status()))
            assert welding.EVSEPresentVoltage.value < 60
        assert code(await lab.stop()) == "OK"
        assert lab.session.closed and lab.session.expected == frozenset()
        token = "eMAID" if option == "Contract" else "ISO14443"
        assert [e for e in lab.backend.events if token in e]
        assert lab.backend.events.count("charging stopped: StoppedByEV") == 1

    run(work())


def loop_status() -> iso2.DC_EVStatus:
    return iso2.DC_EVStatus(EVReady=True, EVErrorCode=iso2.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)


def test_the_insulation_test_applies_voltage_and_takes_it_away(make: Make) -> None:
    async def work() -> None:
        lab = make()
        seen: list[float] = []
        lab.cable.on_seen.append(lambda _before, now: seen.append(now.dc_voltage_v))
        await lab.to_authorized()
        await lab.parameters()
        check = await lab.cable_check()
        assert max(seen) >= 450 and seen[-1] < 60
        assert check.DC_EVSEStatus.EVSEIsolationStatus == iso2.isolationLevel.Valid

    run(work())


def test_contract_needs_tls(make: Make) -> None:
    async def work() -> None:
        lab = make(tls=False)
        await lab.setup()
        options = (await lab.discover()).PaymentOptionList.PaymentOption
        assert options == [iso2.paymentOption.ExternalPayment]
        assert code(await lab.select("Contract")) == "FAILED_PaymentSelectionInvalid"

    run(work())


def test_wrong_places_and_ids(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.setup()
        assert code(await lab.precharge()) == "FAILED_SequenceError"
        assert code(await lab.stop()) == "OK"
        lab.new_session()
        await lab.setup()
        lab.id = b"\xff" * 8
        assert code(await lab.discover()) == "FAILED_UnknownSession"
        lab.new_session()
        await lab.to_authorized()
        await lab.parameters()
        assert code(await lab.power("Start")) == "FAILED_SequenceError"

    run(work())


def test_authorization_refusals(make: Make) -> None:
    async def work() -> None:
        lab = make()
        for options, wanted in (
            ({"challenge": b"\1" * 16}, "FAILED_ChallengeInvalid"),
            ({"flip": True}, "FAILED_SignatureError"),
            ({"unsigned": True}, "FAILED_SignatureError"),
        ):
            lab.new_session()
            await lab.to_payment()
            await lab.details()
            assert code(await lab.authorize(**options)) == wanted  # type: ignore[arg-type]
            assert lab.charger.granted is None

    run(work())


def test_services(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.setup()
        services = (await lab.discover()).ServiceList.Service
        assert [each.ServiceID for each in services] == [2]
        detail = await lab.ask(iso2.ServiceDetailReq(ServiceID=2))
        assert [each.ParameterSetID for each in detail.ServiceParameterList.ParameterSet] == [1, 2]
        assert code(await lab.ask(iso2.ServiceDetailReq(ServiceID=9))) == "FAILED_ServiceIDInvalid"

    run(work())


def test_a_slow_backend_is_awaited_under_ongoing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment, "PAYMENT_DETAILS_PATIENCE_S", 0.02)
    monkeypatch.setattr(payment, "ONGOING_PATIENCE_S", 0.02)

    async def work() -> None:
        lab = make()
        lab.backend.silent_s = 0.2
        await lab.to_payment()
        assert code(await lab.details()) == "OK"
        first = await lab.authorize()
        assert first.EVSEProcessing == iso2.EVSEProcessing.Ongoing
        for _ in range(50):
            last = await lab.authorize()
            if last.EVSEProcessing == iso2.EVSEProcessing.Finished:
                break
        assert code(last).startswith("FAILED")
        assert lab.charger.granted is None

    run(work())


def test_ongoing_ends_after_its_limit(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment, "ONGOING_LIMIT_S", 0.03)
    monkeypatch.setattr(payment, "ONGOING_PATIENCE_S", 0.02)

    async def work() -> None:
        lab = make()
        await lab.to_payment("ExternalPayment")
        codes = [code(await lab.ask(iso2.AuthorizationReq())) for _ in range(4)]
        assert codes[0] == "OK" and codes[2] == "FAILED"

    run(work())


def test_card_paths(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment, "ONGOING_PATIENCE_S", 0.02)

    async def work() -> None:
        lab = make()
        lab.backend.card_answer = Authorization("Blocked")
        await lab.to_payment("ExternalPayment")
        waiting = await lab.ask(iso2.AuthorizationReq())
        assert waiting.EVSEProcessing == iso2.EVSEProcessing.Ongoing_WaitingForCustomerInteraction
        assert not await lab.charger.present_card(CARD)
        assert code(await lab.ask(iso2.AuthorizationReq())) == "FAILED"
        lab.new_session()
        lab.backend.card_answer = Authorization("Accepted")
        await lab.to_authorized("ExternalPayment")
        assert lab.session.authorized

    run(work())


def test_rfid_after_a_failed_contract_without_replug(make: Make) -> None:
    async def work() -> None:
        lab = make()
        lab.backend.answer = Authorization("Invalid", "CertificateRevoked")
        await lab.to_payment()
        assert code(await lab.details()) == "FAILED_CertificateRevoked"
        assert not [e for e in lab.backend.events if e.startswith("authorized")]
        lab.new_session()
        await lab.to_charging("ExternalPayment")
        assert [e for e in lab.backend.events if e.startswith("authorized")] == ["authorized ISO14443 CARD-1"]

    run(work())


def test_pause_and_resume(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.to_charging()
        await lab.power("Stop")
        assert code(await lab.stop("Pause")) == "OK"
        before = lab.id
        lab.new_session(session_id=before)
        response = await lab.setup()
        assert code(response) == "OK_OldSessionJoined" and lab.id == before
        assert not [e for e in lab.backend.events if "stopped" in e]
        lab.new_session(session_id=b"\x07" * 8)
        assert code(await lab.setup()) == "OK_NewSessionEstablished"

    run(work())


def test_renegotiation(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.to_charging()
        await lab.demand(10.0)
        assert code(await lab.power("Renegotiate")) == "OK"
        assert code(await lab.parameters()) == "OK"
        assert code(await lab.power("Start")) == "OK"
        assert (await lab.demand(10.0)).EVSEPresentCurrent.value == pytest.approx(10.0)

    run(work())


def test_receipts_and_tariff(make: Make) -> None:
    async def work() -> None:
        lab = make(profile=ChargerProfile(insulation_hold_s=0.0, receipt_required=True))
        await lab.to_authorized()
        offer = await lab.parameters()
        tariff = offer.SASchedules.SAScheduleTuple[0].SalesTariff
        key = lab.pki.credentials["mo/sub_ca2"].private_key.public_key()
        assert signature.verify(lab.last_header.Signature, [tariff], key).ok
        await lab.cable_check()
        await lab.precharge()
        await lab.power("Start")
        assert (await lab.demand(5.0)).ReceiptRequired
        assert code(await lab.receipt()) == "OK"
        assert not (await lab.demand(5.0)).ReceiptRequired
        lab.session.loops = 0
        await lab.demand(5.0)
        assert code(await lab.receipt(flip=True)) == "FAILED_MeteringSignatureNotValid"
        assert not lab.cable.output.dc_enabled

    run(work())


def test_unplug_takes_the_power_off_at_once(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.to_charging()
        await lab.demand(50.0)
        unplug(lab)
        assert not lab.cable.output.dc_enabled and not lab.cable.output.oscillator
        assert lab.backend.events[-3:] == [
            "charging stopped: EVDisconnected",
            "unplugged",
            "connector Available",
        ]

    run(work())


def test_remote_stop_asks_first_and_acts_then(make: Make) -> None:
    async def work() -> None:
        lab = make(profile=ChargerProfile(insulation_hold_s=0.0, stop_grace_s=0.05))
        await lab.to_charging()
        assert await lab.charger.remote_stop()
        asked = await lab.demand(10.0)
        assert asked.DC_EVSEStatus.EVSENotification == iso2.EVSENotification.StopCharging
        await asyncio.sleep(0.1)
        assert not lab.cable.output.dc_enabled
        assert lab.backend.events[-1] == "charging stopped: Remote"
        assert not await lab.charger.remote_stop()
        assert code(await lab.demand(10.0)) == "FAILED"

    run(work())


def test_an_ev_may_end_in_order_after_a_forced_stop(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.to_charging()
        await lab.charger.reset(immediate=True)
        assert lab.backend.events[-1] == "charging stopped: ImmediateReset"
        assert code(await lab.power("Stop")) == "OK"
        assert code(await lab.stop()) == "OK"
        assert len([e for e in lab.backend.events if "stopped" in e]) == 1

    run(work())


def test_safe_state_overrules_every_power_defect(make: Make) -> None:
    async def work() -> None:
        lab = make("voltage-stays-after-stop", "keeps-power-after-unplug")
        await lab.to_charging()
        await lab.demand(10.0)
        await lab.power("Stop")
        lab.charger.safe_state()
        assert not lab.cable.output.dc_enabled and not lab.cable.output.contactor
        await lab.charger.close()

    run(work())


def test_two_sessions_do_not_share_the_power(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.to_charging()
        first, first_id = lab.session, lab.id
        lab.new_session()
        await lab.to_authorized("ExternalPayment")
        await lab.parameters()
        assert code(await lab.cable_check()) == "FAILED"
        lab.session, lab.id = first, first_id
        assert code(await lab.demand(10.0)) == "OK"

    run(work())


def test_provisioning_answers(make: Make) -> None:
    async def work() -> None:
        lab = make()
        request = iso2.CertificateInstallationReq(
            Id="id1",
            OEMProvisioningCert=b"\x30",
            ListOfRootCertificateIDs=iso2.ListOfRootCertificateIDs(RootCertificateID=[root_id()]),
        )
        for answer in (
            None,
            ProvisioningAnswer("Failed", None),
            ProvisioningAnswer("Accepted", b"rubbish"),
            ProvisioningAnswer("Accepted", bytes(70_000)),
        ):
            lab.new_session()
            lab.backend.provisioning = answer
            await lab.setup()
            await lab.discover()
            await lab.select("Contract", certificate_service=True)
            assert code(await lab.ask(request)).startswith("FAILED")
        body = lab.charger.policy.failed(
            "CertificateInstallationReq", iso2.responseCode.OK, lab.session, lab.charger
        )
        exi = codec.encode(
            iso2.V2G_Message(Header=iso2.MessageHeader(SessionID=bytes(8)), Body=iso2.Body(BodyElement=body))
        )
        lab.backend.provisioning = ProvisioningAnswer("Accepted", exi)
        lab.new_session()
        await lab.to_payment()
        assert code(await lab.ask(request)) == "OK"
        assert lab.session.expected == {"PaymentDetailsReq", "SessionStopReq"}

    run(work())


def root_id() -> object:
    from bench.v2g.messages import xmldsig

    return xmldsig.X509IssuerSerial(X509IssuerName="CN=x", X509SerialNumber=1)


def test_bytes_that_are_no_request_end_the_connection(make: Make) -> None:
    async def work() -> None:
        lab = make()
        response = iso2.SessionStopRes(ResponseCode=iso2.responseCode.OK)
        not_a_request = codec.encode(
            iso2.V2G_Message(
                Header=iso2.MessageHeader(SessionID=bytes(8)), Body=iso2.Body(BodyElement=response)
            )
        )
        for payload in (b"", b"\x80", b"\xff" * 40, not_a_request):
            with pytest.raises(dispatch.Hangup):
                await dispatch.answer(payload, lab.session, lab.charger)

    run(work())


def test_schema_invalid_content_is_refused_not_looked_at(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.to_payment()
        await lab.details()
        request = iso2.AuthorizationReq(Id="id1", GenChallenge=b"\1" * 3)
        message = iso2.V2G_Message(
            Header=iso2.MessageHeader(SessionID=lab.id), Body=iso2.Body(BodyElement=request)
        )
        answer = await dispatch.answer(codec.encode(message, deviations=True), lab.session, lab.charger)
        assert answer is not None
        assert code(codec.decode("iso2", answer).Body.BodyElement).startswith("FAILED")

    run(work())
