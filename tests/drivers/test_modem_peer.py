"""The driver against modems that were written by somebody else: the emulator of the shared peers."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import pytest

from bench.slac import mme
from bench.slac.keys import new_nmk, nid_from_nmk
from drivers.qca7000 import Qca7000
from tests.shared import shared_dir
from tests.veth import veth_pair


@pytest.mark.netns
@pytest.mark.parametrize("result", [0, 1])
def test_foreign_modems_join_hear_and_leave(result: int) -> None:
    shared = shared_dir()
    emulator = None if shared is None else shared / "peers" / "slac" / "plc_modem_emu.py"
    if emulator is None or not emulator.is_file():
        pytest.skip("the shared modem emulator (peers/slac/plc_modem_emu.py) is not here")
    with ExitStack() as stack:
        ev_host, ev_modem = stack.enter_context(veth_pair())
        evse_host, evse_modem = stack.enter_context(veth_pair())
        ends = ["--ev-if", ev_modem, "--evse-if", evse_modem, "--db", "30", "--jitter-db", "0"]
        process = subprocess.Popen(
            [sys.executable, emulator, *ends, "--set-key-result", str(result)], stdout=subprocess.PIPE
        )
        stack.callback(_end, process)
        assert process.stdout is not None and process.stdout.readline().endswith(b"ready\n")
        ev, evse = (Qca7000(host, name=host, settle_s=0.0) for host in (ev_host, evse_host))
        for each in (ev, evse):
            each.open()
            stack.callback(each.close)
        assert ev.identify().model == "QCA7005"
        assert ev.network_info() is None
        nmk = new_nmk()
        for each in (ev, evse):
            each.set_key(nid_from_nmk(nmk), nmk)
        assert ev.wait_link(10) and evse.wait_link(10)
        info = ev.network_info()
        assert info is not None and info.nid == nid_from_nmk(nmk)
        sound = mme.MnbcSoundInd(cnt=9)
        ev.port.send(mme.build_frame(sound, destination=mme.BROADCAST, source=ev.port.mac))
        assert evse.port.receive(5) is not None and evse.port.receive(5) is not None
        attenuation = evse.attenuation()
        assert attenuation is not None
        assert (attenuation.station_mac, attenuation.mean_db) == (ev.port.mac, 30.0)
        ev.make_safe()
        assert not evse.link_up()
        ev.reset()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()
