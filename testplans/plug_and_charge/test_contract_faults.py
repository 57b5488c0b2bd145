"""Contracts that must not charge, and their borders: each with one thing wrong, all else right."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from bench.csms.behaviour import Reject
from bench.ev import faults
from bench.plan import Expect, testcase
from testplans.plug_and_charge.journeys import accepts, faulty_contract, fresh_contract, refuses

if TYPE_CHECKING:
    from bench.csms import Csms
    from bench.pki import Pki
    from fixtures.car import Car
    from fixtures.charger_state import ChargerState


@testcase(
    "PNC-030",
    requires=["PKI2-01"],
    source="PKI2-01; ISO 15118-4 PaymentDetails_007",
    confidence="source",
    areas=["charger", "trust"],
    defects=["accepts-expired-contract"],
)
def test_expired_contract_is_refused(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """A contract certificate that has expired is refused.

    Precondition: DC session over TLS up to PaymentDetailsReq; the backend accepts the eMAID.
    Stimulus: PaymentDetailsReq with a contract certificate whose notAfter has passed.
    Expected: FAILED_CertificateExpired and no energy.
    """
    contract = faulty_contract(pki, csms, "expired")
    refuses(expect, ev, ev.plug_in(contract=contract), "FAILED_CertificateExpired")


@testcase(
    "PNC-031",
    requires=["PKI2-05", "C07.FR.16"],
    source="PKI2-05",
    confidence="source",
    areas=["charger", "backend", "trust"],
    defects=["accepts-revoked-contract"],
)
def test_revoked_contract_is_refused(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """A contract certificate that the backend reports as revoked is refused.

    Precondition: DC session over TLS up to PaymentDetailsReq; a contract without fault.
    Stimulus: the backend answers Authorize with certificateStatus CertificateRevoked, token Invalid.
    Expected: FAILED_CertificateRevoked, in PaymentDetailsRes or AuthorizationRes, and no energy.
    """
    contract = fresh_contract(pki, csms)
    csms.on("Authorize", Reject("Invalid", certificate_status="CertificateRevoked"), times=1)
    refuses(expect, ev, ev.plug_in(contract=contract), "FAILED_CertificateRevoked")


@testcase(
    "PNC-032",
    requires=["PKI2-19", "PKI2-20", "C07.FR.13"],
    source="PKI2-19, PKI2-20; FB-22",
    confidence="source",
    areas=["charger", "backend"],
    defects=["accepts-blocked-emaid"],
)
def test_blocked_emaid_is_refused(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """A contract that the backend has blocked is refused, however good its certificate is.

    Precondition: DC session over TLS up to PaymentDetailsReq; a contract without fault.
    Stimulus: the backend answers Authorize with token Blocked, certificateStatus ContractCancelled.
    Expected: FAILED_ContractCanceled, FAILED_CertificateNotAllowedAtThisEVSE or FAILED, and no energy.
    """
    contract = fresh_contract(pki, csms)
    csms.contracts.block(contract.emaid)
    refuses(
        expect,
        ev,
        ev.plug_in(contract=contract),
        "FAILED_ContractCanceled",
        "FAILED_CertificateNotAllowedAtThisEVSE",
        "FAILED",
    )


@testcase(
    "PNC-033",
    requires=["PKI2-07"],
    source="PKI2-07",
    confidence="source",
    areas=["charger", "trust"],
    defects=["accepts-unknown-mo-root"],
)
def test_contract_of_unknown_root_is_refused(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """A contract under a root that nobody knows is refused.

    Precondition: central contract validation off; DC session over TLS up to PaymentDetailsReq.
    Stimulus: PaymentDetailsReq with a contract chain under a root that is not installed.
    Expected: FAILED_NoCertificateAvailable or FAILED_CertChainError, and no energy.
    """
    charger_state.set_variable("ISO15118Ctrlr", "CentralContractValidationAllowed", False)
    contract = faulty_contract(pki, csms, "unknown-root")
    codes = ("FAILED_NoCertificateAvailable", "FAILED_CertChainError")
    refuses(expect, ev, ev.plug_in(contract=contract), *codes)


@testcase(
    "PNC-034",
    requires=["C07.FR.01", "M05.FR.01"],
    source="TC_M_04_CS with TC_C_50_CS",
    confidence="source",
    areas=["charger", "trust", "backend"],
    defects=["refuses-roaming-contract"],
)
def test_roaming_contract_is_accepted(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """A contract of a roaming partner is accepted once the partner's root is installed.

    Precondition: the partner's MO root is installed over OCPP; the backend accepts the foreign eMAID.
    Stimulus: a session with the partner's contract.
    Expected: AuthorizationRes OK, Finished.
    """
    root = pki.foreign.mo_root.certificate.public_bytes(Encoding.PEM).decode("ascii")
    charger_state.install_certificate("MORoot", root)
    contract = fresh_contract(pki, csms, foreign=True)
    accepts(expect, ev, ev.plug_in(contract=contract))


@testcase(
    "PNC-035",
    requires=["PKI2-08"],
    source="PKI2-08, PKI2-16 by analogy; pki fault incomplete-chain",
    confidence="source",
    areas=["charger", "trust"],
    defects=["accepts-broken-chain"],
)
def test_broken_contract_chain_is_refused(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """A contract whose sub-CA certificates are missing is refused.

    Precondition: DC session over TLS up to PaymentDetailsReq; the backend accepts the eMAID.
    Stimulus: PaymentDetailsReq with the contract certificate alone, no sub-CA.
    Expected: FAILED_CertChainError and no energy.
    """
    contract = faulty_contract(pki, csms, "incomplete-chain")
    refuses(expect, ev, ev.plug_in(contract=contract), "FAILED_CertChainError")


@testcase(
    "PNC-036",
    requires=["PKI2-11"],
    source="PKI2-11",
    confidence="source",
    areas=["charger", "trust"],
    defects=["accepts-wrong-key-usage"],
)
def test_contract_with_wrong_key_usage_is_refused(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """A certificate that may not be used for signatures is no contract.

    Precondition: DC session over TLS up to PaymentDetailsReq; the backend accepts the eMAID.
    Stimulus: PaymentDetailsReq with a leaf whose keyUsage lacks digitalSignature and keyAgreement.
    Expected: FAILED_CertChainError or FAILED, and no energy.
    """
    contract = faulty_contract(pki, csms, "wrong-key-usage")
    refuses(expect, ev, ev.plug_in(contract=contract), "FAILED_CertChainError", "FAILED")


@testcase(
    "PNC-037",
    requires=["PKI2-14"],
    source="PKI2-14",
    confidence="source",
    areas=["charger", "reconciliation"],
    defects=["accepts-wrong-emaid"],
)
def test_foreign_emaid_is_refused(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """Nobody charges on the bill of another: the eMAID of the message must be that of the certificate.

    Precondition: DC session over TLS up to PaymentDetailsReq; the backend accepts both eMAIDs.
    Stimulus: PaymentDetailsReq with the eMAID of one good contract and the certificate of another.
    Expected: FAILED_CertChainError, FAILED_CertificateNotAllowedAtThisEVSE or FAILED, and no energy.
    """
    mine, other = fresh_contract(pki, csms), fresh_contract(pki, csms)
    session = ev.plug_in(contract=mine).deviate("PaymentDetailsReq", faults.change(eMAID=other.emaid))
    codes = ("FAILED_CertChainError", "FAILED_CertificateNotAllowedAtThisEVSE", "FAILED")
    refuses(expect, ev, session, *codes)


@testcase(
    "PNC-038",
    requires=["V2G2-475"],
    source="ISO 15118-4, Authorization_007",
    confidence="source",
    areas=["charger"],
    defects=["ignores-challenge"],
)
def test_wrong_challenge_is_refused(ev: Car, expect: Expect) -> None:
    """An AuthorizationReq with another challenge than the one given may be a replay, and is refused.

    Precondition: PaymentDetailsRes OK.
    Stimulus: AuthorizationReq, rightly signed, with a random GenChallenge.
    Expected: FAILED_ChallengeInvalid and no energy.
    """
    session = ev.plug_in().until("AuthorizationReq")
    session.deviate("AuthorizationReq", faults.change(GenChallenge=secrets.token_bytes(16)))
    refuses(expect, ev, session, "FAILED_ChallengeInvalid")


@testcase(
    "PNC-039",
    requires=["V2G2-684"],
    source="ISO 15118-4, Authorization_010, Authorization_011",
    confidence="source",
    areas=["charger"],
    defects=["ignores-authorization-signature"],
)
def test_bad_authorization_signature_is_refused(ev: Car, expect: Expect) -> None:
    """An AuthorizationReq whose signature does not verify proves nothing, and is refused.

    Precondition: PaymentDetailsRes OK.
    Stimulus: AuthorizationReq with one bit of the signature value flipped.
    Expected: FAILED_SignatureError and no energy.
    """
    session = ev.plug_in().until("AuthorizationReq")
    session.deviate("AuthorizationReq", faults.bad_signature())
    refuses(expect, ev, session, "FAILED_SignatureError")


@testcase(
    "PNC-040",
    requires=["V2G2-684"],
    source="ISO 15118-4, Authorization_010 by analogy",
    confidence="memory",
    areas=["charger"],
    defects=["accepts-unsigned-authorization"],
)
def test_unsigned_authorization_is_refused(ev: Car, expect: Expect) -> None:
    """Under contract payment an AuthorizationReq without signature is refused.

    Precondition: PaymentDetailsRes OK.
    Stimulus: AuthorizationReq without a signature in the header.
    Expected: a FAILED code and no energy.
    """
    session = ev.plug_in().until("AuthorizationReq")
    session.deviate("AuthorizationReq", faults.unsigned())
    refuses(expect, ev, session)


@testcase(
    "PNC-041",
    requires=["V2G2-544"],
    source="ISO 15118-4, ServiceDiscovery_001; fallback of a car without contract",
    confidence="memory",
    areas=["charger", "fallback"],
    defects=["no-external-payment-with-tls"],
)
def test_external_payment_is_offered_with_tls(ev: Car, expect: Expect) -> None:
    """A car without a contract finds another way to pay on a TLS connection.

    Precondition: session over TLS up to ServiceDiscoveryReq.
    Stimulus: ServiceDiscoveryReq of a car without a contract.
    Expected: ExternalPayment among the payment options.
    """
    answer = ev.plug_in(auth="eim", no_contract=True).through("ServiceDiscoveryReq")
    expect(_payment_options(answer), "payment options with TLS").to_contain("ExternalPayment")


@testcase(
    "PNC-042",
    requires=["V2G2-828", "V2G2-465"],
    source="TLS2-21, TLS2-23",
    confidence="source",
    areas=["charger", "trust"],
    defects=["contract-offered-without-tls"],
)
def test_contract_is_not_offered_without_tls(ev: Car, expect: Expect) -> None:
    """Without TLS a contract is neither offered nor taken.

    Precondition: session over plain TCP up to ServiceDiscoveryReq.
    Stimulus: ServiceDiscoveryReq; then PaymentServiceSelectionReq with Contract all the same.
    Expected: no Contract among the payment options; FAILED_PaymentSelectionInvalid or FAILED.
    """
    session = ev.plug_in(auth="eim", tls=False)
    expect.that(
        "Contract" not in (offered := _payment_options(session.through("ServiceDiscoveryReq"))),
        "Contract is not offered without TLS",
        ", ".join(offered),
        "no Contract",
    )
    session.until("PaymentServiceSelectionReq")
    session.deviate("PaymentServiceSelectionReq", faults.change(SelectedPaymentOption="Contract"))
    expect.refused(session.send_next(), "FAILED_PaymentSelectionInvalid", "FAILED")


@testcase(
    "PNC-043",
    requires=["PKI2-02", "V2G2-824"],
    source="PKI2-02",
    confidence="source",
    areas=["charger", "trust"],
    defects=["accepts-not-yet-valid-contract"],
)
def test_contract_of_the_future_is_refused(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """A contract certificate that is not valid yet is refused.

    Precondition: DC session over TLS up to PaymentDetailsReq; the backend accepts the eMAID.
    Stimulus: PaymentDetailsReq with a contract certificate whose notBefore lies two days ahead.
    Expected: FAILED_CertificateExpired and no energy.
    """
    contract = faulty_contract(pki, csms, "not-yet-valid")
    refuses(expect, ev, ev.plug_in(contract=contract), "FAILED_CertificateExpired")


@testcase(
    "PNC-044",
    requires=["PKI2-15"],
    source="PKI2-15; FB-20",
    confidence="source",
    areas=["charger", "trust"],
    defects=["dies-on-malformed-certificate"],
)
def test_malformed_certificate_does_no_harm(ev: Car, expect: Expect) -> None:
    """Bytes that are no certificate are refused, and the next car is served as if nothing had been.

    Precondition: DC session over TLS up to PaymentDetailsReq.
    Stimulus: PaymentDetailsReq with a contract certificate of 600 random bytes; unplug, and a new session.
    Expected: a FAILED code or a closed connection, no energy; the new session gets to PaymentDetailsReq.
    """
    session = ev.plug_in().until("PaymentDetailsReq")
    noise = {"ContractSignatureCertChain.Certificate": secrets.token_bytes(600)}
    session.deviate("PaymentDetailsReq", faults.change(noise))
    expect.refused_or_closed(session)
    expect.no_energy_delivered()
    ev.unplug()
    with expect.session_may_end() as ending:
        ev.plug_in().until("PaymentDetailsReq")
    expect.that(ending.reason is None, "the next session is served", ending.reason or "served", "served")


def _payment_options(answer: object) -> list[str]:
    """The names in the PaymentOptionList of a ServiceDiscoveryRes."""
    offered = getattr(answer, "PaymentOptionList", None)
    return [str(getattr(each, "value", each)) for each in getattr(offered, "PaymentOption", [])]
