"""DIN SPEC 70121 through the dispatcher: what a conforming charger answers, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from charger_lab import CARD, Lab, code, run

from bench.charger.profile import ProfileError, from_table
from bench.charger.secc import dispatch, protocols
from bench.charger.secc.session import Session
from bench.charger.secc.warm_up import din_messages
from bench.v2g import codec
from bench.v2g.messages import din, iso2, sap

Make = Callable[..., Lab]
DIN, ISO = "urn:din:70121:2012:MsgDef", "urn:iso:15118:2:2013:MsgDef"


def status() -> din.DC_EVStatus:
    return din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)


def physical(value: float, unit: str) -> din.PhysicalValue:
    return din.PhysicalValue.of(value, unit)


@dataclass
class DinCar:
    """A car that talks DIN to the dispatcher of a lab's charger."""

    lab: Lab
    id: bytes = bytes(8)

    def __post_init__(self) -> None:
        self.lab.session = Session(protocol="din")

    async def ask(self, body: din.BodyElement) -> Any:
        payload = codec.encode(
            din.V2G_Message(Header=din.MessageHeader(SessionID=self.id), Body=din.Body(BodyElement=body))
        )
        answer = await dispatch.answer(payload, self.lab.session, self.lab.charger)
        assert answer is not None
        findings: list[str] = []
        message = codec.decode("din", answer, findings=findings)
        assert codec.encode(message) == answer and findings == []
        if isinstance(body, din.SessionSetupReq):
            self.id = message.Header.SessionID
        assert message.Header.SessionID == self.lab.session.id
        return message.Body.BodyElement

    async def setup(self) -> Any:
        return await self.ask(din.SessionSetupReq(EVCCID=b"\x02\0\0\0\0\1"))

    async def discover(self) -> Any:
        return await self.ask(din.ServiceDiscoveryReq(ServiceCategory=din.serviceCategory.EVCharging))

    async def select(self, option: str = "ExternalPayment", service: int = 1) -> Any:
        chosen = din.SelectedServiceList(SelectedService=[din.SelectedService(ServiceID=service)])
        return await self.ask(
            din.ServicePaymentSelectionReq(
                SelectedPaymentOption=din.paymentOption(option), SelectedServiceList=chosen
            )
        )

    async def authenticate(self) -> Any:
        return await self.ask(din.ContractAuthenticationReq())

    async def parameters(self, mode: str = "DC_extended", max_v: float = 450.0) -> Any:
        return await self.ask(
            din.ChargeParameterDiscoveryReq(
                EVRequestedEnergyTransferType=din.EVRequestedEnergyTransfer(mode),
                EVChargeParameter=din.DC_EVChargeParameter(
                    DC_EVStatus=status(),
                    EVMaximumCurrentLimit=physical(200.0, "A"),
                    EVMaximumVoltageLimit=physical(max_v, "V"),
                ),
            )
        )

    async def cable_check(self) -> list[Any]:
        """Every answer until one is not Ongoing."""
        answers = []
        while not answers or answers[-1].EVSEProcessing == "Ongoing":
            answers.append(await self.ask(din.CableCheckReq(DC_EVStatus=status())))
            await asyncio.sleep(0)
        return answers

    async def precharge(self, voltage_v: float = 400.0) -> Any:
        return await self.ask(
            din.PreChargeReq(
                DC_EVStatus=status(),
                EVTargetVoltage=physical(voltage_v, "V"),
                EVTargetCurrent=physical(1.0, "A"),
            )
        )

    async def power(self, ready: bool) -> Any:
        return await self.ask(din.PowerDeliveryReq(ReadyToChargeState=ready))

    async def demand(self, current_a: float, voltage_v: float = 400.0) -> Any:
        return await self.ask(
            din.CurrentDemandReq(
                DC_EVStatus=status(),
                EVTargetCurrent=physical(current_a, "A"),
                ChargingComplete=False,
                EVTargetVoltage=physical(voltage_v, "V"),
            )
        )

    async def welding(self) -> Any:
        return await self.ask(din.WeldingDetectionReq(DC_EVStatus=status()))

    async def stop(self) -> Any:
        return await self.ask(din.SessionStopReq())

    async def to_parameters(self) -> None:
        await self.lab.charger.present_card(CARD)
        for step in (self.setup, self.discover, self.select, self.authenticate, self.parameters):
            assert code(await step()).startswith("OK")

    async def to_charging(self) -> None:
        await self.to_parameters()
        await self.cable_check()
        await self.precharge()
        assert code(await self.power(True)) == "OK"


def test_a_whole_session(make: Make) -> None:
    async def work() -> None:
        lab = make(tls=False)
        car = DinCar(lab)
        await lab.charger.present_card(CARD)
        setup = await car.setup()
        assert code(setup) == "OK_NewSessionEstablished"
        assert setup.EVSEID == b"DE*PBX*E00001" and setup.DateTimeNow > 1_600_000_000
        offered = await car.discover()
        assert offered.PaymentOptions.PaymentOption == [din.paymentOption.ExternalPayment]
        assert offered.ChargeService.EnergyTransferType == "DC_extended"
        assert code(await car.select()) == "OK"
        assert (await car.authenticate()).EVSEProcessing == "Finished"
        limits = await car.parameters()
        assert limits.EVSEChargeParameter.EVSEMaximumPowerLimit.value == 150_000
        assert limits.SASchedules.SAScheduleTuple[0].PMaxSchedule.PMaxScheduleEntry[0].PMax == 32_767
        check = (await car.cable_check())[-1]
        assert check.DC_EVSEStatus.EVSEIsolationStatus == "Valid"
        assert (await car.precharge()).EVSEPresentVoltage.value == pytest.approx(400.0)
        assert code(await car.power(True)) == "OK"
        loop = await car.demand(20.0)
        assert loop.EVSEPresentCurrent.value == pytest.approx(20.0)
        assert loop.EVSEMaximumCurrentLimit.value == 200 and not loop.EVSECurrentLimitAchieved
        assert (await car.demand(1000.0)).EVSECurrentLimitAchieved
        assert code(await car.power(False)) == "OK"
        assert not lab.cable.output.dc_enabled
        assert (await car.welding()).EVSEPresentVoltage.value < 60
        assert code(await car.stop()) == "OK"
        assert lab.session.closed and lab.session.expected == frozenset()
        assert lab.backend.events.count("charging stopped: StoppedByEV") == 1

    run(work())


def test_ongoing_while_nobody_has_paid_and_while_the_cable_is_tested(make: Make) -> None:
    async def work() -> None:
        lab = make(tls=False)
        lab.charger.power.dc.insulation_hold_s = 0.01
        car = DinCar(lab)
        await car.setup()
        await car.discover()
        await car.select()
        waiting = await car.authenticate()
        assert (code(waiting), waiting.EVSEProcessing) == ("OK", "Ongoing")
        assert code(await car.parameters()) == "FAILED_SequenceError"

        car = DinCar(lab)
        await car.to_parameters()
        checks = await car.cable_check()
        assert [each.EVSEProcessing for each in checks[:-1]] == ["Ongoing"] * (len(checks) - 1)
        assert len(checks) > 1
        assert checks[0].DC_EVSEStatus.EVSEStatusCode == "EVSE_IsolationMonitoringActive"
        assert checks[0].DC_EVSEStatus.EVSEIsolationStatus == "Invalid"

    run(work())


def test_every_request_has_a_refusal_of_its_kind(make: Make) -> None:
    """With an unknown session id every request but SessionSetupReq is FAILED_UnknownSession."""

    async def work() -> None:
        lab = make(tls=False)
        steps = ("discover", "select", "authenticate", "parameters", "precharge", "welding", "stop")
        for name in steps:
            car = DinCar(lab)
            await car.setup()
            car.id = b"\x01" * 8
            assert code(await getattr(car, name)()) == "FAILED_UnknownSession", name
        for last in (lambda car: car.power(True), lambda car: car.demand(1.0)):
            car = DinCar(lab)
            await car.setup()
            assert code(await last(car)) == "FAILED_SequenceError"
        car = DinCar(lab)
        assert code(await car.discover()) == "FAILED_SequenceError"
        car = DinCar(lab)
        await car.setup()
        assert code((await car.cable_check())[0]) == "FAILED_SequenceError"

    run(work())


@pytest.mark.parametrize(
    ("refused", "wanted"),
    [
        (lambda car: car.select("Contract"), "FAILED_PaymentSelectionInvalid"),
        (lambda car: car.select(service=7), "FAILED_ServiceSelectionInvalid"),
    ],
)
def test_wrong_selections(make: Make, refused: Callable[[DinCar], Any], wanted: str) -> None:
    async def work() -> None:
        lab = make(tls=False)
        car = DinCar(lab)
        await car.setup()
        await car.discover()
        assert code(await refused(car)) == wanted
        assert lab.session.failed

    run(work())


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("AC_three_phase_core",), "FAILED_WrongEnergyTransferType"),
        (("DC_unique",), "FAILED_WrongEnergyTransferType"),
        (("DC_extended", 48.0), "FAILED_WrongChargeParameter"),
    ],
)
def test_wrong_parameters(make: Make, arguments: tuple[Any, ...], wanted: str) -> None:
    async def work() -> None:
        lab = make(tls=False)
        car = DinCar(lab)
        await lab.charger.present_card(CARD)
        await car.setup()
        await car.discover()
        await car.select()
        await car.authenticate()
        assert code(await car.parameters(*arguments)) == wanted

    run(work())


def test_power_needs_precharge_and_ends_at_a_wrong_turn(make: Make) -> None:
    async def work() -> None:
        lab = make(tls=False)
        car = DinCar(lab)
        await car.to_parameters()
        assert code(await car.power(True)) == "FAILED_SequenceError"
        assert not lab.cable.output.dc_enabled

        car = DinCar(lab)
        await car.to_charging()
        await car.demand(10.0)
        assert lab.cable.output.dc_enabled
        assert code(await car.precharge()) == "FAILED_SequenceError"
        assert not lab.cable.output.dc_enabled
        assert code(await car.stop()) == "OK"

    run(work())


def test_a_failed_cable_check_is_told(make: Make) -> None:
    async def work() -> None:
        lab = make(tls=False)

        async def broken() -> bool:
            return False

        lab.charger.power.dc.insulation_test = broken  # type: ignore[method-assign]
        car = DinCar(lab)
        await car.to_parameters()
        check = (await car.cable_check())[-1]
        assert code(check) == "FAILED" and check.DC_EVSEStatus.EVSEIsolationStatus == "Invalid"

    run(work())


def test_messages_of_another_protocol_end_the_connection(make: Make) -> None:
    async def work() -> None:
        lab = make(tls=False)
        DinCar(lab)
        body = iso2.Body(BodyElement=iso2.SessionSetupReq(EVCCID=bytes(6)))
        iso = codec.encode(iso2.V2G_Message(Header=iso2.MessageHeader(SessionID=bytes(8)), Body=body))
        paid = din.PaymentDetailsReq(
            ContractID="X", ContractSignatureCertChain=din.CertificateChain(Certificate=b"\x30")
        )
        unused = codec.encode(
            din.V2G_Message(Header=din.MessageHeader(SessionID=bytes(8)), Body=din.Body(BodyElement=paid))
        )
        for payload in (iso, unused, b"\x80"):
            with pytest.raises(dispatch.Hangup):
                await dispatch.answer(payload, lab.session, lab.charger)

    run(work())


def test_no_bit_of_a_request_breaks_the_charger(make: Make) -> None:
    """Each request with each of its bits flipped, in a running session: an answer that decodes, or the
    end.
    """

    async def work() -> None:
        lab = make(tls=False)
        warm = [each for each in din_messages(lab.charger) if type(each).__name__.endswith("Req")]
        assert {type(each).__name__ for each in warm} == set(lab.charger.din_handlers)
        for body in warm:
            good = codec.encode(
                din.V2G_Message(Header=din.MessageHeader(SessionID=bytes(8)), Body=din.Body(BodyElement=body))
            )
            for bit in range(8 * len(good)):
                session = Session(protocol="din", expected=frozenset(lab.charger.din_handlers))
                session.authorized = True
                payload = bytearray(good)
                payload[bit // 8] ^= 0x80 >> bit % 8
                try:
                    answer = await dispatch.answer(bytes(payload), session, lab.charger)
                except dispatch.Hangup:
                    continue
                finally:
                    lab.charger.connection_lost(session)
                assert answer is not None
                assert isinstance(codec.decode("din", answer), din.V2G_Message)

    run(work())


# --- supportedAppProtocol -----------------------------------------------------------------------------------
def offers(*namespaces: str, minor: int = 0) -> sap.supportedAppProtocolReq:
    """What an EV offers, the most wanted first."""
    return sap.supportedAppProtocolReq(
        AppProtocol=[
            sap.AppProtocol(
                ProtocolNamespace=each,
                VersionNumberMajor=2,
                VersionNumberMinor=minor,
                SchemaID=10 + n,
                Priority=n + 1,
            )
            for n, each in enumerate(namespaces)
        ]
    )


@pytest.mark.parametrize(
    ("wanted", "spoken", "tls", "agreed"),
    [
        ((DIN,), ("iso2", "din"), False, "din"),
        ((ISO,), ("iso2", "din"), False, "iso2"),
        ((DIN, ISO), ("iso2", "din"), False, "din"),
        ((ISO, DIN), ("iso2", "din"), False, "iso2"),
        (("urn:else", DIN), ("iso2", "din"), False, "din"),
        ((DIN, ISO), ("iso2",), False, "iso2"),
        ((DIN,), ("iso2",), False, None),
        ((DIN,), ("iso2", "din"), True, None),
        ((DIN, ISO), ("iso2", "din"), True, "iso2"),
    ],
)
def test_the_ev_chooses_among_what_is_spoken(
    wanted: tuple[str, ...], spoken: tuple[Any, ...], tls: bool, agreed: str | None
) -> None:
    request = offers(*wanted)
    response = protocols.choose(request, spoken, tls=tls)
    if agreed is None:
        assert response.ResponseCode == "Failed_NoNegotiation" and response.SchemaID is None
    else:
        assert response.ResponseCode == "OK_SuccessfulNegotiation"
        assert protocols.agreed(request, response) == agreed


def test_another_minor_version_is_told() -> None:
    response = protocols.choose(offers(DIN, minor=1), ("din",), tls=False)
    assert response.ResponseCode == "OK_SuccessfulNegotiationWithMinorDeviation"


def test_the_profile_says_what_is_spoken() -> None:
    assert from_table({}).protocols == ("iso2", "din")
    assert from_table({"simulated": {"protocols": ["iso2"]}}).protocols == ("iso2",)
    for wrong in ([], "din", ["iso20"], [1]):
        with pytest.raises(ProfileError, match="protocols is a list"):
            from_table({"simulated": {"protocols": wrong}})
