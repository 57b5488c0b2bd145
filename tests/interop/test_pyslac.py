"""The car's SLAC against pyslac, a charger that nobody here wrote, behind an emulated pair of modems.

Needs root (network namespaces), and the shared folder with the peer's start script, which installs pyslac
from the package index into a folder of the user's cache; skips otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.capture.pcapng import CaptureReader
from bench.slac import mme
from tests.shared import shared_dir

pytestmark = [pytest.mark.netns, pytest.mark.slow]

MATCHES = int(os.environ.get("PLUGBENCH_MATCHES", "20"))
"""How many in a row; CI is content with fewer, each costs about six seconds."""
READY_S = 120.0
IN_EV_SPACE = ["ip", "netns", "exec", "plc_ev"]
EV_MATCH = [*IN_EV_SPACE, sys.executable, "-m", "bench.cli", "ev", "match", "--interface", "ev0", "--json"]


class Peer:
    """pyslac, matching one car after the other; it says what it does in lines of JSON."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "evse.log"

    def said(self) -> list[dict[str, Any]]:
        """All it has said."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def await_ready(self, count: int) -> None:
        """Wait until it is ready for the `count`th car."""
        until = time.monotonic() + READY_S
        while sum(each["event"] == "ready" for each in self.said()) < count:
            assert time.monotonic() < until, self.said()[-3:]
            time.sleep(0.05)  # another program's log file: nothing to wait on


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    shared = shared_dir()
    script = None if shared is None else shared / "peers" / "slac" / "slac_evse.sh"
    if script is None or not script.is_file():
        pytest.skip("the start script of pyslac (peers/slac/slac_evse.sh) is not in the shared folder")
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    folder = tmp_path_factory.mktemp("pyslac")
    # HOLD: so long pyslac stays in the network after a match; a car's modem needs a second or more to join it
    environment = {**os.environ, "RUN": str(folder), "HOLD": "3", "DB": "30"}
    with (folder / "up.log").open("wb") as log:
        up = subprocess.run([script, "up"], env=environment, stdout=log, stderr=log, timeout=300, check=False)
    said = (folder / "up.log").read_text(errors="replace")
    try:
        if up.returncode and "No matching distribution" in said:
            pytest.skip("pyslac cannot be installed: the package index is not reached")
        assert up.returncode == 0, said
        yield Peer(folder)
    finally:
        subprocess.run([script, "down"], env=environment, capture_output=True, timeout=60, check=True)


def test_twenty_of_twenty_matchings_link(peer: Peer, tmp_path: Path) -> None:
    dumpcap, capture = shutil.which("dumpcap"), tmp_path / "slac.pcapng"
    recorder = None
    if dumpcap is not None:
        recorder = subprocess.Popen(
            [*IN_EV_SPACE, dumpcap, "-q", "-i", "ev0", "-w", str(capture)], stderr=subprocess.DEVNULL
        )
    figures: list[dict[str, Any]] = []
    try:
        for number in range(1, MATCHES + 1):
            peer.await_ready(number)
            done = subprocess.run(EV_MATCH, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, f"match {number}: {done.stdout}{done.stderr}"
            figures.append(json.loads(done.stdout))
        peer.await_ready(MATCHES + 1)
    finally:
        if recorder is not None:
            recorder.terminate()
            recorder.wait(10)
    matched = [each for each in peer.said() if each["event"] == "matched"]
    assert len(matched) == MATCHES
    for mine, theirs in zip(figures, matched, strict=True):
        assert (mine["linked"], mine["problems"]) == (True, [])
        assert (mine["run_id"], mine["nid"]) == (theirs["run_id"], theirs["nid"])
        assert mine["average_db"] == pytest.approx(theirs["aag_mean"], abs=0.01)
        assert theirs["sounds"] == 10
    print(f"{MATCHES} of {MATCHES}, {sum(each['attempts'] == 1 for each in figures)} at the first attempt")
    if recorder is not None:
        _decodes(capture)


def _decodes(capture: Path) -> None:
    """Own parser and tshark read all that was on the wire, and find nothing malformed."""
    names: list[str] = []
    for packet in CaptureReader(capture).packets():
        frame = mme.parse_frame(packet.data)
        if frame is not None:
            names.append(frame.mme.name)
    assert names.count("CM_SLAC_MATCH.CNF") == MATCHES
    if shutil.which("tshark") is not None:
        out = subprocess.run(
            ["tshark", "-r", str(capture), "-Y", "homeplug-av && _ws.malformed"],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        assert out == ""
