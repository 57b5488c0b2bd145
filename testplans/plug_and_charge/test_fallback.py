"""The other way, the second try, and what happens in mid-charge: card, pause, renegotiation, remote stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.ev import faults
from bench.plan import Expect, Inconclusive, testcase
from testplans.plug_and_charge.journeys import accepts_card, fresh_contract, talks_again, transaction_begun

if TYPE_CHECKING:
    from bench.csms import Csms
    from bench.ev.session import Session
    from bench.pki import Pki
    from fixtures.car import Car
    from fixtures.card import Rfid

CHARGE_S = 0.4
CARD_LIMIT_S = 10.0
"""From the card to EVSEProcessing Finished, a limit of this plan: a driver at the charger waits no longer."""
STOP_LIMIT_S = 10.0
"""From RequestStopTransaction to the charger's request to stop, a limit of this plan."""
IDLE_CURRENT_A = 2.5


@testcase(
    "PNC-090",
    requires=["C08", "V2G2-854"],
    source="BX_C08_EIM; FB-22",
    confidence="source",
    areas=["fallback", "charger"],
    defects=["no-rfid-fallback"],
)
def test_card_after_a_refused_contract(ev: Car, csms: Csms, pki: Pki, rfid: Rfid, expect: Expect) -> None:
    """After a refused contract the driver can charge with a card, in one transaction.

    Precondition: a contract that the backend blocks has been refused; the car stays plugged in.
    Stimulus: a new session with ExternalPayment, the card is held to the reader.
    Expected: Authorization Finished within 10 s, then one transaction, with the card's token.
    """
    contract = fresh_contract(pki, csms)
    csms.contracts.block(contract.emaid)
    _fails(expect, ev.plug_in(energy="dc", contract=contract))
    session = ev.plug_in(energy="dc", auth="eim").until("AuthorizationReq")
    accepts_card(expect, ev, rfid, session, within_s=CARD_LIMIT_S)
    session.charge(for_s=CHARGE_S).stop()
    token = expect.transaction(ended=False).id_token or {}
    expect(str(token.get("idToken")).upper(), "idToken of the transaction").to_be(rfid.token.upper())
    expect(token.get("type"), "token type of the transaction").to_be(rfid.type)
    events = csms.seen("TransactionEvent", since=expect.since)
    begun = {each.transactionInfo.transactionId for each in events if each.eventType == "Started"}
    expect(len(begun), "transactions begun").to_be(1)


@testcase(
    "PNC-091",
    requires=["V2G2-542"],
    source="FB-04; TLS2-18",
    confidence="source",
    areas=["fallback", "charger"],
    defects=["needs-replug-after-failure"],
)
def test_second_try_without_replug(ev: Car, expect: Expect) -> None:
    """After a failed session the car can start a new one without being replugged.

    Precondition: a session has ended with a FAILED answer (wrong challenge); the car stays plugged in.
    Stimulus: SECC discovery and a new session.
    Expected: SessionSetupRes OK; the new session goes on to charge.
    """
    first = ev.plug_in(energy="dc").deviate("AuthorizationReq", faults.change(GenChallenge=bytes(16)))
    _fails(expect, first)
    talks_again(expect, ev).charge(for_s=CHARGE_S)


@testcase(
    "PNC-092",
    requires=["V2G2-740", "V2G2-753", "V2G2-754"],
    source="ISO 15118-4, TC_SECC_DC_VTB_SessionSetup_001; FB-08 and FB-09",
    confidence="source",
    areas=["charger"],
    defects=["resume-refuses-old-session"],
)
def test_pause_and_resume(ev: Car, expect: Expect) -> None:
    """A paused session can be joined again.

    Precondition: DC session by contract that has charged and was ended with SessionStop Pause.
    Stimulus: SessionSetupReq with the SessionID of the paused session.
    Expected: OK_OldSessionJoined under the same SessionID; the session goes on to charge.
    """
    paused = ev.plug_in(energy="dc").charge(for_s=CHARGE_S).pause()
    session = paused.resume().until("SessionSetupReq")
    answer = expect.answered(session)
    expect(answer.ResponseCode, "ResponseCode of SessionSetupRes").to_be("OK_OldSessionJoined")
    expect(session.session_id, "SessionID").to_be(paused.session_id)
    session.charge(for_s=CHARGE_S).stop()


@testcase(
    "PNC-093",
    requires=["V2G2-589", "V2G2-841"],
    source="ISO 15118-4, ChargeParameterDiscovery_002; TC_K_57_CS; FB-10",
    confidence="source",
    areas=["charger"],
    defects=["renegotiation-refused"],
)
def test_renegotiation_in_mid_charge(ev: Car, expect: Expect) -> None:
    """The car can negotiate a new schedule in mid-charge.

    Precondition: DC session by contract in the charge loop.
    Stimulus: PowerDeliveryReq Renegotiate, ChargeParameterDiscoveryReq, PowerDeliveryReq Start.
    Expected: every answer OK with a schedule, and the charge loop goes on.
    """
    session = ev.plug_in(energy="dc").charge(for_s=CHARGE_S)
    with expect.session_may_end() as ending:
        session.renegotiate()
    expect(ending.reason, "end of the session during renegotiation").to_be(None)
    expect(session.responses["ChargeParameterDiscoveryRes"].EVSEProcessing, "EVSEProcessing").to_be(
        "Finished"
    )
    expect.accepted(expect.answered(session))


@testcase(
    "PNC-094",
    requires=["F03"],
    source="TC_E_35_CS",
    confidence="source",
    areas=["backend", "charger"],
    defects=["remote-stop-ignored"],
)
def test_remote_stop_ends_charging(ev: Car, csms: Csms, expect: Expect) -> None:
    """The backend can end charging.

    Precondition: DC session by contract in the charge loop, its transaction known to the backend.
    Stimulus: RequestStopTransaction.
    Expected: Accepted; within 10 s the charger asks the car to stop, or stops by itself; then no current.
    """
    session = ev.plug_in(energy="dc").charge(for_s=CHARGE_S)
    status = csms.request_stop(transaction_begun(csms, expect))
    expect(status, "RequestStopTransaction").to_be("Accepted")
    with expect.session_may_end() as ending:
        session.charge(for_s=STOP_LIMIT_S, until_stopped=True)
    why = session.stop_requested or ending.reason
    expect(why, f"end of charging within {STOP_LIMIT_S:g} s").to_be_present()
    if ending.reason is None:
        session.stop()
    expect.next_sample(lambda sample: abs(sample.current_a) <= IDLE_CURRENT_A)


def _fails(expect: Expect, session: Session) -> None:
    """Drive `session` into the refusal that it is prepared for; inconclusive when there is none."""
    with expect.session_may_end() as ending:
        session.until("ChargeParameterDiscoveryReq")
    code = str(getattr(ending.error, "response_code", None))
    if not code.startswith("FAILED"):
        raise Inconclusive(f"the first session did not end with FAILED: {ending.reason or 'it goes on'}")
    session.close()
