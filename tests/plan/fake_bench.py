"""A bench without anything behind it: what the plan room needs of a Station, for tests of the plan room
alone.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from bench.csms.errors import CsmsTimeout
from bench.ev.errors import ChargerTimeout, SessionEnded
from bench.timeline import Timeline

HEADER = """
from bench.plan import *
import pytest, time

@pytest.fixture
def ev(station):
    car = station.new_ev()
    yield car
    car.unplug()
"""


class SetupRes:
    def __init__(self, code: str) -> None:
        self.ResponseCode = code


class FakeCsms:
    connected = True
    boot = None

    def __init__(self, timeline: Timeline) -> None:
        self.timeline, self.resets, self.variables = timeline, 0, {"Ctrlr.Enabled": "true"}
        self.refuse_writes = False

    def reset_behaviour(self) -> None:
        self.resets += 1

    def mark(self) -> int:
        return self.timeline.mark()

    def seen(self, action: str, since: int | None = None) -> list[Any]:
        return [
            e.data["payload"]
            for e in self.timeline.since(since or 0)
            if e.name == action and e.data.get("dir") == "rx"
        ]

    def wait_for(self, action: str, *, where: Any, timeout_s: float, since: int | None) -> Any:
        found = [payload for payload in self.seen(action, since) if where(payload)]
        if not found:
            raise CsmsTimeout(f"no {action}")
        return found[0]

    def get_variable(self, component: str, variable: str) -> str:
        return self.variables[f"{component}.{variable}"]

    def set_variable(self, component: str, variable: str, value: str) -> None:
        if self.refuse_writes:
            raise CsmsTimeout("no answer to SetVariables")
        self.variables[f"{component}.{variable}"] = value

    def transaction_event(self, kind: str, number: int, tx: str = "T1", **more: Any) -> None:
        payload = {"eventType": kind, "seqNo": number, "transactionInfo": {"transactionId": tx}, **more}
        data = {
            "dir": "rx",
            "type": "CALL",
            "id": f"{tx}{number}",
            "payload": payload,
            "link": 1,
            "problem": None,
        }
        self.timeline.append("csms", "ocpp", "TransactionEvent", data)
        self.timeline.append("csms", "ocpp", "TransactionEvent", {**data, "dir": "tx", "type": "CALLRESULT"})


class FakeSession:
    def __init__(self, timeline: Timeline) -> None:
        self.timeline, self.pending = timeline, None

    def say(self, name: str, direction: str, **more: Any) -> None:
        data = {"dir": direction, "schema": "iso2", "session_id": "01", "connection": 1, **more}
        self.timeline.append("ev", "v2g", name, data)

    def exchange(self, name: str, code: str = "OK", **more: Any) -> SetupRes:
        self.say(f"{name}Req", "tx")
        self.say(f"{name}Res", "rx", response_code=code, rtt_s=0.01, **more)
        return SetupRes(code)


class FakeEv:
    def __init__(self, timeline: Timeline) -> None:
        self.timeline, self.unplugged = timeline, 0

    def plug_in(self) -> FakeSession:
        self.timeline.append("ev", "pilot", "set", {"state": "B"})
        return FakeSession(self.timeline)

    def unplug(self) -> None:
        self.unplugged += 1
        self.timeline.append("ev", "pilot", "set", {"state": "A"})


class FakeRun:
    def __init__(self, path: Path) -> None:
        self.path = path


class FakeStation:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.run = FakeRun(folder)
        self.timeline = Timeline(folder / "timeline.jsonl")
        self.csms = FakeCsms(self.timeline)
        self.pki = None
        self.broken: str | None = None
        self.safe_states = self.closed = 0
        self.voltage_v, self.energy_wh = 0.0, 0.0
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def _sample(self) -> None:
        while not self._stop.wait(0.005):
            data = {
                "voltage_v": self.voltage_v,
                "current_a": 0.0,
                "power_w": 0.0,
                "energy_wh": self.energy_wh,
            }
            self.timeline.append("analyzer", "power", "sample", data)

    def stop_sampling(self) -> None:
        self._stop.set()
        self._sampler.join()

    def new_ev(self) -> FakeEv:
        return FakeEv(self.timeline)

    def health(self) -> str | None:
        return self.broken

    def safe_state(self) -> None:
        self.safe_states += 1

    def describe(self) -> dict[str, dict[str, Any]]:
        return {"bench": {"name": "fake"}, "charger": {"vendor": "Nobody"}, "ev": {}}

    def close(self) -> None:
        self.stop_sampling()
        self.timeline.close()
        self.closed += 1


class FakeBench:
    """A pytest plugin that opens the fake station; `hooks` notes what the live view would have been told."""

    def __init__(self, folder: Path, open_error: Exception | None = None) -> None:
        self.folder, self.open_error = folder, open_error
        self.station: FakeStation | None = None
        self.hooks: list[tuple[str, str]] = []

    def pytest_plugbench_open_station(self) -> FakeStation:
        if self.open_error is not None:
            raise self.open_error
        self.station = FakeStation(self.folder / "run-1")
        return self.station

    def pytest_plugbench_case(self, case: Any) -> None:
        self.hooks.append(("case", case.id))

    def pytest_plugbench_verdict(self, case: Any, judgement: Any) -> None:
        self.hooks.append((str(judgement.verdict), case.id))


def ended(after: str = "SessionSetupReq") -> SessionEnded:
    return SessionEnded("the charger closed the connection", after)


def timeout() -> ChargerTimeout:
    return ChargerTimeout("no answer within 2 s", "SessionSetupReq")


@pytest.fixture
def bench_run(pytester: pytest.Pytester) -> Any:
    """Run the given plan source on a fake bench: `(result, run.json content, FakeBench)`."""
    import json

    def run(source: str, *arguments: str, open_error: Exception | None = None) -> Any:
        header = HEADER
        pytester.makepyfile(test_plan=header + source)
        bench = FakeBench(pytester.path / "results", open_error)
        result = pytester.runpytest_inprocess(*arguments, plugins=[bench], no_reraise_ctrlc=True)
        path = pytester.path / "results" / "run-1" / "run.json"
        return result, json.loads(path.read_text()) if path.exists() else None, bench

    return run
