"""Cars that leave, fall silent or send what cannot be right, and a backend that goes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.ev import faults
from bench.plan import Expect, Inconclusive, Measure, testcase
from bench.v2g import timers
from bench.v2g.messages import iso2
from testplans.plug_and_charge.journeys import (
    backend_goes_away,
    backend_returns,
    ends,
    is_authorized,
    pay_by_card,
    talks_again,
    transaction_begun,
)

if TYPE_CHECKING:
    from bench.csms import Csms
    from fixtures.car import Car
    from fixtures.card import Rfid
    from fixtures.charger_state import ChargerState

CHARGE_S = 0.4
POWER_OFF_S = 2.0
"""From the plug to less than 60 V, a limit of this plan: it leaves room for sampling and discharge."""
OFFLINE_CHARGE_S = 1.0
CARD_LIMIT_S = 5.0
"""How long the car goes on asking after a card that must not be accepted."""
FLOWING_A = 5.0
NOT_EXI = bytes.fromhex("8098ffffffffffffffffffffffffffff")
"""Begins as a V2G message does, and cannot be decoded."""
STRANGE_PROTOCOL = "urn:plugbench:no:such:protocol"


@testcase(
    "PNC-095",
    requires=["V2G2-570", "V2G2-571"],
    source="FB-06; ISO 15118-4, SessionStop_001",
    confidence="source",
    areas=["charger"],
    defects=["early-stop-sequence-error"],
)
def test_early_stop_is_orderly(ev: Car, expect: Expect) -> None:
    """A car may end the session before any power was delivered.

    Precondition: DC session by contract, authorised.
    Stimulus: SessionStopReq where ChargeParameterDiscoveryReq would be next.
    Expected: SessionStopRes OK.
    """
    session = ev.plug_in(energy="dc").until("ChargeParameterDiscoveryReq")
    with expect.session_may_end() as ending:
        session.stop()
    expect(ending.reason, "end of the session before SessionStopRes OK").to_be(None)
    expect.accepted(session.responses["SessionStopRes"])


@testcase(
    "PNC-096",
    requires=["V2G2-459", "V2G2-538", "V2G2-539"],
    source="ISO 15118-4, TC_SECC_CMN_VTB_Authorization_004",
    confidence="source",
    areas=["charger"],
    defects=["no-sequence-check"],
    deviates=["order"],
)
def test_message_out_of_order_is_refused(ev: Car, expect: Expect) -> None:
    """A message out of order is refused.

    Precondition: session by contract up to AuthorizationReq.
    Stimulus: a well-formed ServiceDiscoveryReq in its place.
    Expected: FAILED_SequenceError.
    """
    session = ev.plug_in(energy="dc").until("AuthorizationReq")
    session.deviate("AuthorizationReq", faults.replace(iso2.ServiceDiscoveryReq()))
    expect.refused(expect.answered(session), "FAILED_SequenceError")


@testcase(
    "PNC-097",
    requires=["V2G2-460"],
    source="ISO 15118-4, *_UnknownSession rows; EXI-07; FB-11",
    confidence="source",
    areas=["charger"],
    defects=["no-session-id-check"],
    deviates=["session-id"],
)
def test_foreign_session_id_is_refused(ev: Car, expect: Expect) -> None:
    """A request with another SessionID than the one assigned is refused.

    Precondition: two sessions, each after SessionSetup.
    Stimulus: ServiceDiscoveryReq with a foreign SessionID in the first, with zero in the second.
    Expected: FAILED_UnknownSession.
    """
    for zero in (False, True):
        session = ev.plug_in(energy="dc").until("ServiceDiscoveryReq")
        wrong = bytes(0 if zero else byte ^ 0xFF for byte in session.session_id)
        session.deviate("ServiceDiscoveryReq", faults.header(SessionID=wrong))
        expect.refused(expect.answered(session), "FAILED_UnknownSession")
        ev.unplug()


@testcase(
    "PNC-098",
    requires=["V2G2-443", "V2G2-537"],
    source="ISO 15118-4, *_sequence_timeout rows; timers.toml V2G_SECC_Sequence_Timeout",
    confidence="source2",
    areas=["charger"],
    defects=["never-times-out"],
    slow=True,
)
def test_silent_car_is_dropped(ev: Car, expect: Expect, measure: Measure) -> None:
    """A car that falls silent is dropped after the sequence timeout of 60 s.

    Precondition: session after SessionSetup.
    Stimulus: nothing more is sent; the connection stays open.
    Expected: the charger closes it, not before the 40 s that a car may take, and at most 5 s after the
    timeout.
    """
    session = ev.plug_in(energy="dc").until("ServiceDiscoveryReq")
    patience, timeout = (
        timers.get(f"iso2.{name}")
        for name in ("V2G_EVCC_Sequence_Performance_Time", "V2G_SECC_Sequence_Timeout")
    )
    latest_s = timeout.value + timers.get("iso2.tcp_close_after_failure").value
    measure(
        "silence until the charger closed",
        session.wait_closed(latest_s + 1.0),
        unit="s",
        low=patience.value,
        high=latest_s,
        limit=f"{timeout.name} {timeout.value:g} s, and 5 s to close ({timeout.source})",
        confidence=timeout.confidence,
    )


@testcase(
    "PNC-099",
    requires=["EXI-05"],
    source="EXI-05",
    confidence="memory",
    areas=["charger"],
    defects=["reads-one-segment-per-message"],
)
def test_message_in_two_segments(ev: Car, expect: Expect) -> None:
    """A message that comes in two pieces is understood.

    Precondition: connection with the protocol agreed.
    Stimulus: SessionSetupReq in two TCP segments (TLS records), 20 ms apart.
    Expected: SessionSetupRes OK.
    """
    session = ev.plug_in(energy="dc").until("SessionSetupReq")
    session.deviate("SessionSetupReq", faults.split(2))
    expect.accepted(expect.answered(session))


@testcase(
    "PNC-100",
    requires=["IEC 61851-23 CC"],
    source="bench/v2g/timers.toml iec61851 timing_s.any_to_A, iec61851_23_dc.cablecheck_safe_voltage_V",
    confidence="memory",
    areas=["charger"],
    defects=["keeps-power-after-unplug"],
    deviates=["pilot"],
)
def test_unplug_in_mid_charge(ev: Car, expect: Expect, measure: Measure) -> None:
    """When the plug is pulled in mid-charge the power goes off.

    Precondition: DC session by contract, current flows.
    Stimulus: pilot to state A, the car's contactor opens, the connection is torn down.
    Expected: less than 60 V at the connector within 2 s.
    """
    ev.plug_in(energy="dc").charge(for_s=CHARGE_S)
    if abs(expect.next_sample().current_a) < FLOWING_A:
        raise Inconclusive(f"less than {FLOWING_A:g} A flow, nothing would be switched off")
    ev.unplug()
    took_s = expect.voltage_below(timers.get("dc.cablecheck_safe_voltage").value, within_s=POWER_OFF_S)
    measure("unplug to less than 60 V", took_s, high=timers.get("iec61851.contactor_open_after_A"))


@testcase(
    "PNC-101",
    requires=["E12"],
    source="TC_E_40_CS; FB-26",
    confidence="source",
    areas=["backend", "charger"],
    defects=["stops-on-backend-loss"],
)
def test_backend_lost_in_mid_charge(ev: Car, csms: Csms, charger_state: ChargerState, expect: Expect) -> None:
    """Charging goes on when the backend is lost.

    Precondition: DC session by contract in the charge loop, its transaction known to the backend.
    Stimulus: the backend goes away for 1 s and comes back.
    Expected: the charge loop goes on all the while, and the transaction is not ended.
    """
    session = ev.plug_in(energy="dc").charge(for_s=CHARGE_S)
    transaction_id = transaction_begun(csms, expect)
    backend_goes_away(csms, charger_state)
    with expect.session_may_end() as ending:
        session.charge(for_s=OFFLINE_CHARGE_S)
        backend_returns(csms)
        session.charge(for_s=CHARGE_S)
    expect(ending.reason, "end of charging").to_be(None)
    expect.backend_did_not_see("TransactionEvent", where=ends(transaction_id))
    session.stop()


@testcase(
    "PNC-102",
    requires=["EXI-01"],
    source="EXI-01",
    confidence="memory",
    areas=["charger"],
    defects=["dies-on-malformed-exi"],
)
def test_malformed_exi_is_survived(ev: Car, expect: Expect) -> None:
    """A message that cannot be decoded ends at most its own session.

    Precondition: session after SessionSetup.
    Stimulus: bytes that are no EXI in place of ServiceDiscoveryReq; then the car is replugged.
    Expected: a FAILED answer, silence or the end of the connection; SessionSetupRes OK in the next session.
    """
    session = ev.plug_in(energy="dc").until("ServiceDiscoveryReq")
    session.deviate("ServiceDiscoveryReq", faults.raw(NOT_EXI))
    with expect.session_may_end() as ending:
        answer = session.send_next()
    if ending.reason is None:
        expect.refused(answer)
    ev.unplug()
    talks_again(expect, ev)


@testcase(
    "PNC-103",
    requires=["V2G2-172"],
    source="ISO 15118-4, TC_SECC_CMN_VTB_SupportedAppProtocol_002",
    confidence="source",
    areas=["charger"],
    defects=["accepts-unknown-protocol"],
)
def test_unknown_protocol_is_not_negotiated(ev: Car, expect: Expect) -> None:
    """A protocol that nobody speaks is not negotiated.

    Precondition: connection to the charger.
    Stimulus: supportedAppProtocolReq with nothing but an unknown namespace.
    Expected: Failed_NoNegotiation.
    """
    session = ev.plug_in(energy="dc").connect()
    for offer in session.pending.AppProtocol:
        offer.ProtocolNamespace = STRANGE_PROTOCOL
    answer = expect.answered(session)
    expect(answer.ResponseCode, "ResponseCode of supportedAppProtocolRes").to_be("Failed_NoNegotiation")


@testcase(
    "PNC-104",
    requires=["V2G2-854", "V2G2-856"],
    source="AUT2-13; FB-23",
    confidence="source",
    areas=["fallback", "backend"],
    defects=["accepts-rejected-rfid"],
)
def test_rejected_card_does_not_charge(ev: Car, csms: Csms, rfid: Rfid, expect: Expect) -> None:
    """A card that the backend rejects does not charge.

    Precondition: session with ExternalPayment up to Authorization; the backend does not know the card.
    Stimulus: the card is held to the reader, AuthorizationReq for 5 s or until the charger refuses.
    Expected: never Finished with OK; no energy.
    """
    card = rfid.stranger()
    csms.tokens.block(card.token)
    answer = pay_by_card(ev.plug_in(energy="dc", auth="eim"), card, within_s=CARD_LIMIT_S)
    csms.wait_for("Authorize", lambda call: call.idToken.idToken.upper() == card.token, since=expect.since)
    expect.that(
        not is_authorized(answer), "the rejected card does not authorise", answer.ResponseCode, "no OK"
    )
    expect.no_energy_delivered()
