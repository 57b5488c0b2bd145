"""Cable, pilot, meter, power, profile, store and contract policy, each on its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from charger_lab import Lab, code, run
from hypothesis import given
from hypothesis import strategies as st

from bench.charger.backend import Authorization
from bench.charger.cable import IdealCable, Seen, TcpCable, parse_line
from bench.charger.contract import response_code
from bench.charger.meter import Meter
from bench.charger.power import DcLimits, DcStage
from bench.charger.profile import ProfileError, from_table, load
from bench.charger.store import CertificateStore, Identity, StoreError
from bench.pki import Pki

Make = Callable[..., Lab]
LINE = {"seq": 1, "pilot": {"state": "B"}, "dc": {"voltage_v": 1.5, "current_a": 0}, "ac": {}, "ack": 3}


def test_a_line_of_the_rig() -> None:
    assert parse_line(json.dumps(LINE).encode()) == (Seen("B", 1.5), 3, None)
    assert parse_line(json.dumps({**LINE, "rfid": "TOKEN"}).encode())[2] == "TOKEN"


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"pilot":{"state":"Q"}}', b'{"pilot":{"state":"A"},"dc":{"voltage_v":NaN}}']
)
def test_lines_that_are_none(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a line"):
        parse_line(line)


@given(st.binary(max_size=200))
def test_no_line_does_worse_than_a_value_error(line: bytes) -> None:
    try:
        parse_line(line)
    except ValueError:
        return


def test_the_cable_follows_the_rig_and_notices_its_end() -> None:
    async def work() -> None:
        received: list[dict[str, object]] = []

        async def rig(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                received.append(json.loads(line))
                answer = {**LINE, "ack": len(received)}
                if len(received) == 2:
                    answer["rfid"] = "CARD"
                writer.write(b"rubbish\n" + json.dumps(answer).encode() + b"\n")
                if received[-1]["lock"]:
                    break
            writer.close()

        listener = await asyncio.start_server(rig, "127.0.0.1", 0)
        cable = TcpCable("127.0.0.1", listener.sockets[0].getsockname()[1])
        cards: list[str] = []
        cable.on_card.append(cards.append)
        await cable.start()
        assert cable.seen.state == "B" and received[0]["pilot"] is not None
        cable.set(oscillator=True)
        await cable.settled(1.0)
        assert cards == ["CARD"]
        cable.set(lock=True)
        await asyncio.wait_for(cable.lost.wait(), 2.0)
        assert cable.seen.state == "A"
        await cable.close()
        listener.close()
        await listener.wait_closed()

    run(work())


def test_the_meter_integrates_power_with_its_error() -> None:
    now = [0.0]
    cable = IdealCable()
    meter = Meter(cable, start_wh=100.0, clock=lambda: now[0])
    cable._take(Seen("C", 400.0, 9.0))
    now[0] = 0.5
    cable._take(Seen("C", 400.0, 0.0))
    now[0] = 1.0
    assert meter.energy_wh == pytest.approx(100.0 + 0.5 * 1.002)
    cable._take(Seen("C", 400.0, 9.0))
    now[0] = 60.0
    assert meter.energy_wh == pytest.approx(100.501)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_dc_stage_never_exceeds_its_nameplate(target_a: float, target_v: float) -> None:
    limits = DcLimits()
    stage = DcStage(IdealCable(), limits)
    current_a = stage.current_for(target_a, min(target_v, limits.max_voltage_v))
    assert 0 <= current_a <= limits.max_current_a
    assert current_a * min(target_v, limits.max_voltage_v) <= limits.max_power_w * 1.0001 or target_v <= 1.0


def test_profiles(tmp_path: Path) -> None:
    profile = from_table({"vendor": "V", "charger": {"serial": "S1"}, "simulated": {"max_current_a": 50}})
    assert (profile.vendor, profile.serial, profile.dc.max_current_a) == ("V", "S1", 50.0)
    for bad in (
        {"simulated": 3},
        {"vendor": ""},
        {"evse_id": "short"},
        {"simulated": {"max_power_w": -1}},
        {"simulated": {"receipt_required": "yes"}},
    ):
        with pytest.raises(ProfileError):
            from_table(bad)
    (tmp_path / "p.toml").write_bytes(b"\xff = [")
    with pytest.raises(ProfileError, match="not a TOML"):
        load(tmp_path / "p.toml")


def test_the_store_survives_a_restart(make: Make, pki: Pki) -> None:
    lab = make()
    store = lab.charger.store
    changes: list[int] = []
    store.on_change.append(lambda: changes.append(1))
    root = pki.credentials["foreign/mo/root"].certificate
    store.install_root("MORoot", root)
    renewed = pki.issue_secc()
    store.replace_secc(Identity(renewed.pem_chain(), renewed.pem_key()))
    again = CertificateStore(store.folder)
    assert root in again.roots("MORoot") and again.secc == store.secc and len(changes) == 2
    assert again.delete_root("MORoot", root) and not again.delete_root("MORoot", root)
    assert root not in CertificateStore(store.folder).roots("MORoot")
    (store.folder / "mo_roots" / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n")
    with pytest.raises(StoreError, match=r"bad\.pem"):
        CertificateStore(store.folder)


def test_a_renewed_certificate_is_shown_at_once(make: Make, pki: Pki) -> None:
    lab = make()
    before = lab.charger.tls.context
    renewed = pki.issue_secc()
    lab.charger.store.replace_secc(Identity(renewed.pem_chain(), renewed.pem_key()))
    assert lab.charger.tls.context is not before
    lab.charger.store.replace_secc(Identity(renewed.pem_chain(), pki.issue_secc().pem_key()))
    assert lab.charger.tls.context is not None, "an unfit key leaves the old certificate in place"


def test_hash_data_or_certificate(make: Make) -> None:
    async def work() -> None:
        lab = make()
        await lab.to_payment()
        assert code(await lab.details()) == "OK"
        _, chain_pem, hash_data = lab.backend.asked[-1]
        assert chain_pem is None and hash_data is not None and len(hash_data) == 3
        assert all(len(each.issuer_name_hash) == 64 and each.responder_url for each in hash_data)
        lab.charger.store.delete_root("MORoot", lab.pki.credentials["mo/root"].certificate)
        lab.new_session()
        await lab.to_payment()
        assert code(await lab.details()) == "OK"
        _, chain_pem, hash_data = lab.backend.asked[-1]
        assert hash_data is None and chain_pem is not None and chain_pem.count("BEGIN") == 3

    run(work())


def test_no_central_validation_where_it_is_not_allowed(make: Make) -> None:
    async def work() -> None:
        lab = make(variables={("ISO15118Ctrlr", "CentralContractValidationAllowed"): False}, mo_roots=[])
        await lab.to_payment()
        assert code(await lab.details()) == "FAILED_CertChainError"
        assert lab.backend.asked == []

    run(work())


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (Authorization("Accepted"), "OK"),
        (Authorization("Invalid", "CertificateExpired"), "FAILED_CertificateExpired"),
        (Authorization("Invalid", "CertificateRevoked"), "FAILED_CertificateRevoked"),
        (Authorization("Invalid", "NoCertificateAvailable"), "FAILED_NoCertificateAvailable"),
        (Authorization("Invalid", "CertChainError"), "FAILED_CertChainError"),
        (Authorization("Blocked", "ContractCancelled"), "FAILED_ContractCanceled"),
        (Authorization("Unknown", "Accepted"), "FAILED_CertificateNotAllowedAtThisEVSE"),
        (Authorization("NotAtThisLocation", "Accepted"), "FAILED_CertificateNotAllowedAtThisEVSE"),
    ],
)
def test_what_the_backend_says_becomes_a_response_code(
    make: Make, answer: Authorization, wanted: str
) -> None:
    async def work() -> None:
        lab = make()
        lab.backend.answer = answer
        await lab.to_payment()
        assert code(await lab.details()) == wanted

    run(work())


def test_problems_have_codes() -> None:
    assert response_code([]) == "OK"
    assert response_code(["expired"]) == "FAILED_CertificateExpired"
    assert response_code(["expired", "unknown-root"]) == "FAILED_CertChainError"
    assert response_code(["something-new"]) == "FAILED_CertChainError"
