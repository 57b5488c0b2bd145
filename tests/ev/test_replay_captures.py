"""Captures of real cars, played on the whole embedded bench: rig, instruments, simulated charger, CSMS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli._replay import load
from bench.ev.captured_profile import profile_of
from bench.ev.replay import Player
from bench.station import Station
from bench.station.bench_file import named_files
from bench.timeline import Event
from drivers import CardReader
from fixtures.car import Car
from fixtures.card import TOKEN
from tests.shared import shared_dir

FOLDER = (shared_dir() or Path("absent")) / "captures"
SPEED, LOOPS = 50.0, 80
REAL = {
    "everest_BMW_iX_2024-02-27_2024-02-27T13_26_06.131Z-1_din_spec_ethernet-traffic.dump": ("din", "dc"),
    "everest_Renault_Zoe_Z50_R135_din_spec_70121-DC_Zoe_Z50_R135_DC_Charging.pcap": ("din", "dc"),
    "everest_Audi_Q4_ac_iso2-1.dump": ("iso2", "ac"),
    "everest_VW_id.3_iso_15118-2_DC_2023-04-14T12_48_02.295Z-9_config-josev-dc-iso2_ethernet-traffic.dump": (
        "iso2",
        "dc",
    ),
}
PNC = (
    "dspace_Wireshark_dsV2Gshark_examples_ISO-2_DC_PnC_TLS_CertInstallation_DS5366_RiseV2G.pcapng",
    "dspace_Wireshark_dsV2Gshark_examples_ISO-2_DC_PnC_TLS_CertUpdate_DS5366_RiseV2G.pcapng",
)


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Car]:
    """A car on an open embedded bench, whose contract and card the backend accepts."""
    if not FOLDER.is_dir():
        pytest.skip("the shared folder with the captures is not here")
    folder = tmp_path_factory.mktemp("replay")
    bench = folder / "replay.toml"
    text = named_files("benches")["embedded"].read_text()
    bench.write_text(text.replace('name = "embedded"', 'name = "replay-of-captures"'))
    with pytest.MonkeyPatch.context() as patch:
        # Locks of the tests must not meet those of a run on this host.
        patch.setenv("PLUGBENCH_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        with Station.open(bench, results=folder / "results") as station:
            made = Car(station)
            reader = station.instruments.get(CardReader)
            station.csms.contracts.accept(made.contract.emaid)
            station.csms.tokens.accept(TOKEN)

            def customer(event: Event) -> None:
                """Holds the card to the reader when the car has chosen external payment."""
                chosen = event.name in ("PaymentServiceSelectionReq", "ServicePaymentSelectionReq")
                if event.kind == "v2g" and chosen and made.sessions[-1].options.auth == "eim":
                    reader.present(TOKEN)

            unsubscribe = station.timeline.subscribe(customer)
            yield made
            unsubscribe()


@pytest.mark.parametrize("name", REAL)
def test_a_real_car_is_replayed_to_session_stop(car: Car, name: str) -> None:
    script = load(FOLDER / name)
    assert (script.protocol, script.energy) == REAL[name]
    session = car.plug_in(
        script.energy, script.auth, tls=script.tls, protocol=script.protocol, profile=profile_of(script)
    )
    mark = car.timeline.mark()
    try:
        result = Player(session, script, speed=SPEED, loops=LOOPS).play()
    finally:
        car.rest()
    assert result.finished and result.reason is None, result
    assert result.differences == []
    assert session.history[-1].name == "SessionStopReq"
    assert result.energy_wh > 0
    events = car.timeline.since(mark)
    # The car's own hands: state C, and on DC a contactor that closes on a matching voltage and opens again.
    assert "C" in [each.data["state"] for each in events if each.kind == "pilot" and each.name == "set"]
    if script.energy == "dc":
        assert [each.name for each in events if each.kind == "contactor"] == ["close", "open"]
    # The power really flowed on the rig: what the analyzer, an instrument of its own, saw of it.
    assert max(each.data["power_w"] for each in events if each.kind == "power") > 100


@pytest.mark.parametrize("name", PNC)
def test_plug_and_charge_is_replayed_with_the_contract_of_the_bench(car: Car, name: str) -> None:
    """Test gear's capture with TLS keys: certificates, challenge and signatures are the bench's."""
    script = load(FOLDER / name, FOLDER / f"{name}.keylog")
    assert script.auth == "pnc" and script.tls
    session = car.plug_in("dc", "pnc", tls=True, profile=profile_of(script), certificate="none")
    try:
        result = Player(session, script, speed=SPEED, loops=LOOPS).play()
    finally:
        car.rest()
    assert result.finished and result.reason is None, result
    assert result.differences == []
    assert session.installed_contract is not None
