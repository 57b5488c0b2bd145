"""The simulated charger on the powerline: who reaches its SECC, and what the pilot does when SLAC fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench.charger.cable import IdealCable
from bench.charger.model import Charger
from bench.charger.profile import ChargerProfile
from bench.charger.standalone import PlainVariables
from bench.charger.store import CertificateStore
from bench.cli import main
from bench.slac.config import EvConfig
from bench.slac.port import open_port
from bench.slac.result import MatchResult
from bench.slac.run import match
from drivers.qca7000 import Qca7000
from drivers.simulated.powerline import Powerline

QUICK = EvConfig(attempts=1, sound_interval_s=0.005)


class Bench:
    """A charger on one end of a powerline, a car's modem on the other."""

    def __init__(self, charger: Charger, line: Powerline) -> None:
        self.charger, self.line = charger, line

    def plug(self, state: str) -> None:
        """The vehicle's state on the pilot, as the cable tells it."""
        self.charger.cable._take(replace(self.charger.cable.seen, state=state))

    async def match(self) -> MatchResult:
        """A car matches, in a thread of its own."""

        def car() -> MatchResult:
            modem = Qca7000(self.line.endpoints()["plc"], name="modem", settle_s=0.0, poll_s=0.01)
            modem.open()
            try:
                return match(modem.port, modem, config=QUICK)
            finally:
                modem.close()

        return await asyncio.to_thread(car)


@asynccontextmanager
async def bench(tmp_path: Path, **limits: float) -> AsyncIterator[Bench]:
    line = Powerline()
    await line.start()
    charger = Charger(ChargerProfile(), CertificateStore(tmp_path), PlainVariables(), IdealCable())
    config = charger.slac.config
    charger.slac.config = replace(config, overrides={**config.overrides, **limits})
    charger.slac.step_ef_s = 0.05
    port = await asyncio.to_thread(open_port, line.endpoints()["plc-evse"])
    charger.slac.open(port)
    try:
        yield Bench(charger, line)
    finally:
        await charger.close()
        charger.slac.close()
        line.close()
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_without_a_modem_the_charger_is_reachable_at_once(tmp_path: Path) -> None:
    async def scene() -> None:
        charger = Charger(ChargerProfile(), CertificateStore(tmp_path), PlainVariables(), IdealCable())
        assert charger.slac.reachable
        charger.slac.close()

    asyncio.run(scene())


def test_only_a_car_that_has_the_key_reaches_the_secc(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bench(tmp_path) as made:
            slac = made.charger.slac
            assert not slac.reachable
            made.plug("B")
            assert made.charger.cable.output.duty_percent == 5.0
            assert not slac.reachable
            assert (await made.match()).linked
            assert slac.reachable
            made.plug("A")
            assert not slac.reachable
            assert not made.charger.cable.output.oscillator

    asyncio.run(scene())


def test_without_a_request_the_oscillator_goes_off(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bench(tmp_path, TT_EVSE_SLAC_init=0.05) as made:
            made.plug("B")
            assert made.charger.cable.output.oscillator
            await until(lambda: not made.charger.cable.output.oscillator)
            assert made.charger.cable.output.fault is None
            assert not (await made.match()).matched
            made.plug("A")
            made.plug("B")
            assert made.charger.cable.output.oscillator

    asyncio.run(scene())


@pytest.mark.parametrize("unplugged", [False, True])
def test_after_a_lost_link_the_pilot_goes_through_e_and_matching_begins_anew(
    tmp_path: Path, unplugged: bool
) -> None:
    async def scene() -> None:
        async with bench(tmp_path) as made:
            made.plug("B")
            first = await made.match()
            matcher = made.charger.slac.matcher
            assert matcher is not None
            await until(lambda: matcher.state == "matched")
            matcher.modem.stop()
            matcher.modem.up = False
            made.charger.slac.failed(linked=True)
            await until(lambda: made.charger.cable.output.fault == "E")
            made.plug("E")  # what the charger itself puts on the line is no vehicle that leaves
            assert made.charger.pilot.connected
            made.plug("A" if unplugged else "B")
            await until(lambda: made.charger.cable.output.fault is None)
            await until(lambda: not made.charger.pilot.stepping)
            assert made.charger.pilot.connected is not unplugged
            assert made.charger.cable.output.oscillator is not unplugged
            if not unplugged:
                second = await made.match()
                assert second.linked and second.nmk != first.nmk

    asyncio.run(scene())


def test_a_modem_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["charger", "serve", "--interface", "lo", "--sdp-port", "0", "--plc", "tunnel:127.0.0.1:1"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "tunnel:127.0.0.1:1" in said
    assert said.count("\n") == 1
