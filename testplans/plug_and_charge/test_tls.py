"""What the charger agrees to in TLS, and the certificate that it shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.x509.oid import NameOID

from bench.plan import Expect, Inconclusive, Measure, testcase
from bench.v2g import tls, tls_probe
from bench.v2g.connection import socket_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

    from bench.csms import Csms
    from bench.ev.session import Session
    from bench.ev.wire import TlsOutcome
    from bench.timeline import Timeline
    from fixtures.car import Car
    from fixtures.charger_state import ChargerState

OLD_SUITES = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
)
"""What a TLS 1.0 or 1.1 server could choose, so that only the version is a reason to refuse."""
FOREIGN_SUITES = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_NULL_SHA",
)
"""Common suites that are none of the two of ISO 15118-2."""
CERTIFICATE_SIGNED_S = 30.0
"""How long a charger may take to make a key, ask, and answer CertificateSigned; waited for, not judged."""


# First, for the others leave failed handshakes behind: a charger that does not survive one is caught here.
@testcase(
    "PNC-052",
    requires=["TLS2-18"],
    source="TLS2-18; FB-21",
    confidence="source",
    areas=["charger"],
    defects=["tls-dies-after-failed-handshake"],
)
def test_failed_handshakes_do_no_harm(ev: Car, timeline: Timeline, expect: Expect) -> None:
    """After handshakes that failed the next car is served.

    Precondition: a session over TLS gets to SessionSetupRes.
    Stimulus: a handshake with no suite in common, one that the car breaks off after ServerHello; a good one.
    Expected: the good one is served: SessionSetupRes over TLS.
    """
    ev.plug_in().until("ServiceDiscoveryReq")
    for suites in (FOREIGN_SUITES, ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",)):
        _probe(ev.plug_in(), timeline, versions=("tls1.2",), suites=suites)
    with expect.session_may_end() as ending:
        ev.plug_in().until("ServiceDiscoveryReq")
    expect.that(ending.reason is None, "the good handshake is served", ending.reason or "served", "served")


@testcase(
    "PNC-050",
    requires=["TLS2-01", "TLS2-02"],
    source="TLS2-01, TLS2-02; RFC 5246 appendix E.1",
    confidence="memory",
    areas=["charger", "trust"],
    defects=["tls-accepts-1.1"],
)
def test_old_tls_is_refused(ev: Car, timeline: Timeline, expect: Expect) -> None:
    """A car that knows TLS 1.1 or 1.0 only gets no connection.

    Precondition: a TLS 1.2 handshake succeeds.
    Stimulus: a ClientHello for at most TLS 1.1, then one for at most TLS 1.0.
    Expected: a fatal alert or a closed connection, no ServerHello.
    """
    _handshake(ev)
    for version in ("tls1.1", "tls1.0"):
        answer = _probe(ev.plug_in(), timeline, versions=(version,), suites=OLD_SUITES)
        expect.that(answer.refused, f"{version} is refused", _in_words(answer), "fatal alert or closed")


@testcase(
    "PNC-051",
    requires=["TLS2-03"],
    source="TLS2-03",
    confidence="memory",
    areas=["charger", "trust"],
    defects=["tls-accepts-any-suite"],
)
def test_foreign_cipher_suites_are_refused(ev: Car, timeline: Timeline, expect: Expect) -> None:
    """A car that offers none of the suites of ISO 15118-2 gets no connection.

    Precondition: a handshake with the suites of ISO 15118-2 succeeds.
    Stimulus: a TLS 1.2 ClientHello with other suites only: GCM, CBC with SHA-1, RSA, NULL.
    Expected: a fatal alert or a closed connection, no ServerHello.
    """
    _handshake(ev)
    answer = _probe(ev.plug_in(), timeline, versions=("tls1.2",), suites=FOREIGN_SUITES)
    expect.that(answer.refused, "foreign suites are refused", _in_words(answer), "fatal alert or closed")


@testcase(
    "PNC-058",
    requires=["V2G2-602"],
    source="TLS2-04; ISO 15118-2:2014 7.7.3.4, table 7",
    confidence="source",
    areas=["charger", "trust"],
    defects=["tls-lacks-ecdhe-suite"],
)
def test_ecdhe_suite_alone_is_accepted(ev: Car, expect: Expect) -> None:
    """A car that offers the ECDHE suite of ISO 15118-2 and no other is served.

    Precondition: a handshake with the suites of ISO 15118-2 succeeds.
    Stimulus: a ClientHello with TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 alone.
    Expected: the handshake succeeds with that suite, SessionSetupRes over it.
    """
    _served_with(ev, expect, tls.ISO2_SUITES[0])


@testcase(
    "PNC-059",
    requires=["V2G2-602"],
    source="TLS2-04; ISO 15118-2:2014 7.7.3.4, table 7",
    confidence="source",
    areas=["charger", "trust"],
    defects=["tls-lacks-static-ecdh-suite"],
)
def test_static_ecdh_suite_alone_is_accepted(ev: Car, expect: Expect) -> None:
    """A car that offers the static ECDH suite of ISO 15118-2 and no other is served.

    Precondition: a handshake with the suites of ISO 15118-2 succeeds.
    Stimulus: a ClientHello with TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256 alone.
    Expected: the handshake succeeds with that suite, SessionSetupRes over it.
    """
    _served_with(ev, expect, tls.ISO2_SUITES[1])


@testcase(
    "PNC-053",
    requires=["V2G2-875"],
    source="TLS2-09, TLS2-10",
    confidence="source",
    areas=["trust"],
    defects=["secc-certificate-expired"],
)
def test_secc_certificate_is_valid_now(ev: Car, expect: Expect, measure: Measure) -> None:
    """The charger's certificate is within its validity.

    Precondition: TLS handshake.
    Stimulus: none beyond the handshake.
    Expected: notBefore of the SECC certificate has passed, notAfter has not.
    """
    leaf, now = _handshake(ev).chain[0], datetime.now(UTC)
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    expect.that(
        begin <= now <= end,
        "the SECC certificate is valid now",
        f"{begin:%F %T} to {end:%F %T}",
        f"{now:%F %T}",
    )
    measure("SECC certificate: days left", (end - now) / timedelta(days=1), unit="d")


@testcase(
    "PNC-054",
    requires=["V2G2-925", "V2G2-875"],
    source="TLS2-11; FB-19",
    confidence="source",
    areas=["trust"],
    defects=["secc-certificate-wrong-domain-component"],
)
def test_secc_certificate_names_its_role(ev: Car, expect: Expect) -> None:
    """The charger's certificate says that it is one of a charge point operator.

    Precondition: TLS handshake.
    Stimulus: none beyond the handshake.
    Expected: domainComponent CPO in the subject of the SECC certificate.
    """
    leaf = _handshake(ev).chain[0]
    roles = [str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]
    expect(roles, "domainComponent of the SECC certificate").to_contain("CPO")


@testcase(
    "PNC-055",
    requires=["V2G2-871"],
    source="TLS2-12",
    confidence="source",
    areas=["trust"],
    defects=["secc-chain-incomplete"],
)
def test_secc_chain_is_complete(ev: Car, expect: Expect) -> None:
    """The charger sends every certificate between its own and the root.

    Precondition: TLS handshake; the chain ends under the V2G root that the car trusts, as far as it goes.
    Stimulus: none beyond the handshake.
    Expected: leaf and all sub-CA certificates in the Certificate message.
    """
    shown = _handshake(ev)
    if "unknown-root" in shown.codes:
        raise Inconclusive("the charger's chain ends under an unknown root: what is missing cannot be told")
    actual = f"{len(shown.chain)} certificates; {'; '.join(shown.problems) or 'no problem'}"
    expect.that("incomplete-chain" not in shown.codes, "the SECC chain is complete", actual, "up to the root")


@testcase(
    "PNC-056",
    requires=["A02.FR.02", "A02.FR.03", "A02.FR.06"],
    source="TC_A_12_CS",
    confidence="source",
    areas=["trust", "backend"],
    defects=["csr-keeps-old-certificate"],
)
def test_secc_certificate_is_renewed(ev: Car, csms: Csms, timeline: Timeline, expect: Expect) -> None:
    """The backend renews the SECC certificate, and the next car is shown the new one.

    Precondition: the SECC certificate is in order; TriggerMessage SignV2GCertificate is Accepted.
    Stimulus: the charger's SignCertificate is answered with a CertificateSigned for the requested key.
    Expected: CertificateSigned is Accepted; the next handshake shows the certificate that was signed.
    """
    before = _leaf_in_order(ev)
    expect(_renew(csms, timeline), "CertificateSigned").to_be("Accepted")
    after = _handshake(ev).chain[0]
    expect.that(
        after != before,
        "a new SECC certificate is shown",
        f"serial number {after.serial_number:x}",
        f"not {before.serial_number:x}",
    )


@testcase(
    "PNC-057",
    requires=["V2G2-925", "A02.FR.06", "A02.FR.07"],
    source="TLS2-11; TC_A_14_CS",
    confidence="source",
    areas=["trust", "backend"],
    defects=["accepts-unfit-signed-certificate"],
)
def test_unfit_secc_certificate_is_rejected(
    ev: Car, csms: Csms, timeline: Timeline, charger_state: ChargerState, expect: Expect
) -> None:
    """A signed certificate that cars would refuse is rejected, and the old one stays in use.

    Precondition: the SECC certificate is in order; TriggerMessage SignV2GCertificate is Accepted.
    Stimulus: CertificateSigned for the requested key, but with domainComponent OEM.
    Expected: CertificateSigned is Rejected; the next handshake shows the certificate from before.
    """
    # A charger that asks again would get a good one then, in the middle of another case.
    charger_state.set_variable("SecurityCtrlr", "CertSigningRepeatTimes", 0, optional=True)
    before = _leaf_in_order(ev)
    csms.office.signing_faults = {"domain_component": "OEM"}
    expect(_renew(csms, timeline), "CertificateSigned with an unfit certificate").to_be("Rejected")
    expect.that(_handshake(ev).chain[0] == before, "the SECC certificate from before is shown")


def _handshake(ev: Car) -> TlsOutcome:
    """A TLS handshake as a car does it, no message; what the charger showed. Precondition."""
    session = ev.plug_in().connect()
    session.close()
    if session.tls is None:
        raise Inconclusive("the charger offers no TLS")
    return session.tls


def _served_with(ev: Car, expect: Expect, suite: str) -> None:
    """A session with a ClientHello that offers one suite; the charger must agree and answer over it."""
    _handshake(ev)
    offer = replace(ev.defaults.tls_options, suites=(suite,))
    session = ev.plug_in(tls_options=offer)
    with expect.session_may_end() as ending:
        session.connect()
    expect.that(
        session.tls is not None, f"{suite} is accepted", ending.reason or "handshake done", "accepted"
    )
    assert session.tls is not None
    expect(session.tls.cipher, "suite agreed on").to_be(suite)
    with expect.session_may_end() as ending:
        session.until("ServiceDiscoveryReq")
    expect.that(ending.reason is None, "the session goes on over it", ending.reason or "served", "served")


def _leaf_in_order(ev: Car) -> x509.Certificate:
    shown = _handshake(ev)
    if shown.problems:
        raise Inconclusive(f"the SECC certificate is not in order before the case: {shown.problems[0]}")
    return shown.chain[0]


def _probe(
    session: Session, timeline: Timeline, *, versions: Sequence[Any], suites: Sequence[str]
) -> tls_probe.ProbeResult:
    """Send one ClientHello to the charger and hang up after its first answer."""
    found = session.discover()
    if found is None or found.response is None or not found.response.tls:
        raise Inconclusive("the charger's SDP answer does not name a TLS port")
    where = socket_address(found.response.address, found.response.port, session.wire.interface)
    try:
        answer = tls_probe.probe(where, versions=versions, suites=suites)
    except OSError as error:  # no TCP connection: certainly none with this ClientHello
        answer = tls_probe.ProbeResult("closed", alert=str(error))
    said = {"version": f"{', '.join(versions)} offered", "alert": f"answer: {_in_words(answer)}"}
    timeline.append("ev", "tls", "probe", {**said, "suites": suites, "duration_s": answer.duration_s})
    return answer


def _in_words(answer: tls_probe.ProbeResult) -> str:
    return " ".join(part for part in (answer.kind, answer.version, answer.suite, answer.alert) if part)


def _renew(csms: Csms, timeline: Timeline) -> str:
    """Have the charger ask for a new SECC certificate; the status with which it answers CertificateSigned."""
    mark = csms.mark()
    status = csms.trigger("SignV2GCertificate")
    if status != "Accepted":
        raise Inconclusive(f"TriggerMessage SignV2GCertificate is {status}")
    answer = timeline.wait_for(
        lambda event: (
            event.kind == "ocpp"
            and event.name == "CertificateSigned"
            and event.data["type"] in ("CALLRESULT", "CALLERROR")
        ),
        CERTIFICATE_SIGNED_S,
        since=mark,
    )
    if answer is None:
        asked = len(csms.seen("SignCertificate", since=mark))
        raise Inconclusive(f"no answer to CertificateSigned; the charger sent {asked} SignCertificate")
    return str((answer.data["payload"] or {}).get("status") or answer.data["type"])
