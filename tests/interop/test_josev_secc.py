"""The EV against Josev (EcoG-io iso15118) as the charger: a charger that nobody here wrote.

Needs root (two network namespaces), a JRE, and the shared folder with the peer's start script; skips
otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared import shared_dir

pytestmark = [pytest.mark.netns, pytest.mark.slow]

HERE = Path(__file__).parent
PEER = (shared_dir() or Path("absent")) / "peers" / "josev"
READY_S = 120.0
SECC_NS, EV_NS, SECC_IF, EV_IF = "pb-evt-secc", "pb-evt-ev", "pbevts0", "pbevte0"


def _why_not() -> str | None:
    if not PEER.is_dir():
        return "the shared folder with the Josev peer is not here"
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "java") if shutil.which(name) is None]
    return f"{', '.join(missing)} is not installed" if missing else None


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def namespaces() -> Iterator[None]:
    if (reason := _why_not()) is not None:
        pytest.skip(reason)
    try:
        for name in (SECC_NS, EV_NS):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", name)
            _ip("netns", "add", name)
        _ip("link", "add", SECC_IF, "netns", SECC_NS, "type", "veth", "peer", "name", EV_IF, "netns", EV_NS)
        for space, interface in ((SECC_NS, SECC_IF), (EV_NS, EV_IF)):
            settings = [f"net.ipv6.conf.{interface}.{key}" for key in ("accept_dad=0", "disable_ipv6=0")]
            _ip("netns", "exec", space, "sysctl", "-qw", *settings)
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "set", interface, "up")
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"no network namespaces: {error}")
    yield
    for name in (SECC_NS, EV_NS):
        _ip("netns", "del", name)


@contextlib.contextmanager
def josev(protocol: str, tls: str) -> Iterator[None]:
    """Josev as a charger in its namespace, ready."""
    process = subprocess.Popen(
        [PEER / "josev_secc.sh", protocol, tls, SECC_IF, "--fast-stop", "--warmup", "3"],
        env={**os.environ, "NETNS": SECC_NS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        _wait_ready(process)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
        assert process.stdout is not None
        process.stdout.close()


def _wait_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    deadline, seen = time.monotonic() + READY_S, b""
    while b"josev SECC ready" not in seen:
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(process.stdout.fileno(), 65536) if readable else b""
        if not chunk:
            pytest.skip(f"Josev did not start: {seen[-500:].decode(errors='replace')}")
        seen += chunk


def charge(*arguments: str) -> dict[str, object]:
    """One session of `tests/interop/josev_ev.py` in the EV's namespace; its JSON."""
    done = subprocess.run(
        ["ip", "netns", "exec", EV_NS, sys.executable, HERE / "josev_ev.py", EV_IF, *arguments],
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.stdout, done.stderr.decode(errors="replace")[-2000:]
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize(
    ("protocol", "tls", "arguments"),
    [
        ("iso2-dc", "notls", ["dc", "eim", "plain"]),
        ("iso2-ac", "notls", ["ac", "eim", "plain"]),
        ("iso2-dc", "tls", ["dc", "pnc", "tls"]),
        ("iso2-dc", "tls", ["dc", "pnc", "tls", "install"]),
        ("iso2-ac", "tls", ["ac", "pnc", "tls"]),
    ],
)
def test_session_with_josev(namespaces: None, protocol: str, tls: str, arguments: list[str]) -> None:
    with josev(protocol, tls):
        result = charge(*arguments)
    assert result["ended"] == "finished", result
    assert result["loops"] > 5  # type: ignore[operator]
    if "tls" in arguments:
        assert result["tls_problems"] == [], result
    if "install" in arguments:
        # The eMAID of Josev's test contract has a wrong check character, and the EV says so.
        problems = [each for each in result["provisioning"] if "wrong-common-name" not in each]  # type: ignore[attr-defined]
        assert problems == [], result
