"""Who decides about a contract: the charger with the backend's word, the backend alone, nobody at all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bench.csms.behaviour import Drop, Error, Malformed
from bench.csms.errors import CsmsTimeout
from bench.pki.validate import load_pem
from bench.plan import Expect, testcase
from testplans.plug_and_charge.journeys import (
    asks_for,
    backend_goes_away,
    backend_returns,
    become_known,
    fresh_contract,
    is_authorized,
    pay_by_contract,
    refuses,
)

if TYPE_CHECKING:
    from typing import Any

    from bench.csms import Csms
    from bench.pki import Credential, Pki
    from fixtures.car import Car
    from fixtures.charger_state import ChargerState

REPORT_S = 20.0
"""How long a charger may take to hand over what it has queued; waited for, not timed."""
CALL_S = 5.0
"""How long a charger may take to answer a call of the backend."""


@testcase(
    "PNC-020",
    requires=["C07.FR.01", "C07.FR.02"],
    source="TC_C_50_CS",
    confidence="source",
    areas=["charger", "backend"],
    defects=["authorize-without-hash-data"],
)
def test_local_validation_sends_hash_data(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """After validating a contract itself the charger sends eMAID and certificate hash data.

    Precondition: MO root installed, central contract validation off; a contract unknown so far is authorised.
    Stimulus: PaymentDetailsReq with that contract.
    Expected: Authorize with the eMAID and hash data that name the contract certificate, without the chain.
    """
    charger_state.set_variable("ISO15118Ctrlr", "CentralContractValidationAllowed", False)
    contract = fresh_contract(pki, csms)
    ev.plug_in(contract=contract).until("ChargeParameterDiscoveryReq")
    authorize = expect.backend_saw("Authorize", where=asks_for(contract.emaid))
    hashes = authorize.iso15118CertificateHashData or []
    expect(hashes, "iso15118CertificateHashData").to_be_present()
    serials = [int(str(each.serialNumber), 16) for each in hashes]
    expect(serials, "serial numbers in the hash data").to_contain(contract.certificate.serial_number)
    expect(authorize.certificate, "certificate in Authorize").to_be(None)


@testcase(
    "PNC-021",
    requires=["C07.FR.01", "C07.FR.02", "C07.FR.06"],
    source="TC_C_52_CS",
    confidence="source",
    areas=["charger", "backend"],
    defects=["central-validation-without-certificate"],
)
def test_central_validation_sends_the_certificate(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """A contract whose root the charger lacks is sent to the backend for validation.

    Precondition: central contract validation on; the contract's MO root is not installed in the charger, the
    backend knows it.
    Stimulus: PaymentDetailsReq with that contract.
    Expected: Authorize with the eMAID and the contract's certificate chain, without hash data.
    """
    charger_state.set_variable("ISO15118Ctrlr", "CentralContractValidationAllowed", True)
    # A partner's root under a home eMAID: the missing root is all that is unusual.
    contract = fresh_contract(pki, csms, pki.new_emaid(), foreign=True)
    ev.plug_in(contract=contract).until("ChargeParameterDiscoveryReq")
    authorize = expect.backend_saw("Authorize", where=asks_for(contract.emaid))
    expect(authorize.certificate, "certificate in Authorize").to_be_present()
    chain = load_pem(str(authorize.certificate).encode())
    expect.that(contract.certificate in chain, "the certificate sent is the contract's")
    expect(authorize.iso15118CertificateHashData, "iso15118CertificateHashData").to_be(None)


@testcase(
    "PNC-022",
    requires=["C07.FR.08", "C07.FR.09"],
    source="TC_C_54_CS",
    confidence="source",
    areas=["charger", "backend", "fallback"],
    defects=["offline-refuses-known-contract"],
)
def test_known_contract_is_authorised_offline(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """Offline, a contract that the charger knows is authorised when ContractValidationOffline is true.

    Precondition: ContractValidationOffline true; the contract was authorised before, the backend is gone now.
    Stimulus: a new session with that contract.
    Expected: AuthorizationRes OK, Finished.
    """
    _allow_offline(charger_state)
    contract = fresh_contract(pki, csms)
    become_known(ev, contract)
    backend_goes_away(csms, charger_state)
    answer = pay_by_contract(ev.plug_in(contract=contract))
    expect.that(
        is_authorized(answer), "the known contract is authorised", answer.ResponseCode, "OK, Finished"
    )


@testcase(
    "PNC-023",
    requires=["C07.FR.07"],
    source="TC_C_55_CS",
    confidence="source",
    areas=["charger", "backend", "fallback"],
    defects=["offline-accepts-unconditionally"],
)
def test_offline_contract_is_refused_when_not_allowed(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """Offline, no contract is authorised when ContractValidationOffline is false, not even a known one.

    Precondition: ContractValidationOffline false; the contract was authorised before, the backend is gone
    now.
    Stimulus: a new session with that contract.
    Expected: a FAILED code and no energy.
    """
    charger_state.set_variable("ISO15118Ctrlr", "ContractValidationOffline", False)
    contract = fresh_contract(pki, csms)
    become_known(ev, contract)
    backend_goes_away(csms, charger_state)
    refuses(expect, ev, ev.plug_in(contract=contract))


@testcase(
    "PNC-024",
    requires=["C07.FR.01", "E03.FR.01"],
    source="TC_C_50_CS; OCPP 2.0.1 E03 (TransactionEvent with idToken)",
    confidence="source",
    areas=["backend", "reconciliation"],
    defects=["transaction-without-emaid"],
)
def test_transaction_names_the_contract(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """The transaction of a contract session names the contract, or nobody can bill it.

    Precondition: a contract unknown so far is authorised and charges.
    Stimulus: the session is run to its end.
    Expected: a TransactionEvent with the eMAID as idToken of type eMAID.
    """
    contract = fresh_contract(pki, csms)
    ev.plug_in(contract=contract).run(for_s=0.3)
    expect.backend_saw(
        "TransactionEvent",
        where=asks_for(contract.emaid),
        within_s=REPORT_S,
        what="a TransactionEvent carries the eMAID token",
    )


@testcase(
    "PNC-025",
    requires=["C07.FR.09", "E12.FR.02"],
    source="TC_C_54_CS; FB-26",
    confidence="source",
    areas=["backend", "reconciliation"],
    defects=["offline-replay-without-flag"],
)
def test_offline_transaction_is_replayed(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """A transaction that ran offline is reported later, marked offline and with its own times.

    Precondition: a known contract charges from begin to end while the backend is gone.
    Stimulus: the backend comes back.
    Expected: TransactionEvents with offline true, their timestamps as far apart as the charge was long.
    """
    charge_s = 0.3
    _allow_offline(charger_state)
    contract = fresh_contract(pki, csms)
    become_known(ev, contract)
    online = _transaction(_reported(csms, contract)[0])  # told in full: nothing of it is left in the queue
    backend_goes_away(csms, charger_state)
    ev.plug_in(contract=contract).run(for_s=charge_s)
    ev.unplug()
    mark = csms.mark()
    backend_returns(csms)
    events = _reported(csms, contract, since=mark, but=online)
    marked = [event.offline is True for event in events]
    expect.that(
        all(marked), "every event of the transaction has offline=true", f"{sum(marked)} of {len(marked)}"
    )
    # By the charger's own clock, so that no offset between clocks counts; events that were stamped when they
    # were sent would be milliseconds apart.
    began, ended = (datetime.fromisoformat(str(event.timestamp)) for event in (events[0], events[-1]))
    lasted_s = (ended - began) / timedelta(seconds=1)
    expect(lasted_s, "time from Started to Ended by their timestamps, s").to_be_between(charge_s, 60.0)


@testcase(
    "PNC-026",
    requires=["V2G2-712", "V2G2-713"],
    source="PKI2-21",
    confidence="source",
    areas=["charger", "backend", "fallback"],
    defects=["authorizes-when-backend-silent"],
    deviates=["ocpp"],
)
def test_silence_of_the_backend_is_no_consent(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """A backend that does not answer Authorize authorises nobody.

    Precondition: charger online; a contract unknown so far.
    Stimulus: the backend receives Authorize for it and stays silent.
    Expected: a FAILED code before the EV gives up (60 s), no energy.
    """
    # The charger's own patience; shortened where it can be set, the verdict is the same without.
    charger_state.set_variable("OCPPCommCtrlr", "MessageTimeout", 1, optional=True)
    contract = fresh_contract(pki, csms)
    csms.on("Authorize", Drop())
    refuses(expect, ev, ev.plug_in(contract=contract))
    csms.wait_for("Authorize", where=asks_for(contract.emaid), timeout_s=0)


@testcase(
    "PNC-027",
    requires=["C07.FR.01"],
    source="OCPP 2.0.1 part 4, 4.2.3; TC_C_51_CS",
    confidence="memory",
    areas=["charger", "backend"],
    defects=["ocpp-dies-on-malformed-answer"],
    deviates=["ocpp"],
)
def test_unusable_answer_of_the_backend(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """An error or garbage in answer to Authorize gives no energy, and the charger stays in touch.

    Precondition: charger online; a contract unknown so far for each session.
    Stimulus: Authorize is answered with CALLERROR InternalError; in a second session with a cut frame.
    Expected: a FAILED code and no energy in both, and a call of the backend is answered over the same link.
    """
    for trouble in (Error("InternalError"), Malformed()):
        contract = fresh_contract(pki, csms)
        csms.on("Authorize", trouble, times=1)
        refuses(expect, ev, ev.plug_in(contract=contract))
        csms.wait_for("Authorize", where=asks_for(contract.emaid), timeout_s=0)
        expect.that(_answers_a_call(csms), f"the charger answers a call after {type(trouble).__name__}")
        ev.unplug()


def _allow_offline(charger_state: ChargerState) -> None:
    charger_state.set_variable("ISO15118Ctrlr", "ContractValidationOffline", True)
    # Where a charger remembers a contract is its own affair (cache or list): set what it has.
    charger_state.set_variable("AuthCtrlr", "LocalAuthorizeOffline", True, optional=True)
    charger_state.set_variable("AuthCacheCtrlr", "Enabled", True, optional=True)


def _reported(csms: Csms, contract: Credential, *, since: int = 0, but: str | None = None) -> list[Any]:
    """The events of the transaction of `contract` (of another one than `but`); waits until it has ended."""
    token = asks_for(contract.emaid)
    named = csms.wait_for(
        "TransactionEvent",
        where=lambda event: token(event) and _transaction(event) != but,
        timeout_s=REPORT_S,
        since=since,
    )
    name = _transaction(named)
    csms.wait_for(
        "TransactionEvent",
        where=lambda event: event.eventType == "Ended" and _transaction(event) == name,
        timeout_s=REPORT_S,
        since=since,
    )
    events = [event for event in csms.seen("TransactionEvent", since=since) if _transaction(event) == name]
    return sorted(events, key=lambda event: int(event.seqNo))


def _transaction(event: Any) -> str:
    return str(event.transactionInfo.transactionId)


def _answers_a_call(csms: Csms) -> bool:
    try:
        csms.call("GetVariables", _HEARTBEAT_INTERVAL, timeout_s=CALL_S)
    except CsmsTimeout:
        return False
    return True


_HEARTBEAT_INTERVAL = {
    "getVariableData": [{"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}]
}
