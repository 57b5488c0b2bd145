"""The simulated charger against Josev (EcoG-io iso15118) as the car: a car that nobody here wrote.

Josev judges the charger with its own codec (EXIficient), its own TLS and signature checks; the verdict is
read from its trace. Needs root (two network namespaces), a JRE, and the shared folder with the peer's start
script; skips otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreign_pki import in_josev_layout, josev_pki, with_valid_emaid, write_charger_store
from josev_peer import PEER, Link, install, running

from bench.charger.store import write_store
from bench.pki import Pki

pytestmark = [pytest.mark.netns, pytest.mark.slow]

LINK = Link("pb-jev-secc", "pb-jev-ev", "pbjevs0", "pbjeve0")
IN_SECC_SPACE = ["ip", "netns", "exec", LINK.secc_space, sys.executable, "-m", "bench.cli"]
READY_S = 60.0
SESSION_S = 120.0
CYCLES = 10
ENDINGS = ("Communication session terminated", "Communication session stopped successfully")


@pytest.fixture(scope="module")
def link() -> Iterator[None]:
    with LINK.up():
        install()
        yield


@contextlib.contextmanager
def charger(*arguments: str | Path) -> Iterator[dict[str, Any]]:
    """`plugbench charger serve` in its namespace; what it says about its sockets."""
    command = [*IN_SECC_SPACE, "charger", "serve", "--interface", LINK.secc_interface, "--ready-json"]
    with running([*command, *arguments], b"sdp_port", READY_S) as said:
        yield json.loads(said.splitlines()[-1])


@contextlib.contextmanager
def csms(pki: Path, record: Path) -> Iterator[str]:
    """`plugbench csms serve` in the charger's namespace; its address."""
    command = [*IN_SECC_SPACE, "csms", "serve", "--port", "0", "--quiet", "--pki", pki, "--record", record]
    with running(command, b"CSMS for", READY_S) as said:
        found = re.search(rb"ws://\S+?(?=/<station id>)", said)
        assert found is not None, said
        yield found.group().decode()


class Told:
    """What Josev's trace tells about one session."""

    def __init__(self, trace: Path, printed: str) -> None:
        self.events = [json.loads(line) for line in trace.read_text().splitlines()]
        self.printed = printed

    def of(self, kind: str, key: str) -> list[Any]:
        """`key` of every event of one kind, in order."""
        return [each[key] for each in self.events if each["ev"] == kind]

    @property
    def requests(self) -> list[str]:
        return self.of("send", "msg")

    @property
    def responses(self) -> list[str]:
        """What Josev could decode."""
        return self.of("from_exi", "msg")

    @property
    def ending(self) -> str:
        """Why Josev's session ended: its own words."""
        return (self.of("stop", "reason") or ["(no session)"])[-1]


def drive(folder: Path, protocol: str, security: str, pki: Path, *options: str) -> Told:
    """One session of Josev's EV."""
    trace = folder / "trace.jsonl"
    how = ("--fast-stop", "--cycles", str(CYCLES), "--trace", trace)
    done = subprocess.run(
        [PEER / "josev_evcc.sh", protocol, security, LINK.ev_interface, *how, *options],
        env={**os.environ, "NETNS": LINK.ev_space, "JOSEV_PKI": str(pki)},
        capture_output=True,
        text=True,
        timeout=SESSION_S,
        check=False,
    )
    assert trace.exists(), done.stderr[-2000:]
    return Told(trace, (done.stdout + done.stderr)[-2000:])


def assert_charged(told: Told, loop: str) -> None:
    """Josev went through the charge loop and ended the session itself, with nothing to complain about.

    Its session ends with one of these words (the second in DIN) only after a SessionStopRes with a positive
    code; it stops at the first negative code, undecodable message or bad signature with words that say so.
    """
    assert told.ending in ENDINGS, f"{told.ending}\n{told.printed}"
    # Josev takes one of its cycles before the loop, in DIN two.
    assert told.requests.count(f"{loop}Req") >= CYCLES - 2, told.requests
    assert told.responses.count(f"{loop}Res") == told.requests.count(f"{loop}Req")
    assert told.requests[-1] == "SessionStopReq"
    assert told.responses[-1] == "SessionStopRes"


LOOPS = {"iso2-dc": "CurrentDemand", "iso2-ac": "ChargingStatus"}


@pytest.mark.parametrize("protocol", [*LOOPS, "din"])
def test_a_foreign_car_charges_without_tls(link: None, tmp_path: Path, protocol: str) -> None:
    """External payment: the standalone charger has somebody with a card always there."""
    with charger() as ready:
        told = drive(tmp_path, protocol, "notls", josev_pki())
    assert ready["tls_port"] is None
    assert_charged(told, LOOPS.get(protocol, "CurrentDemand"))
    assert ("ContractAuthenticationReq" in told.requests) == (protocol == "din")
    assert "PaymentDetailsReq" not in told.requests
    assert told.of("tcp_connected", "tls") == [None]


@pytest.mark.parametrize("protocol", LOOPS)
def test_a_foreign_car_plugs_and_charges(link: None, tmp_path: Path, protocol: str) -> None:
    """TLS and Plug & Charge with certificates of Josev's making on both sides."""
    pki = with_valid_emaid(josev_pki(), tmp_path / "pki")
    write_charger_store(pki, tmp_path / "store")
    with charger("--store", tmp_path / "store") as ready:
        told = drive(tmp_path, protocol, "tls", pki)
    assert ready["tls_port"] is not None
    assert_charged(told, LOOPS[protocol])
    assert told.of("tcp_connected", "tls") == ["TLSv1.2"]
    assert told.of("tcp_connected", "cipher")[0] in (
        "ECDHE-ECDSA-AES128-SHA256",
        "ECDH-ECDSA-AES128-SHA256",
    )
    assert told.requests.count("PaymentDetailsReq") == 1


def test_a_foreign_contract_with_a_wrong_check_character_is_refused(link: None, tmp_path: Path) -> None:
    """The contract as Josev's script makes it: its eMAID is none, and the charger says which code."""
    write_charger_store(josev_pki(), tmp_path / "store")
    with charger("--store", tmp_path / "store"):
        told = drive(tmp_path, "iso2-dc", "tls", josev_pki())
    assert told.requests[-1] == "PaymentDetailsReq"
    assert "FAILED_CERTIFICATE_NOT_ALLOWED_AT_THIS_EVSE" in told.ending


def test_a_foreign_car_gets_a_contract_installed(link: None, tmp_path: Path) -> None:
    """CertificateInstallation through charger and CSMS, then Plug & Charge; certificates of the bench.

    Josev checks the provisioning service's signature up to the V2G root and decrypts the contract's key.
    """
    made = Pki.create(tmp_path / "bench-pki")
    pki = in_josev_layout(made, tmp_path / "josev-pki")
    store, record = tmp_path / "store", tmp_path / "ocpp.jsonl"
    write_store(
        store,
        secc=made.secc,
        v2g_roots=[made.v2g_root.certificate],
        mo_roots=[made.mo_root.certificate],
    )
    with (
        csms(tmp_path / "bench-pki", record) as url,
        charger("--store", store, "--csms", url, "--station-id", "JOSEV-CAR"),
    ):
        told = drive(tmp_path, "iso2-dc", "tls", pki, "--cert-install")
    assert_charged(told, "CurrentDemand")
    assert "CertificateInstallationReq" in told.requests
    assert "CertificateInstallationRes" in told.responses
    assert told.of("crypto", "fn").count("decrypt_priv_key") == 1
    assert "Get15118EVCertificate" in record.read_text()
