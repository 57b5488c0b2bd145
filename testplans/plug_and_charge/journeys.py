"""Ways through a contract session that several cases share.

A case sends its stimulus with these and states what must hold; each function says what it judges. Whatever
leads up to PaymentDetailsReq is a precondition: a charger that does not get there makes the case
inconclusive.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.pki.emaid import normalise

if TYPE_CHECKING:
    from bench.csms import Csms
    from bench.ev.session import Session
    from bench.pki import Credential, Pki
    from bench.plan import Expect
    from fixtures.car import Car
    from fixtures.card import Rfid
    from fixtures.charger_state import ChargerState

RECONNECT_S = 60.0
"""How long a charger may take to connect again (its RetryBackOff variables); waited for, not judged."""


def fresh_contract(pki: Pki, csms: Csms, emaid: str | None = None, *, foreign: bool = False) -> Credential:
    """A new contract that the backend accepts, so that no cache of the charger knows it from another case."""
    contract = pki.issue_contract(emaid, foreign=foreign)
    csms.contracts.accept(contract.emaid)
    return contract


def faulty_contract(pki: Pki, csms: Csms, fault: str) -> Credential:
    """A contract with one fault of `bench.pki.faults`; the backend accepts its eMAID, only the certificate is
    wrong.
    """
    contract = pki.faulty("contract", fault)
    csms.contracts.accept(contract.emaid)
    return contract


def pay_by_contract(session: Session) -> Any:
    """Send PaymentDetailsReq (where that is still to come), then AuthorizationReq while it says Ongoing.

    Returns the answer that decided. A charger that does not answer one of these requests fails the case.
    """
    if session.pending_name != "AuthorizationReq":
        session.until("PaymentDetailsReq")
    answer = session.send_next()
    while session.pending_name == "AuthorizationReq":
        answer = session.send_next()
    return answer


def is_authorized(answer: Any) -> bool:
    """True for an AuthorizationRes that lets the car charge."""
    finished = str(getattr(answer, "EVSEProcessing", None)) == "Finished"
    return finished and str(answer.ResponseCode).startswith("OK")


def accepts(expect: Expect, ev: Car, session: Session) -> Any:
    """The contract of `session` is authorised; returns the deciding answer.

    A charger that authorises no contract at all makes the case inconclusive.
    """
    answer = pay_by_contract(session)
    if not is_authorized(answer):
        _prove_that_contracts_work(ev)
    processing = getattr(answer, "EVSEProcessing", None)
    actual = f"{type(answer).__name__}: {answer.ResponseCode}, {processing}"
    expect.that(is_authorized(answer), "the contract is authorised", actual, "AuthorizationRes: OK, Finished")
    return answer


def refuses(expect: Expect, ev: Car, session: Session, *codes: str) -> Any:
    """The contract of `session` is refused (with one of `codes`, where given), and nothing flows.

    Returns the deciding answer.

    A refusal with another code is the charger's answer to this contract only when it takes a good one:
    otherwise the case is inconclusive.
    """
    answer = pay_by_contract(session)
    code = str(answer.ResponseCode)
    if codes and code.startswith("FAILED") and code not in codes:
        _prove_that_contracts_work(ev)
    expect.refused(answer, *codes)
    expect.no_energy_delivered()
    return answer


def pay_by_card(session: Session, card: Rfid, *, within_s: float) -> Any:
    """Hold `card` to the reader and send AuthorizationReq while the charger says Ongoing; the last answer.

    A charger that does not answer one of these requests fails the case.
    """
    session.until("AuthorizationReq")
    card.present()
    deadline = time.monotonic() + within_s
    while True:
        answer = session.send_next()
        if session.pending_name != "AuthorizationReq" or time.monotonic() > deadline:
            return answer


def accepts_card(expect: Expect, ev: Car, card: Rfid, session: Session, *, within_s: float) -> None:
    """`card` is authorised in `session`. Inconclusive when a card is not even in a session of its own."""
    answer = pay_by_card(session, card, within_s=within_s)
    if not is_authorized(answer):
        ev.unplug()
        alone = ev.plug_in(energy="dc", auth="eim", step_limit_s=within_s).until("AuthorizationReq")
        card.present()
        alone.until("ChargeParameterDiscoveryReq")
    actual = f"{answer.ResponseCode}, {answer.EVSEProcessing}"
    expect.that(
        is_authorized(answer), f"the card is authorised within {within_s:g} s", actual, "OK, Finished"
    )


def _prove_that_contracts_work(ev: Car) -> None:
    # `until` raises what counts as inconclusive; unplugged, so that one failure is not carried into the next.
    ev.unplug()
    ev.plug_in().until("ChargeParameterDiscoveryReq")


def become_known(ev: Car, contract: Credential) -> None:
    """Authorise `contract` once while the backend answers, so that the charger may know it later.

    A precondition.
    """
    ev.plug_in(contract=contract).until("ChargeParameterDiscoveryReq").stop()
    ev.unplug()


def talks_again(expect: Expect, ev: Car) -> Session:
    """The charger takes a new session of the car, plugged in already or not; judged up to SessionSetupRes."""
    session = ev.plug_in()
    with expect.session_may_end() as ending:
        session.until("ServiceDiscoveryReq")
    expect(ending.reason, "end of the next session before ServiceDiscovery").to_be(None)
    return session


def transaction_begun(csms: Csms, expect: Expect) -> str:
    """Wait until the backend knows the transaction of this case, a precondition; its id.

    Cases look for this id only: the end of an earlier case's transaction may still be under way.
    """
    begun = csms.wait_for("TransactionEvent", lambda event: event.eventType == "Started", since=expect.since)
    return str(begun.transactionInfo.transactionId)


def ends(transaction_id: str) -> Callable[[Any], bool]:
    """For `where=`: the Ended event of this transaction."""

    def matches(event: Any) -> bool:
        return event.eventType == "Ended" and str(event.transactionInfo.transactionId) == transaction_id

    return matches


def backend_goes_away(csms: Csms, charger_state: ChargerState) -> None:
    """Take the backend off the net; it is back before anything else of the charger is restored."""
    charger_state.later("backend online", lambda: backend_returns(csms))
    csms.offline()


def backend_returns(csms: Csms) -> None:
    """Put the backend on the net again and wait for the charger.

    CsmsTimeout (inconclusive) when it stays away.
    """
    csms.online()
    csms.wait_connected(timeout_s=RECONNECT_S)


def asks_for(emaid: str) -> Callable[[Any], bool]:
    """For `where=`: a payload whose idToken is this contract, however the eMAID is written."""

    def matches(payload: Any) -> bool:
        token = payload.idToken
        return (
            token is not None and token.type == "eMAID" and normalise(str(token.idToken)) == normalise(emaid)
        )

    return matches
