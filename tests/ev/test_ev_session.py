"""The session: order of messages, reactions to the charger, pilot and contactor, pause, timeouts."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import pytest
from fake_secc import A, Close, FakeSecc, V

from bench.ev.credentials import Credentials
from bench.ev.emulator import EvEmulator
from bench.ev.errors import (
    ChargerClosed,
    ChargerGarbage,
    ChargerTimeout,
    MissingPower,
    PlanMistake,
    SessionEnded,
)
from bench.ev.vehicle import Vehicle
from bench.pki import Pki
from bench.timeline import Timeline
from bench.v2g.messages import iso2

MakeEv = Callable[..., EvEmulator]

DC_PNC = [
    "supportedAppProtocolReq",
    "SessionSetupReq",
    "ServiceDiscoveryReq",
    "PaymentServiceSelectionReq",
    "PaymentDetailsReq",
    "AuthorizationReq",
    "ChargeParameterDiscoveryReq",
    "CableCheckReq",
    "PreChargeReq",
    "PowerDeliveryReq",
    "CurrentDemandReq",
    "PowerDeliveryReq",
    "WeldingDetectionReq",
    "SessionStopReq",
]


def folded(names: list[str]) -> list[str]:
    return [name for name, _ in groupby(names)]


def test_dc_contract_session_in_order(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "pnc").run(0.03)
    assert folded(secc.names()) == DC_PNC
    assert session.ended == "finished"
    assert secc.sent("CurrentDemandReq")[-1].EVTargetCurrent.value == 0
    assert [each.ChargeProgress for each in secc.sent("PowerDeliveryReq")] == ["Start", "Stop"]
    assert secc.sent("PowerDeliveryReq")[0].SAScheduleTupleID == 7
    assert {each.SessionID for each in secc.headers[2:]} == {secc.session_id}
    assert session.energy_wh > 0


def test_ac_eim_session_in_order(ev: EvEmulator, secc: FakeSecc) -> None:
    secc.dc = False
    ev.plug_in("ac", "eim").run(0.03)
    wanted = [name for name in DC_PNC if name not in ("PaymentDetailsReq", "CableCheckReq", "PreChargeReq")]
    wanted = [name.replace("CurrentDemand", "ChargingStatus") for name in wanted]
    wanted.remove("WeldingDetectionReq")
    assert folded(secc.names()) == wanted


def test_handshake_steps_add_up_and_are_quick(tls_ev: EvEmulator, tls_secc: FakeSecc) -> None:
    session = tls_ev.plug_in("dc", "pnc", tls=True)
    session.until("CurrentDemandReq")
    names = [each.name for each in session.steps]
    assert names == [
        "tls_handshake",
        "payment_service_selection",
        "payment_details_req",
        "payment_details_res",
        "charge_parameter_discovery",
        "power_delivery_start",
    ]
    assert session.handshake_s == pytest.approx(sum(each.duration_s for each in session.steps), abs=1e-6)
    assert session.handshake_s < 0.5
    assert session.tls is not None and session.tls.problems == []


def test_signatures_verify(tls_ev: EvEmulator, tls_secc: FakeSecc, pki: Pki) -> None:
    from bench.v2g import signature

    tls_secc.receipt = True
    tls_ev.plug_in("dc", "pnc", tls=True).run(0.02)
    key = pki.contract.certificate.public_key()
    checked = 0
    for body, header in zip(tls_secc.requests, tls_secc.headers, strict=True):
        if type(body).__name__ in ("AuthorizationReq", "MeteringReceiptReq"):
            check = signature.verify(header.Signature, [body], key)  # type: ignore[arg-type]
            assert check.ok, check.reasons
            checked += 1
    assert checked == 2
    assert tls_secc.sent("AuthorizationReq")[0].GenChallenge == tls_secc.challenge
    assert tls_secc.sent("MeteringReceiptReq")[0].MeterInfo.MeterID == "FAKE-1"


def test_until_and_pending_can_be_edited(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "pnc").until("PaymentDetailsReq")
    assert secc.sent("PaymentDetailsReq") == []
    session.pending.eMAID = "DEPBXC99999999"
    answer = session.send_next()
    assert answer.ResponseCode == "OK"
    assert secc.sent("PaymentDetailsReq")[0].eMAID == "DEPBXC99999999"
    assert session.pending_name == "AuthorizationReq"


def test_ongoing_repeats_until_finished(ev: EvEmulator, secc: FakeSecc) -> None:
    def waits(req: Any, fake: FakeSecc) -> Any:
        done = len(fake.sent("AuthorizationReq")) >= 4
        return iso2.AuthorizationRes(
            ResponseCode=iso2.responseCode.OK,
            EVSEProcessing=iso2.EVSEProcessing.Finished if done else iso2.EVSEProcessing.Ongoing,
        )

    secc.answers["AuthorizationReq"] = waits
    ev.plug_in("dc", "eim").until("CableCheckReq")
    assert len(secc.sent("AuthorizationReq")) == 4


def test_ongoing_has_an_end(ev: EvEmulator, secc: FakeSecc) -> None:
    secc.answers["AuthorizationReq"] = lambda req, fake: iso2.AuthorizationRes(
        ResponseCode=iso2.responseCode.OK, EVSEProcessing=iso2.EVSEProcessing.Ongoing
    )
    session = ev.plug_in("dc", "eim", pace__ongoing_limit_s=0.1)
    with pytest.raises(SessionEnded, match="AuthorizationReq going"):
        session.until("CableCheckReq")


def test_a_refusal_is_returned_by_send_next_and_raised_by_until(ev: EvEmulator, secc: FakeSecc) -> None:
    code = iso2.responseCode.FAILED_CertificateExpired
    secc.answers["PaymentDetailsReq"] = lambda req, fake: iso2.PaymentDetailsRes(
        ResponseCode=code, GenChallenge=bytes(16), EVSETimeStamp=0
    )
    session = ev.plug_in("dc", "pnc")
    assert session.through("PaymentDetailsReq").ResponseCode == code
    assert session.ended == "PaymentDetailsRes: FAILED_CertificateExpired"
    with pytest.raises(SessionEnded) as caught:
        session.until("AuthorizationReq")
    assert caught.value.response_code == code and caught.value.after == "PaymentDetailsReq"


def test_the_charger_asks_to_stop(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim").charge(0.02)
    secc.notification = "StopCharging"
    session.charge(5, until_stopped=True)
    assert session.stop_requested == "EVSENotification StopCharging"
    session.stop()
    assert secc.names()[-1] == "SessionStopReq" and session.ended == "finished"


def test_charge_raises_when_the_charger_ends_it(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim").charge(0.02)
    secc.status_code = "EVSE_EmergencyShutdown"
    with pytest.raises(SessionEnded, match="EVSE_EmergencyShutdown"):
        session.charge(5)
    assert secc.names()[-1] == "SessionStopReq"


def test_renegotiation_by_the_car_and_by_the_charger(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim").charge(0.01)
    session.renegotiate().charge(0.01)
    secc.notification = "ReNegotiation"
    session.run(0.05)
    progress = [each.ChargeProgress for each in secc.sent("PowerDeliveryReq")]
    assert progress == ["Start", "Renegotiate", "Start", "Renegotiate", "Start", "Stop"]
    assert len(secc.sent("CableCheckReq")) == 3


def test_renegotiation_without_a_second_cable_check(ev: EvEmulator, secc: FakeSecc) -> None:
    ev.plug_in("dc", "eim", quirks__renegotiation="power-delivery").charge(0.01).renegotiate().stop()
    assert len(secc.sent("CableCheckReq")) == 1


def test_pause_and_resume_join_the_session(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim").charge(0.01).pause()
    assert secc.sent("SessionStopReq")[-1].ChargingSession == "Pause"
    again = session.resume()
    again.run(0.01)
    assert again.state.joined and again.session_id == session.session_id
    assert secc.connections == 2
    with pytest.raises(PlanMistake, match="paused"):
        again.resume()


def test_early_stop_after_authorization(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim")
    session.through("AuthorizationReq")
    session.stop()
    assert secc.names()[-2:] == ["AuthorizationReq", "SessionStopReq"]
    assert session.ended == "finished"


def test_a_full_battery_ends_charging(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim", soc_percent=100.0)
    session.charge()
    session.stop()
    assert session.ended == "finished"


def test_out_of_order_message(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim").until("AuthorizationReq")
    refused = iso2.WeldingDetectionRes(
        ResponseCode=iso2.responseCode.FAILED_SequenceError,
        DC_EVSEStatus=secc.dc_status(),
        EVSEPresentVoltage=V(0),
    )
    secc.answers["WeldingDetectionReq"] = lambda req, fake: refused
    answer = session.send(iso2.WeldingDetectionReq(DC_EVStatus=session.state.ev_status(ready=False)))
    assert answer.ResponseCode == "FAILED_SequenceError"
    assert session.pending_name == "AuthorizationReq" and session.ended is None


def test_wrong_answer_ends_the_session(ev: EvEmulator, secc: FakeSecc) -> None:
    secc.answers["CableCheckReq"] = lambda req, fake: iso2.AuthorizationRes(
        ResponseCode=iso2.responseCode.OK, EVSEProcessing=iso2.EVSEProcessing.Finished
    )
    with pytest.raises(SessionEnded, match="CableCheckReq was answered by AuthorizationRes"):
        ev.plug_in("dc", "eim").until("PreChargeReq")


def test_silence_is_a_timeout_and_patience_notes_it(
    ev: EvEmulator, secc: FakeSecc, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.ev.protocols import Protocol

    monkeypatch.setattr(Protocol, "message_timeout_s", lambda self, name: 0.05)
    secc.answers["ServiceDiscoveryReq"] = lambda req, fake: None
    with pytest.raises(ChargerTimeout, match="ServiceDiscoveryReq"):
        ev.plug_in("dc", "eim").until("AuthorizationReq")

    def slow(req: Any, fake: FakeSecc) -> Any:
        time.sleep(0.12)
        return fake.on_ServiceDiscoveryReq(req)

    secc.answers["ServiceDiscoveryReq"] = slow
    mark = timeline.mark()
    ev.plug_in("dc", "eim", receive_patience_s=1.0).until("AuthorizationReq")
    errors = [(each.name, each.data["after"]) for each in timeline.since(mark) if each.kind == "v2g-error"]
    assert errors == [("late", "ServiceDiscoveryReq")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", ChargerGarbage),
        (bytes.fromhex("01fe800100000004") + b"\x80\xff\xff\xff", ChargerGarbage),
        (bytes.fromhex("01fe900100000002") + b"\x00\x00", ChargerGarbage),
        (bytes.fromhex("01fe8001ffffffff"), ChargerGarbage),
    ],
)
def test_garbage(ev: EvEmulator, secc: FakeSecc, answer: bytes, error: type[Exception]) -> None:
    secc.answers["SessionSetupReq"] = lambda req, fake: answer
    with pytest.raises(error):
        ev.plug_in("dc", "eim").until("AuthorizationReq")


def test_a_charger_that_closes(ev: EvEmulator, secc: FakeSecc) -> None:
    def close(req: Any, fake: FakeSecc) -> Any:
        raise Close

    secc.answers["AuthorizationReq"] = close
    with pytest.raises(ChargerClosed, match="AuthorizationReq"):
        ev.plug_in("dc", "eim").until("CableCheckReq")
    # and the next session works
    del secc.answers["AuthorizationReq"]
    assert ev.plug_in("dc", "eim").run(0.01).ended == "finished"


def test_nobody_there(ev: EvEmulator) -> None:
    with pytest.raises(ChargerClosed):
        ev.plug_in("dc", "eim", address=("::1", 1)).until("SessionSetupReq")


def test_hostile_values_do_not_crash(ev: EvEmulator, secc: FakeSecc) -> None:
    def absurd(req: Any, fake: FakeSecc) -> Any:
        answer = fake.on_CurrentDemandReq(req)
        answer.EVSEPresentCurrent = iso2.PhysicalValue(Multiplier=3, Unit=iso2.unitSymbol.A, Value=32767)
        answer.EVSEMaximumCurrentLimit = iso2.PhysicalValue(
            Multiplier=3, Unit=iso2.unitSymbol.A, Value=-32768
        )
        return answer

    secc.answers["CurrentDemandReq"] = absurd
    session = ev.plug_in("dc", "eim").run(0.02)
    assert session.ended == "finished"
    assert all(each.EVTargetCurrent.value >= 0 for each in secc.sent("CurrentDemandReq"))


def test_schedule_missing_ends_the_session(ev: EvEmulator, secc: FakeSecc) -> None:
    def without(req: Any, fake: FakeSecc) -> Any:
        answer = fake.on_ChargeParameterDiscoveryReq(req)
        answer.SASchedules = None
        return answer

    secc.answers["ChargeParameterDiscoveryReq"] = without
    with pytest.raises(SessionEnded, match="SAScheduleTuple"):
        ev.plug_in("dc", "eim").until("CableCheckReq")


def test_unknown_names_are_plan_mistakes(ev: EvEmulator) -> None:
    with pytest.raises(PlanMistake, match="PaymentDetailReq"):
        ev.plug_in("dc", "eim").until("PaymentDetailReq")
    with pytest.raises(Exception, match="colour"):
        ev.plug_in("dc", "eim", colour="red")
    with pytest.raises(SessionEnded, match="without a PaymentDetailsReq"):
        ev.plug_in("dc", "eim").until("PaymentDetailsReq")


class Instruments:
    """Pilot, contactor, sink and load in one; notes what was asked of it."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.current_a = 0.0

    def set_state(self, state: str) -> None:
        self.log.append(("pilot", state))

    def close_contactor(self) -> None:
        self.log.append(("contactor", "close"))

    def open_contactor(self) -> None:
        self.log.append(("contactor", "open"))

    def set_voltage(self, voltage_v: float) -> None:
        self.log.append(("voltage", voltage_v))

    def set_current_limit(self, current_a: float) -> None:
        self.log.append(("limit", current_a))

    def set_current(self, current_a: float, phases: int = 3) -> None:
        self.log.append(("ac", current_a, phases))

    def output(self, on: bool) -> None:
        self.log.append(("output", on))

    def measure(self) -> Any:
        return SimpleNamespace(
            state="B",
            duty_percent=5.0,
            high_v=9.0,
            low_v=-12.0,
            voltage_v=358.0,
            current_a=self.current_a,
            power_w=0.0,
        )

    def short(self) -> list[tuple[Any, ...]]:
        return [each for each in self.log if each[0] in ("pilot", "contactor", "output", "ac")]


def test_dc_choreography(secc: FakeSecc, timeline: Timeline, pki: Pki, make_ev: MakeEv) -> None:
    box = Instruments()
    ev = make_ev(secc, Vehicle(box, box, box, box))
    session = ev.plug_in("dc", "eim")
    assert box.short() == [("pilot", "B")]
    session.until("CableCheckReq")
    assert box.short() == [("pilot", "B")]
    session.until("PowerDeliveryReq")
    assert box.short() == [("pilot", "B"), ("pilot", "C")]
    session.charge(0.01)
    assert box.short()[2:] == [("output", True), ("contactor", "close")]
    session.stop()
    ev.unplug()
    assert box.short()[4:] == [("contactor", "open"), ("output", False), ("pilot", "B"), ("pilot", "A")]
    kinds = [
        (each.kind, each.name) for each in timeline.since() if each.kind in ("pilot", "contactor", "sink")
    ]
    assert ("contactor", "close") in kinds and ("sink", "set") in kinds and ("pilot", "measured") in kinds


def test_ac_choreography(secc: FakeSecc, timeline: Timeline, pki: Pki, make_ev: MakeEv) -> None:
    secc.dc = False
    box = Instruments()
    ev = make_ev(secc, Vehicle(box, box, box, box))
    session = ev.plug_in("ac", "eim").until("PowerDeliveryReq")
    assert box.short() == [("pilot", "B")]
    session.charge(0.02)
    assert box.short()[1:4] == [("pilot", "C"), ("ac", 10.0, 3), ("output", True)]
    assert ("ac", 8.0, 3) in box.short()  # EVSEMaxCurrent of ChargingStatusRes
    session.stop()
    assert box.short()[-2:] == [("output", False), ("pilot", "B")]


def test_the_contactor_stays_open_on_a_wrong_inlet_voltage(
    secc: FakeSecc, timeline: Timeline, pki: Pki, make_ev: MakeEv
) -> None:
    box = Instruments()
    analyzer = SimpleNamespace(measure=lambda: SimpleNamespace(voltage_v=286.0))
    ev = make_ev(secc, Vehicle(box, box, box, inlet=analyzer))
    session = ev.plug_in("dc", "eim", dc__settle_s=0.05).until("PowerDeliveryReq")
    with pytest.raises(SessionEnded, match=r"286\.0 V at the inlet"):
        session.send_next()
    assert ("contactor", "close") not in box.log
    assert box.short()[-1] == ("pilot", "B")


def test_precharge_goes_on_until_the_voltage_fits(ev: EvEmulator, secc: FakeSecc) -> None:
    def rising(req: Any, fake: FakeSecc) -> Any:
        answer = fake.on_PreChargeReq(req)
        answer.EVSEPresentVoltage = V(min(358, 100 * len(fake.sent("PreChargeReq"))))
        return answer

    secc.answers["PreChargeReq"] = rising
    ev.plug_in("dc", "eim").until("PowerDeliveryReq")
    assert len(secc.sent("PreChargeReq")) == 4


def test_a_bench_without_a_sink_says_so(
    secc: FakeSecc, timeline: Timeline, pki: Pki, make_ev: MakeEv
) -> None:
    box = Instruments()
    ev = make_ev(secc, Vehicle(box, box))
    with pytest.raises(MissingPower, match="DcSink"):
        ev.plug_in("dc", "eim").charge(0.01)


def test_unplug_in_mid_charge(secc: FakeSecc, timeline: Timeline, pki: Pki, make_ev: MakeEv) -> None:
    box = Instruments()
    ev = make_ev(secc, Vehicle(box, box, box, box))
    session = ev.plug_in("dc", "eim").charge(0.01)
    mark = len(box.log)
    ev.unplug()
    assert box.log[mark] == ("pilot", "A")
    with pytest.raises(SessionEnded):
        session.charge(0.01)


def test_tls_verdict_recorded_or_strict(
    tls_secc: FakeSecc, timeline: Timeline, pki: Pki, make_ev: MakeEv
) -> None:
    stranger = Credentials(contract=pki.contract, v2g_roots=(pki.foreign.v2g_root.certificate,))
    ev = make_ev(tls_secc, None, stranger)
    session = ev.plug_in("dc", "pnc", tls=True).until("PaymentDetailsReq")
    assert session.tls is not None and session.tls.problems
    event = next(each for each in timeline.since() if each.kind == "tls")
    assert event.data["problems"] and len(event.data["chain"]) == 3
    with pytest.raises(SessionEnded, match="does not trust"):
        ev.plug_in("dc", "pnc", tls=True, verify="strict").until("PaymentDetailsReq")


def test_target_current_respects_the_charger(ev: EvEmulator, secc: FakeSecc) -> None:
    ev.plug_in("dc", "eim").run(0.02)
    highest = max(each.EVTargetCurrent.value for each in secc.sent("CurrentDemandReq"))
    assert highest <= A(125).value
