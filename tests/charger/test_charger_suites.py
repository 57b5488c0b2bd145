"""The charger's TLS port with each suite of ISO 15118-2, and the car that finds the one it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from charger_lab import run

from bench.charger.profile import ChargerProfile
from bench.charger.service import Options, Service
from bench.charger.store import write_store
from bench.ev.errors import ChargerClosed, PlanMistake
from bench.ev.tls_options import TlsOptions, contexts_for
from bench.ev.wire import TlsOutcome, Wire
from bench.pki import Pki
from bench.timeline import Timeline
from bench.v2g import codec, tls, tls_probe, v2gtp
from bench.v2g.connection import V2GConnection, socket_address
from bench.v2g.messages import sap
from bench.v2g.tls12.client import client_context

ECDHE, STATIC = tls.ISO2_SUITES
SAP = codec.encode(
    sap.supportedAppProtocolReq(
        AppProtocol=[
            sap.AppProtocol(
                ProtocolNamespace="urn:iso:15118:2:2013:MsgDef",
                VersionNumberMajor=2,
                VersionNumberMinor=0,
                SchemaID=3,
                Priority=1,
            )
        ]
    )
)


@pytest.fixture
def store(tmp_path: Path, pki: Pki) -> Path:
    folder = tmp_path / "store"
    write_store(
        folder,
        secc=pki.credentials["cpo/secc_leaf"],
        v2g_roots=[pki.credentials["v2g/root"].certificate],
        mo_roots=[pki.credentials["mo/root"].certificate],
    )
    return folder


def at_charger(store: Path, work: Callable[[int], Any], *defects: str) -> Any:
    """What `work(TLS port)` returns, done in a thread beside a charger."""

    async def inside() -> Any:
        service = Service(
            Options(interface="lo", profile=ChargerProfile(), store=store, sdp_port=0, defects=defects)
        )
        try:
            await service.start()
            assert service.ready is not None and service.ready.tls_port is not None
            return await asyncio.to_thread(work, service.ready.tls_port)
        finally:
            await service.close()

    return run(inside())


def talks(port: int, *suites: str) -> str:
    """The suite agreed on, once supportedAppProtocol has been answered over it."""
    with V2GConnection.open("::1", port, "lo", client_context([], suites=suites), timeout_s=5) as connection:
        connection.send(v2gtp.PAYLOAD_V2G_EXI, SAP, segments=3)
        answer = codec.decode("sap", connection.receive(5)[1])
        assert answer.ResponseCode == sap.responseCode.OK_SuccessfulNegotiation
        assert connection.tls is not None
        return connection.tls.cipher


def test_the_charger_has_both_suites_and_prefers_ecdhe(store: Path) -> None:
    def work(port: int) -> list[str]:
        offers = ((ECDHE,), (STATIC,), (ECDHE, STATIC), (STATIC, ECDHE))
        return [talks(port, *each) for each in offers]

    assert at_charger(store, work) == [ECDHE, STATIC, ECDHE, ECDHE]


def test_a_refused_static_handshake_does_no_harm_to_the_next(store: Path) -> None:
    def work(port: int) -> list[str]:
        where = socket_address("::1", port, "lo")
        found = [
            tls_probe.probe(where, suites=[STATIC], groups=["secp521r1"]).alert,
            tls_probe.probe(where, suites=[STATIC], versions=["tls1.1"]).alert,
            tls_probe.probe(where, suites=[STATIC, "TLS_RSA_WITH_AES_128_CBC_SHA"]).suite,
        ]
        return [*found, talks(port, STATIC), talks(port, ECDHE)]

    expected = ["handshake_failure", "protocol_version", STATIC, STATIC, ECDHE]
    assert at_charger(store, work) == expected


# --- the car ---


def drive(pki: Pki, options: TlsOptions, timeline: Timeline) -> Callable[[int], TlsOutcome | None]:
    contexts = contexts_for([pki.credentials["v2g/root"].certificate], options)

    def work(port: int) -> TlsOutcome | None:
        wire = Wire(timeline, "lo", 0)
        outcome = wire.open("::1", port, contexts)
        wire.close()
        return outcome

    return work


@pytest.mark.parametrize(
    ("defects", "suite", "connections"),
    [((), ECDHE, 1), (("tls-lacks-static-ecdh-suite",), ECDHE, 1), (("tls-lacks-ecdhe-suite",), STATIC, 2)],
)
def test_the_ordinary_car_finds_the_suite_that_the_charger_has(
    store: Path, pki: Pki, tmp_path: Path, defects: tuple[str, ...], suite: str, connections: int
) -> None:
    timeline, keylog = Timeline(), tmp_path / "tls.keylog"
    outcome = at_charger(store, drive(pki, TlsOptions(keylog=keylog), timeline), *defects)
    assert outcome is not None
    assert (outcome.cipher, outcome.problems) == (suite, [])
    assert len(outcome.chain) == 3
    said = [event for event in timeline.since(0) if event.kind == "tls"]
    assert [event.name for event in said] == ["failed"] * (connections - 1) + ["handshake"]
    assert said[-1].data["connection"] == connections
    assert sum(line.startswith("CLIENT_RANDOM ") for line in keylog.read_text().splitlines()) == 1


def test_a_car_told_what_to_offer_offers_that_and_gives_up(store: Path, pki: Pki) -> None:
    timeline = Timeline()
    one = TlsOptions(suites=(ECDHE,))
    with pytest.raises(ChargerClosed, match="handshake_failure"):
        at_charger(store, drive(pki, one, timeline), "tls-lacks-ecdhe-suite")
    assert [event.name for event in timeline.since(0) if event.kind == "tls"] == ["failed"]
    both = at_charger(
        store, drive(pki, replace(one, suites=tls.ISO2_SUITES), timeline), "tls-lacks-ecdhe-suite"
    )
    assert both is not None and both.cipher == STATIC
    with pytest.raises(PlanMistake, match="static ECDH can be offered"):
        contexts_for([], replace(one, suites=(STATIC, "TLS_RSA_WITH_AES_128_CBC_SHA")))
