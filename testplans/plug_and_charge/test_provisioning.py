"""A contract comes into the car through the charger: CertificateInstallation and CertificateUpdate.

The charger is a messenger here: it hands the EV's request to the backend as it came (OCPP
Get15118EVCertificate), hands the answer back as it came, and must not leave the car waiting when the
provisioning service fails.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bench.ev import faults
from bench.plan import Expect, Inconclusive, Measure, testcase
from bench.v2g import timers
from testplans.plug_and_charge.journeys import asks_for, fresh_contract, talks_again

if TYPE_CHECKING:
    from bench.csms import Csms
    from bench.ev.session import Session
    from bench.pki import Pki
    from fixtures.car import Car

INSTALL, UPDATE = "CertificateInstallationReq", "CertificateUpdateReq"
BAD_SIGNATURE = (
    "FAILED",
    "FAILED_SignatureError",
    "FAILED_NoCertificateAvailable",
    "FAILED_CertChainError",
)
"""A charger that checks says SignatureError; one that leaves it to the service only knows that it refused."""
SERVICE_DELAY_S = 6.0
"""Longer than the EV's message timeout of 5 s."""
CHARGE_S = 0.6


@testcase(
    "PNC-060",
    requires=["V2G2-553", "M01.FR.01"],
    source="ISO 15118-4, CertificateInstallation_001; TC_M_26_CS",
    confidence="source",
    areas=["provisioning", "trust"],
    defects=["installation-answer-altered"],
)
def test_contract_is_installed_with_the_factory_certificate(
    ev: Car, csms: Csms, expect: Expect, measure: Measure
) -> None:
    """A car fresh from the factory gets its contract by its OEM provisioning certificate.

    Precondition: charger online, certificate service offered, provisioning service answering.
    Stimulus: CertificateInstallationReq signed with the OEM provisioning key.
    Expected: CertificateInstallationRes OK within 5 s, signed by the provisioning service, chains valid, and
    a contract key that unwraps and fits the contract certificate.
    """
    csms.provisioning.normal()
    session = _new_car(ev).until(INSTALL)
    answer = expect.answered(session)
    expect.accepted(answer)
    measure(
        "CertificateInstallationRes", session.history[-1].rtt_s, high=timers.message_timeout("iso2", INSTALL)
    )
    got = session.provisioned
    expect(got.problems, "problems of the installed contract").to_be([])
    expect(got.signature_ok, "signature of the provisioning service").to_be(True)
    expect(got.key_matches, "contract key fits the contract certificate").to_be(True)


@testcase(
    "PNC-061",
    requires=["M01.FR.01"],
    source="OCPP 2.0.1 M01; TC_M_26_CS",
    confidence="source",
    areas=["provisioning", "backend"],
    defects=["get15118-request-altered"],
)
def test_request_reaches_the_backend_unaltered(ev: Car, csms: Csms, expect: Expect) -> None:
    """The backend gets the car's request as it was, and the new contract charges in the same session.

    Precondition: car without a contract, charger online.
    Stimulus: CertificateInstallationReq, then payment with the contract that came.
    Expected: exiRequest is the EXI that the car sent, action Install; a contract that came is used to charge.
    """
    session = _new_car(ev).until(INSTALL)
    mark = expect.timeline.mark()
    expect.answered(session)
    sent = next(
        event.data["exi"]
        for event in expect.timeline.since(mark)
        if event.kind == "v2g" and event.name == INSTALL and event.data["dir"] == "tx"
    )
    call = expect.backend_saw("Get15118EVCertificate")
    expect(call["action"], "action").to_be("Install")
    expect(_decoded(call.exiRequest), "exiRequest").to_be(sent)
    paid = session.installed_contract
    if paid is None:
        raise Inconclusive("the car got no contract that it can use")
    session.until("ChargeParameterDiscoveryReq")
    expect.backend_saw(
        "Authorize", where=asks_for(paid.emaid), what="Authorize with the new contract's eMAID"
    )
    session.charge(for_s=CHARGE_S).stop()


@testcase(
    "PNC-062",
    requires=["V2G2-553", "M01.FR.01"],
    source="TC_M_27_CS",
    confidence="source",
    areas=["provisioning", "fallback"],
    defects=["installation-silent-when-service-down"],
)
def test_provisioning_service_down(ev: Car, csms: Csms, expect: Expect) -> None:
    """With the provisioning service down, the car gets a refusal, not silence.

    Precondition: car without a contract; the backend answers Get15118EVCertificate with CALLERROR.
    Stimulus: CertificateInstallationReq.
    Expected: a FAILED response within the message timeout of 5 s.
    """
    session = _new_car(ev).until(INSTALL)
    csms.provisioning.down()
    expect.refused(expect.answered(session))
    expect.no_energy_delivered()


@testcase(
    "PNC-063",
    requires=["V2G2-553"],
    source="ISO 15118-2 table 109: performance time 4.5 s, timeout 5 s; bench/v2g/timers.toml",
    confidence="source2",
    areas=["provisioning", "fallback"],
    defects=["installation-waits-forever"],
    deviates=["ocpp"],
)
def test_provisioning_service_slow(ev: Car, csms: Csms, expect: Expect, measure: Measure) -> None:
    """A provisioning service slower than the car's patience does not take the session with it.

    Precondition: car without a contract; the provisioning service takes 6 s.
    Stimulus: CertificateInstallationReq.
    Expected: the charger answers FAILED before the car's timeout of 5 s.
    """
    session = _new_car(ev).until(INSTALL)
    csms.provisioning.slow(SERVICE_DELAY_S)
    expect.refused(expect.answered(session))
    measure(
        "CertificateInstallationRes", session.history[-1].rtt_s, high=timers.message_timeout("iso2", INSTALL)
    )


@testcase(
    "PNC-064",
    requires=["M01.FR.01"],
    source="TC_M_27_CS",
    confidence="source",
    areas=["provisioning", "fallback"],
    defects=["installation-ok-on-refusal"],
)
def test_provisioning_service_refuses(ev: Car, csms: Csms, expect: Expect) -> None:
    """A refusal of the provisioning service reaches the car as a refusal.

    Precondition: car without a contract; the backend answers Get15118EVCertificate with status Failed.
    Stimulus: CertificateInstallationReq.
    Expected: a FAILED response.
    """
    session = _new_car(ev).until(INSTALL)
    csms.provisioning.refuse()
    expect.refused(expect.answered(session))


@testcase(
    "PNC-065",
    requires=["M01.FR.01"],
    source="OCPP 2.0.1 Get15118EVCertificateResponse: exiResponse at most 7500 characters",
    confidence="source",
    areas=["provisioning", "fallback"],
    defects=["dies-on-large-exi-response", "installation-silent-when-service-down"],
    deviates=["ocpp"],
)
def test_provisioning_answer_too_large(ev: Car, csms: Csms, expect: Expect) -> None:
    """A provisioning answer larger than OCPP allows is survived.

    Precondition: car without a contract; the backend sends an exiResponse of four times the length that OCPP
    allows.
    Stimulus: CertificateInstallationReq; then a session with a contract.
    Expected: a FAILED response or the end of the connection; the next session gets its SessionSetupRes, the
    backend link is up.
    """
    session = _new_car(ev).until(INSTALL)
    csms.provisioning.too_large()
    expect.refused_or_closed(session)
    csms.provisioning.normal()
    ev.unplug()
    talks_again(expect, ev)
    expect.that(_back_online(csms), "the charger is connected to the backend")


@testcase(
    "PNC-066",
    requires=["M02.FR.01"],
    source="TC_M_28_CS",
    confidence="source",
    areas=["provisioning"],
    defects=["certificate-update-refused"],
)
def test_contract_is_updated(ev: Car, csms: Csms, pki: Pki, expect: Expect) -> None:
    """A contract about to expire is replaced by CertificateUpdate.

    Precondition: car with a contract, charger online, certificate service offered.
    Stimulus: CertificateUpdateReq signed with the contract key.
    Expected: CertificateUpdateRes OK, action Update at the backend, a contract key that fits its certificate.
    """
    contract = fresh_contract(pki, csms)
    session = ev.plug_in(energy="dc", auth="pnc", certificate="update", contract=contract).until(UPDATE)
    expect.accepted(expect.answered(session))
    expect.backend_saw("Get15118EVCertificate", where=lambda p: p["action"] == "Update")
    expect(session.provisioned.problems, "problems of the updated contract").to_be([])
    expect(session.provisioned.key_matches, "contract key fits the contract certificate").to_be(True)


@testcase(
    "PNC-067",
    requires=["V2G2-553"],
    source="ISO 15118-2 clause 8.4.3.11: the request is signed with the OEM provisioning key",
    confidence="memory",
    areas=["provisioning", "trust"],
    defects=["installation-signs-over-request"],
)
def test_installation_request_with_bad_signature(ev: Car, csms: Csms, expect: Expect) -> None:
    """A CertificateInstallationReq with a bad signature gets no contract.

    Precondition: a good installation has been served; car without a contract, charger online.
    Stimulus: CertificateInstallationReq whose signature does not verify.
    Expected: a FAILED response, by the charger itself or after the refusal of the provisioning service.
    """
    _new_car(ev).through(INSTALL)
    ev.unplug()
    session = _new_car(ev).deviate(INSTALL, faults.bad_signature()).until(INSTALL)
    answer = expect.answered(session)
    if session.installed_contract is None and not str(answer.ResponseCode).startswith("FAILED"):
        raise Inconclusive("OK, and no contract that the car can use: PNC-064 judges that")
    expect.refused(answer, *BAD_SIGNATURE)


def _new_car(ev: Car) -> Session:
    """Plug in a car that has its OEM provisioning certificate and no contract yet."""
    return ev.plug_in(energy="dc", auth="pnc", certificate="install", no_contract=True)


def _decoded(text: Any) -> str:
    """The hex form of base64 text; the text itself when it is none."""
    try:
        return base64.b64decode(str(text), validate=True).hex()
    except ValueError:
        return str(text)


def _back_online(csms: Csms) -> bool:
    """Whether the charger is connected now or comes back within 10 s."""
    from bench.csms import CsmsTimeout

    try:
        csms.wait_connected(timeout_s=10.0)
    except CsmsTimeout:
        return False
    return True
