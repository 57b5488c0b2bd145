"""`plugbench csms serve` as a process, and an independent OCPP client (package `ocpp`) against the CSMS."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import ocpp.v201
import pytest
import websockets
from ocpp.routing import on
from ocpp.v201 import call, call_result
from websockets.sync.client import connect

from bench.cli import main
from bench.csms import CallError, Csms
from bench.timeline import Timeline


def test_serve_until_interrupted(tmp_path: Path) -> None:
    script, record = tmp_path / "s.toml", tmp_path / "ocpp.jsonl"
    script.write_text('[[on]]\naction = "Heartbeat"\ndo = "error"\ncode = "GenericError"\n')
    start = "from bench.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", start, "csms", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--script", str(script), "--record", str(record)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"ws://[\d.]+:\d+", first)
        assert found is not None, first
        with connect(found[0] + "/CS9", subprotocols=["ocpp2.0.1"], proxy=None) as charger:  # type: ignore[list-item]
            charger.send('[2,"1","Heartbeat",{}]')
            assert json.loads(charger.recv(timeout=5))[2] == "GenericError"
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "<- CS9 CALL Heartbeat" in shown
    assert "CS9 closed" in shown
    assert [json.loads(each)["dir"] for each in record.read_text().splitlines()] == [
        "open",
        "rx",
        "tx",
        "close",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0", "--ocpp", "1.6"],
        ["--port", "0", "--ocpp", "2.1"],
        ["--port", "0", "--security-profile", "1"],
        ["--port", "70000"],
        ["--port", "0", "--script", "/nonexistent.toml"],
        ["--port", "0", "--pki", "/nonexistent"],
        ["--port", "0", "--record", "/nonexistent/x.jsonl"],
        ["--port", "0", "--host", "256.1.1.1"],
    ],
)
def test_users_mistakes_are_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["csms", "serve", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said


class Independent(ocpp.v201.ChargePoint):
    """A charge point of the `ocpp` package."""

    @on("ClearCache")
    def clear_cache(self, **_: Any) -> Any:
        return call_result.ClearCache(status="Accepted")


def test_independent_client() -> None:
    timeline = Timeline()

    async def converse(csms: Csms) -> None:
        async with websockets.connect(csms.url + "/CP_1", subprotocols=["ocpp2.0.1"], proxy=None) as link:  # type: ignore[list-item]
            station = Independent("CP_1", link)
            reader = asyncio.create_task(station.start())
            boot = await station.call(
                call.BootNotification(charging_station={"model": "m", "vendor_name": "v"}, reason="PowerUp")
            )
            assert boot.status == "Accepted"
            assert (await station.call(call.Heartbeat())).current_time
            answer = await station.call(call.Authorize(id_token={"idToken": "X", "type": "Central"}))
            assert answer.id_token_info["status"] == "Unknown"
            loop = asyncio.get_running_loop()
            assert (await loop.run_in_executor(None, csms.call, "ClearCache")).status == "Accepted"
            with pytest.raises(CallError):
                await loop.run_in_executor(None, csms.get_variable, "A", "B")
            reader.cancel()

    with Csms(timeline) as csms:
        asyncio.run(converse(csms))
    rx = [e for e in timeline.since() if e.kind == "ocpp" and e.data["dir"] == "rx"]
    assert len(rx) == 5
    assert all(each.data["problem"] is None for each in rx)
