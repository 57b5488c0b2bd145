"""DIN SPEC 70121 on the EV side: against the simulated charger, and what the car makes of odd answers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import pytest
from charger_process import charger
from fake_secc import FakeSecc

from bench.cli import ev as ev_cli
from bench.ev import faults
from bench.ev.din import responses
from bench.ev.emulator import EvEmulator
from bench.ev.errors import PlanMistake, SessionEnded
from bench.ev.options import SessionOptions
from bench.ev.profile import DIN_NAMESPACE, ISO2_NAMESPACE, OfferedProtocol, load_profile
from bench.rules import RULES
from bench.timeline import Timeline
from bench.v2g.din_words import as_din
from bench.v2g.messages import din, iso2, sap


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, Any]]:
    with charger() as sockets:
        yield sockets


@pytest.fixture
def din_ev(ready: dict[str, Any], timeline: Timeline) -> Iterator[EvEmulator]:
    emulator = EvEmulator(
        None,
        load_profile().with_changes(pace__charge_loop_s=0.002, pace__ongoing_loop_s=0.002),
        timeline,
        interface="lo",
        sdp_port=ready["sdp_port"],
        defaults=SessionOptions(protocol="din", energy="dc", auth="eim", tls=False, step_limit_s=10),
    )
    yield emulator
    emulator.close()


def test_a_whole_session(din_ev: EvEmulator, timeline: Timeline) -> None:
    session = din_ev.plug_in().run(0.1)
    assert session.ended == "finished" and session.energy_wh > 0
    names = list(dict.fromkeys(each.name for each in session.history))
    assert names == list(session.protocol.rows)
    assert all(type(each.response).__module__.startswith(din.__name__) for each in session.history[1:])
    assert {each.data["schema"] for each in timeline.since() if each.kind == "v2g"} == {"sap", "din"}
    assert session.state.evse_id == b"DE*PBX*E00001".hex()
    assert session.handshake_s is not None
    assert [each.name for each in session.steps][-1] == "power_delivery_start"


def test_the_rules_find_nothing_to_blame(din_ev: EvEmulator, timeline: Timeline) -> None:
    din_ev.plug_in().run(0.05)
    found = [each for rule in RULES for each in rule.check(timeline.since(), ())]
    assert [each for each in found if each.severity == "fail"] == []


def test_deviations_work_alike(din_ev: EvEmulator) -> None:
    session = din_ev.plug_in().deviate("ServicePaymentSelectionReq", faults.header(SessionID=b"\x01" * 8))
    session.until("ServicePaymentSelectionReq")
    assert session.send_next().ResponseCode == din.responseCode.FAILED_UnknownSession
    session = din_ev.plug_in().until("ContractAuthenticationReq")
    answer = session.send(din.CableCheckReq(DC_EVStatus=as_din(session.state.ev_status(ready=True))))
    assert answer.ResponseCode == din.responseCode.FAILED_SequenceError
    with pytest.raises(PlanMistake, match="no request of DIN SPEC 70121"):
        session.until("AuthorizationReq")


@pytest.mark.parametrize("wrong", [{"energy": "ac"}, {"auth": "pnc"}, {"tls": True}])
def test_what_din_cannot_do_is_told(din_ev: EvEmulator, wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanMistake, match="without TLS"):
        din_ev.plug_in(**wrong)


def test_a_choice_of_another_protocol_ends_the_session(make_ev: Any, secc: FakeSecc) -> None:
    """A car that could speak both, in a session that speaks one."""
    offers = (OfferedProtocol(ISO2_NAMESPACE, 2, 0, 1, 1), OfferedProtocol(DIN_NAMESPACE, 2, 0, 2, 2))
    secc.answers["supportedAppProtocolReq"] = lambda request, fake: sap.supportedAppProtocolRes(
        ResponseCode=sap.responseCode.OK_SuccessfulNegotiation, SchemaID=2
    )
    with pytest.raises(SessionEnded, match="chose urn:din"):
        make_ev(secc).plug_in(protocols=offers).until("ServiceDiscoveryReq")


@pytest.mark.parametrize(
    ("offered", "mode"),
    [("DC_core", "DC_core"), ("AC_core3p_DC_extended", "DC_extended"), ("DC_dual", "DC_extended")],
)
def test_energy_types_that_name_several_connectors(din_ev: EvEmulator, offered: str, mode: str) -> None:
    state = din_ev.plug_in().state
    res = din.ServiceDiscoveryRes(
        ResponseCode=din.responseCode.OK,
        PaymentOptions=din.PaymentOptions(PaymentOption=[din.paymentOption.ExternalPayment]),
        ChargeService=din.ServiceCharge(
            ServiceTag=din.ServiceTag(ServiceID=3, ServiceCategory=din.serviceCategory.EVCharging),
            FreeService=True,
            EnergyTransferType=din.EVSESupportedEnergyTransfer(offered),
        ),
    )
    assert responses.service_discovery(state, res) == "ServicePaymentSelectionReq"
    assert (state.energy_mode, state.charge_service_id) == (mode, 3)


def test_every_word_of_iso2_that_both_have_is_a_word_of_din() -> None:
    """Codes and status values: what DIN does not know becomes its nearest, never an error."""
    assert {as_din(each) for each in iso2.responseCode} <= set(din.responseCode)
    assert as_din(iso2.responseCode.FAILED_WrongEnergyTransferMode) == "FAILED_WrongEnergyTransferType"
    assert as_din(iso2.responseCode.FAILED_CertificateRevoked) == "FAILED"
    assert as_din(iso2.EVSEProcessing.Ongoing_WaitingForCustomerInteraction) == "Ongoing"
    for kind in ("DC_EVSEStatusCode", "EVSENotification", "isolationLevel", "DC_EVErrorCode", "unitSymbol"):
        assert {as_din(each) for each in getattr(iso2, kind)} <= set(getattr(din, kind)), kind
    assert as_din(iso2.isolationLevel.No_IMD) == "Invalid"


def test_the_command(ready: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser(prog="plugbench")
    ev_cli.register(parser.add_subparsers(required=True))
    how = ["--protocol", "din", "--energy", "dc", "--auth", "eim", "--no-tls", "--duration", "0.1", "--json"]
    where = ["--interface", "lo", "--sdp-port", str(ready["sdp_port"])]
    args = parser.parse_args(["ev", "charge", *where, *how])
    assert args.func(args) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["protocol"], summary["result"]) == ("din", "ok")
    assert summary["messages"][-1]["name"] == "SessionStopReq"
