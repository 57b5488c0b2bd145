"""Lock, run folder, child processes, limits and the way to the safe state, each alone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bench.charger.store import CertificateStore
from bench.pki.hierarchy import Pki
from bench.station import run_folder
from bench.station.bench_file import LimitsConfig
from bench.station.child import Child
from bench.station.errors import BenchError, BenchInUse
from bench.station.health import Health
from bench.station.keep_alive import KeepAlive
from bench.station.limits import GuardedAcLoad, GuardedDcSink
from bench.station.lock import BenchLock
from bench.station.provision import fill_store
from bench.station.run_folder import RunFolder
from bench.station.safety import SignalGuard, Terminated, make_safe
from bench.timeline import Timeline
from drivers import AcLoad, Contactor, ControlPilot, DcSink, Driver, Identity, InstrumentLost, LimitExceeded

HOLD = """
import sys
from bench.station.lock import BenchLock
BenchLock('b').acquire()
print(1, flush=True)
sys.stdin.read()
"""


def test_one_controller_a_bench_and_no_stale_locks() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == b"1\n"
    lock = BenchLock("b")
    with pytest.raises(BenchInUse, match=rf"bench 'b' is in use by process {holder.pid} since 20\d\d-"):
        lock.acquire()
    BenchLock("other").acquire()
    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    lock.acquire()
    with pytest.raises(BenchInUse, match=f"process {os.getpid()}"):
        BenchLock("b").acquire()
    lock.release()
    lock.release()
    BenchLock("b").acquire()


def test_run_folders_are_unique_and_have_a_manifest(tmp_path: Path) -> None:
    runs = [RunFolder(tmp_path, "rack") for _ in range(3)]
    assert len({run.path for run in runs}) == 3
    run = runs[0]
    run.write_json("run.json", {"a": 1})
    run.path_of("sub").mkdir()
    run.write_text("sub/note.txt", "hällo")
    run.write_manifest()
    manifest = json.loads(run.path_of("manifest.json").read_text())
    assert set(manifest["files"]) == {"run.json", "sub/note.txt"}
    assert manifest["files"]["sub/note.txt"]["sha256"] == hashlib.sha256("hällo".encode()).hexdigest()
    for name in ("../x", "/etc/passwd"):
        with pytest.raises(ValueError, match="not within"):
            run.path_of(name)


def test_a_full_disk_is_one_line_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path, "rack")
    run.write_text("run.json", "old")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run_folder.os, "fsync", full)
    with pytest.raises(BenchError, match="the disk is full; free some space"):
        run.write_text("run.json", "new")
    assert run.path_of("run.json").read_text() == "old"
    assert [path.name for path in run.files()] == ["run.json"]


def test_results_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="no run folder can be made here"):
        RunFolder(tmp_path / "file", "rack")


def child(tmp_path: Path, code: str) -> Child:
    return Child("the thing", [sys.executable, "-c", code], tmp_path / "thing.log")


def test_a_child_gets_ready_and_its_death_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    heard = threading.Event()

    def death(cause: str) -> None:
        told.append(cause)
        heard.set()

    thing = child(tmp_path, "print('{\"port\": 5}', flush=True); print('x' * 200000, flush=True); input()")
    assert thing.start(10, death) == {"port": 5}
    assert thing.pid is not None and thing.alive()
    os.kill(thing.pid, signal.SIGKILL)
    assert heard.wait(5)
    assert told[0].startswith("the thing died: killed by SIGKILL")
    thing.stop()


def test_a_child_that_is_stopped_did_not_die(tmp_path: Path) -> None:
    told: list[str] = []
    thing = child(tmp_path, "print('{}', flush=True); input()")
    thing.start(10, told.append)
    thing.stop()
    thing.stop()
    assert not thing.alive() and told == []


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("raise SystemExit('no such interface')", r"ended at once \(exit code 1\): no such interface \(see "),
        ("import time; time.sleep(60)", "did not get ready within"),
        ("print('hello', flush=True); input()", "said something else than that it is ready"),
        ("print('[1]', flush=True); input()", "said something else than that it is ready"),
        ("print('x' * 100000, end='', flush=True); input()", "said something else than that it is ready"),
    ],
)
def test_a_child_that_does_not_get_ready(tmp_path: Path, code: str, complaint: str) -> None:
    thing = child(tmp_path, code)
    with pytest.raises(BenchError, match=complaint):
        thing.start(0.3 if "within" in complaint else 10.0, lambda _cause: None)
    assert not thing.alive()


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be started: No such file"):
        Child("the thing", ["/no/such/command"], tmp_path / "log").start(1, lambda _cause: None)


class Recorder:
    """Stands for any driver: remembers what was asked of it; `broken` methods raise."""

    name, resource, watchdog_s = "box", "nowhere", None

    def __init__(self, journal: list[str], broken: str = "") -> None:
        self.journal, self.broken = journal, broken

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> None:
            self.journal.append(name + (str(arguments) if arguments else ""))
            if name == self.broken:
                raise InstrumentLost(f"{name} failed")

        return call


LIMITS = LimitsConfig(voltage_v=500, current_a=100, power_w=30_000)


def test_no_command_beyond_the_limits_leaves_the_controller() -> None:
    journal: list[str] = []
    sink = GuardedDcSink(Recorder(journal), LIMITS)  # type: ignore[arg-type]
    sink.set_voltage(400)
    sink.set_current_limit(75)
    sink.output(True)
    allowed = list(journal)
    for command, value in (
        ("set_voltage", 500.1),
        ("set_voltage", float("nan")),
        ("set_voltage", 401),
        ("set_current_limit", 100.1),
        ("set_current_limit", 75.1),
    ):
        with pytest.raises(LimitExceeded, match="beyond the bench's limit"):
            getattr(sink, command)(value)
    assert journal == allowed
    sink.output(False)
    sink.set_current_limit(100)
    with pytest.raises(LimitExceeded, match="power 40000 W"):
        sink.output(True)
    load = GuardedAcLoad(Recorder(journal), LIMITS)  # type: ignore[arg-type]
    load.set_current(32, 3)
    with pytest.raises(LimitExceeded, match="power"):
        load.set_current(50, 3)


class Boxes:
    def __init__(self, served: dict[Any, Any]) -> None:
        self._served = served

    def find(self, capability: Any) -> Any:
        return self._served.get(capability)


@pytest.mark.parametrize("broken", ["", "make_safe", "open_contactor", "set_state"])
def test_every_step_to_the_safe_state_is_tried_in_order(broken: str) -> None:
    journal: list[str] = []
    box = Recorder(journal, broken)
    boxes = Boxes({DcSink: box, AcLoad: box, Contactor: box, ControlPilot: box})
    problems = make_safe(boxes)  # type: ignore[arg-type]
    assert journal == ["make_safe", "make_safe", "open_contactor", "set_state('A',)", "make_safe"]
    assert bool(problems) == bool(broken)
    assert make_safe(Boxes({})) == []  # type: ignore[arg-type]


def test_signals_wait_while_the_safe_state_is_made() -> None:
    guard = SignalGuard()
    guard.install()
    try:
        done = []
        with pytest.raises(Terminated, match="SIGTERM"), guard:
            signal.raise_signal(signal.SIGTERM)
            done.append("not interrupted")
        assert done
        inner = SignalGuard()
        inner.install()
        try:
            signal.raise_signal(signal.SIGINT)  # one was enough, whichever guard heard it
        finally:
            inner.restore()
        signal.raise_signal(signal.SIGINT)
    finally:
        guard.restore()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_bench_that_broke_stays_broken() -> None:
    health = Health(Timeline())
    assert health.cause() is None
    health.note("first")
    health.note("second")
    assert health.cause() == "first"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the timeline drops the file
def test_a_full_disk_under_the_timeline_breaks_the_bench() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    timeline = Timeline(Path("/dev/full"))
    assert "No space left" in (Health(timeline).cause() or "")


def test_a_box_is_fed_from_the_moment_it_is_open_and_its_loss_is_told() -> None:
    told: list[str] = []
    gone = threading.Event()

    def lost(cause: str) -> None:
        told.append(cause)
        gone.set()

    class Box(FakeBox):
        watchdog_s = 0.15

        def keep_alive(self) -> None:
            self.fed += 1
            if self.fed == 3:
                raise InstrumentLost("box: silent")

    box, other = Box("nowhere", name="box"), FakeBox("nowhere", name="other")
    keeper = KeepAlive(lost)
    keeper.feed(box)
    keeper.feed(other)
    assert gone.wait(2)
    keeper.stop()
    assert (box.fed, other.fed, told) == (3, 0, ["box: silent"])


class FakeBox(Driver):
    vendor = model = "fake"
    fed = 0

    def open(self) -> None: ...

    def close(self) -> None: ...

    def identify(self) -> Identity:
        return Identity("fake", "fake")

    def make_safe(self) -> None: ...

    def keep_alive(self) -> None:
        self.fed += 1


def test_the_charger_reads_the_store_that_the_station_writes(tmp_path: Path) -> None:
    pki = Pki.create()
    fill_store(tmp_path, pki)
    store = CertificateStore(tmp_path)
    assert store.secc is not None and store.secc.chain == tuple(pki.secc.chain)
    assert store.client is not None and store.client.key_pem == pki.charger_tls.pem_key()
    assert store.roots("V2GRoot") == (pki.v2g_root.certificate,)
    assert store.roots("MORoot") == (pki.mo_root.certificate,)
    assert store.roots("CSMSRoot") == (pki.csms_root.certificate,)
    assert (tmp_path / "secc" / "key.pem").stat().st_mode & 0o077 == 0
