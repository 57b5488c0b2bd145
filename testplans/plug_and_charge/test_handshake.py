"""From the first SDP request to PowerDelivery Start: DC, Contract, TLS."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from bench.plan import Expect, Inconclusive, Measure, testcase
from bench.v2g import timers, tls

if TYPE_CHECKING:
    from bench.station import Station
    from fixtures.car import Car

PERMITTED_SUITES = tls.ISO2_SUITES + tuple(filter(None, map(tls.OPENSSL_SUITES.get, tls.ISO2_SUITES)))
UNTRUSTED = ("unknown-root",)
CLOCK_TOLERANCE_S = 60.0


@testcase(
    "PNC-001",
    requires=["V2G2-159", "V2G2-139"],
    defects=["sdp-ignores-first-request"],
    source="ISO 15118-2:2014 7.10.1; bench/v2g/timers.toml sdp.response_wait",
    confidence="source2",
    areas=["charger"],
)
def test_first_sdp_request_is_answered(ev: Car, expect: Expect, measure: Measure) -> None:
    """The first SDP request is answered in 250 ms.

    Precondition: the car is plugged in, pilot state B, oscillator on.
    Stimulus: one SECC discovery request with security TLS; up to two more when it is not answered.
    Expected: the answer to the first request, within 250 ms.
    """
    session = ev.plug_in(sdp_attempts=3)
    with expect.session_may_end() as ending:
        session.discover()
    expect(ending.reason, "end of discovery").to_be(None)
    found = session.sdp
    assert found is not None
    expect(found.attempts, "SDP requests until an answer came").to_be(1)
    measure("SDP answer", found.duration_s, high=timers.get("sdp.response_wait"))


@testcase(
    "PNC-002",
    requires=["V2G2-139"],
    defects=["sdp-answers-without-tls"],
    source="ISO 15118-4, TC_SECC_CMN_VTB_SDP_003; FB-25",
    confidence="source",
    areas=["charger"],
)
def test_sdp_response_leads_to_tls(ev: Car, expect: Expect) -> None:
    """The SDP response names a usable address, a port, and TLS.

    Precondition: the car is plugged in and its discovery request is answered.
    Stimulus: SECC discovery request with security TLS.
    Expected: link-local address, port above 0, security TLS (0x00), transport TCP (0x00).
    """
    found = ev.plug_in().discover()
    assert found is not None and found.response is not None
    address = IPv6Address(found.response.address.partition("%")[0])
    expect.that(
        address.is_link_local or address.is_loopback, "the address is link-local", address, "fe80::/10"
    )
    expect(found.response.port, "port").to_be_between(1, 65535)
    expect(found.response.security, "security (0 is TLS)").to_be(0)
    expect(found.response.transport, "transport (0 is TCP)").to_be(0)


@testcase(
    "PNC-003",
    requires=["V2G2-649"],
    defects=["tls-secc-unknown-root"],
    source="bench/v2g/timers.toml tls.iso15118_2",
    confidence="memory",
    areas=["charger", "trust"],
)
def test_tls_handshake(ev: Car, expect: Expect, measure: Measure) -> None:
    """TLS 1.2 with a permitted suite, and a chain that leads to the V2G root.

    Precondition: SDP names an address with TLS.
    Stimulus: TLS handshake as ISO 15118-2 has it, V2G root of the bench installed in the car.
    Expected: TLS 1.2, one of the two suites of the standard, a certificate chain under a root that the car
    knows.
    """
    session = ev.plug_in()
    found = session.discover()
    if found is None or found.response is None or not found.response.tls:
        raise Inconclusive("the charger's SDP response offers no TLS")  # PNC-002 judges that
    with expect.session_may_end() as ending:
        session.connect()
    expect(ending.reason, "end of the handshake").to_be(None)
    shown = session.tls
    assert shown is not None
    expect(shown.version, "TLS version").to_be_one_of("TLSv1.2", "1.2", "TLS 1.2")
    expect(shown.cipher, "cipher suite").to_be_one_of(*PERMITTED_SUITES)
    expect([code for code in shown.codes if code in UNTRUSTED], "trust in the charger's chain").to_be([])
    measure("TLS handshake", shown.duration_s, unit="s", doc="for information: no limit of its own")


@testcase(
    "PNC-004",
    requires=["V2G2-550"],
    defects=["contract-selection-refused"],
    source="ISO 15118-4, TC_SECC_CMN_VTB_PaymentServiceSelection_002",
    confidence="source",
    areas=["charger"],
)
def test_contract_can_be_selected(ev: Car, expect: Expect) -> None:
    """PaymentServiceSelection with Contract is accepted.

    Precondition: TLS session, Contract offered in ServiceDiscoveryRes.
    Stimulus: PaymentServiceSelectionReq with SelectedPaymentOption Contract.
    Expected: ResponseCode OK.
    """
    session = ev.plug_in().until("PaymentServiceSelectionReq")
    expect.accepted(expect.answered(session))


@testcase(
    "PNC-005",
    requires=["V2G2-559"],
    defects=["payment-details-refuses-sub-ca-2"],
    source="ISO 15118-4, TC_SECC_CMN_VTB_PaymentDetails_001",
    confidence="source",
    areas=["charger", "trust"],
)
def test_contract_chain_is_accepted(ev: Car, expect: Expect) -> None:
    """PaymentDetails with a contract chain of leaf and two sub-CAs is accepted.

    Precondition: Contract selected; the MO root of the contract is installed in the charger.
    Stimulus: PaymentDetailsReq with eMAID and chain (leaf, sub-CA 2, sub-CA 1).
    Expected: ResponseCode OK.
    """
    session = ev.plug_in().until("PaymentDetailsReq")
    expect.accepted(expect.answered(session))


@testcase(
    "PNC-006",
    requires=["V2G2-697"],
    defects=["genchallenge-constant", "evse-timestamp-wrong"],
    source="ISO 15118-4, TC_SECC_CMN_VTB_PaymentDetails_001; timers.toml gen_challenge_bytes",
    confidence="source",
    areas=["charger"],
)
def test_challenge_is_fresh(ev: Car, expect: Expect, measure: Measure) -> None:
    """PaymentDetailsRes brings a fresh random challenge and the right time.

    Precondition: two sessions reach PaymentDetails.
    Stimulus: PaymentDetailsReq in each.
    Expected: 16 byte challenges that differ between the sessions; EVSETimeStamp within a minute of the
    bench's clock.
    """
    answers = []
    for _ in range(2):
        session = ev.plug_in()
        answer = session.through("PaymentDetailsReq")
        wall_s = time.time()
        session.close()
        if not str(answer.ResponseCode).startswith("OK"):
            raise Inconclusive(f"PaymentDetailsReq is refused: {answer.ResponseCode}")  # PNC-005 judges that
        answers.append(answer)
        ev.unplug()
    challenges = [bytes(answer.GenChallenge or b"") for answer in answers]
    expect([len(challenge) for challenge in challenges], "length of GenChallenge").to_be([16, 16])
    expect.that(
        len(set(challenges[1])) > 4, "GenChallenge looks random", challenges[1], "more than 4 different bytes"
    )
    expect(challenges[1], "GenChallenge of the second session").not_to_be(challenges[0])
    measure(
        "EVSETimeStamp against the bench's clock",
        abs(answers[-1].EVSETimeStamp - wall_s),
        unit="s",
        high=CLOCK_TOLERANCE_S,
        limit="plan: clocks of charger and bench agree to a minute",
    )


@testcase(
    "PNC-007",
    requires=["V2G2-565", "V2G2-905"],
    defects=["schedule-missing", "limits-swapped"],
    source="ISO 15118-4, TC_SECC_DC_VTB_ChargeParameterDiscovery_001; FB-13",
    confidence="source",
    areas=["charger"],
)
def test_charge_parameters(ev: Car, expect: Expect, until_finished: Callable[..., Any]) -> None:
    """ChargeParameterDiscovery finishes with a schedule within the charger's own limits.

    Precondition: the contract is authorised.
    Stimulus: ChargeParameterDiscoveryReq (DC) until Finished.
    Expected: Finished within 60 s, at least one SAScheduleTuple, PMax not above EVSEMaximumPowerLimit, maxima
    not below minima.
    """
    session = ev.plug_in(energy="dc").until("ChargeParameterDiscoveryReq")
    answer = until_finished(session, within_s=timers.get("iso2.V2G_EVCC_Ongoing_Timeout").value)
    limits = answer.EVSEChargeParameter
    for quantity in ("Voltage", "Current"):
        low = getattr(limits, f"EVSEMinimum{quantity}Limit").value
        high = getattr(limits, f"EVSEMaximum{quantity}Limit").value
        text = f"EVSEMaximum{quantity}Limit is above EVSEMinimum{quantity}Limit"
        expect.that(low < high, text, f"{high:g}", f"above {low:g}")
    schedules = getattr(answer.SASchedules, "SAScheduleTuple", None)
    expect(schedules, "SAScheduleList").to_be_present()
    power_limit_w = limits.EVSEMaximumPowerLimit.value
    highest_w = max(
        entry.PMax.value for one in schedules or [] for entry in one.PMaxSchedule.PMaxScheduleEntry
    )
    expect(highest_w, "highest PMax of the schedules").to_be_between(0, power_limit_w)


@testcase(
    "PNC-008",
    requires=["V2G2-589"],
    defects=["powerdelivery-start-refused"],
    source="ISO 15118-4, TC_SECC_DC_VTB_PowerDelivery_001",
    confidence="source",
    areas=["charger"],
)
def test_power_delivery_starts(ev: Car, expect: Expect) -> None:
    """PowerDelivery Start is accepted.

    Precondition: DC session authorised by contract, CableCheck and PreCharge done.
    Stimulus: PowerDeliveryReq with ChargeProgress Start.
    Expected: ResponseCode OK.
    """
    session = ev.plug_in(energy="dc").until("PowerDeliveryReq")
    expect.accepted(expect.answered(session))


@testcase(
    "PNC-009",
    requires=["V2G2-714", "V2G2-716"],
    defects=["slow-handshake"],
    source="bench file: timing.handshake_budget_s (2 to 5 s)",
    confidence="source",
    areas=["charger"],
)
def test_handshake_in_budget(ev: Car, station: Station, measure: Measure) -> None:
    """The whole handshake fits its budget.

    Precondition: a DC session by contract reaches PowerDelivery Start.
    Stimulus: the session itself, without pauses of the car.
    Expected: first SDP request to first PowerDeliveryRes within the budget of the bench file.
    """
    session = ev.plug_in(energy="dc")
    session.through("PowerDeliveryReq")
    for one in session.steps:
        measure(one.name, one.duration_s, unit="s", doc="part of the handshake, no limit of its own")
    measure(
        "handshake total",
        session.handshake_s,
        unit="s",
        high=station.bench.timing.handshake_budget_s,
        limit="bench file: timing.handshake_budget_s",
    )
