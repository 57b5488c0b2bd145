from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fake_secc import FakeSecc

from bench.ev.credentials import Credentials
from bench.ev.emulator import EvEmulator
from bench.ev.options import SessionOptions
from bench.ev.profile import load_profile
from bench.ev.vehicle import Vehicle
from bench.pki import Pki
from bench.timeline import Timeline
from bench.v2g import tls


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture
def secc() -> Iterator[FakeSecc]:
    with FakeSecc() as fake:
        yield fake


@pytest.fixture
def tls_secc(pki: Pki) -> Iterator[FakeSecc]:
    with FakeSecc(tls.server_context(pki.secc.pem_chain(), pki.secc.private_key)) as fake:
        yield fake


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


def emulator_for(
    fake: FakeSecc, timeline: Timeline, credentials: Credentials, vehicle: Vehicle | None = None
):
    profile = load_profile().with_changes(pace__charge_loop_s=0.002, pace__ongoing_loop_s=0.002)
    return EvEmulator(
        vehicle or Vehicle.without_power(),
        profile,
        timeline,
        credentials=credentials,
        defaults=SessionOptions(address=fake.address, auth="eim", tls=False, step_limit_s=10),
    )


@pytest.fixture
def make_ev(pki: Pki, timeline: Timeline) -> Iterator[Callable[..., EvEmulator]]:
    """Makes emulators before a fake charger and closes them at the end."""
    made: list[EvEmulator] = []

    def make(
        fake: FakeSecc, vehicle: Vehicle | None = None, credentials: Credentials | None = None
    ) -> EvEmulator:
        made.append(emulator_for(fake, timeline, credentials or Credentials.of(pki), vehicle))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def ev(secc: FakeSecc, timeline: Timeline, pki: Pki) -> Iterator[EvEmulator]:
    """An EV before the plain-TCP fake charger; with a contract, so that even `auth="pnc"` works (no TLS rule
    there).
    """
    emulator = emulator_for(secc, timeline, Credentials.of(pki))
    yield emulator
    emulator.close()


@pytest.fixture
def tls_ev(tls_secc: FakeSecc, timeline: Timeline, pki: Pki) -> Iterator[EvEmulator]:
    emulator = emulator_for(tls_secc, timeline, Credentials.of(pki))
    yield emulator
    emulator.close()
