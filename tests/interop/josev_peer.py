"""What every test with Josev needs: whether it can run here, two joined namespaces, processes in them."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.shared import shared_dir

PEER = (shared_dir() or Path("absent")) / "peers" / "josev"
INSTALL_S = 300.0
"""A machine that has never seen Josev installs it and makes its PKI first."""


def why_not() -> str | None:
    """Why Josev cannot run here, or None."""
    if not PEER.is_dir():
        return "the shared folder with the Josev peer is not here"
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "sysctl", "java", "openssl") if shutil.which(name) is None]
    return f"{', '.join(missing)} is not installed" if missing else None


def install() -> None:
    """Let the start script install Josev and make its PKI where they are missing; skips when it cannot."""
    # Its venv is made by our Python: the system's may come without ensurepip.
    environment = {"PYTHON": sys.executable, **os.environ}
    done = subprocess.run(
        [PEER / "josev_evcc.sh", "--help"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    # The script ends with 2 after its help, and with 3 when the installation fails.
    if done.returncode != 2:
        pytest.skip(f"Josev cannot be installed here: {done.stderr.strip()[-300:]}")


@dataclass(frozen=True)
class Link:
    """Names of two namespaces and of the veth ends in them; every test module takes its own."""

    secc_space: str
    ev_space: str
    secc_interface: str
    ev_interface: str

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Both namespaces joined by a veth pair; skips where that is not possible."""
        if (reason := why_not()) is not None:
            pytest.skip(reason)
        ends = ((self.secc_space, self.secc_interface), (self.ev_space, self.ev_interface))
        self._down()
        try:
            for space, _ in ends:
                _ip("netns", "add", space)
            _ip(
                *("link", "add", self.secc_interface, "netns", self.secc_space),
                *("type", "veth", "peer", "name", self.ev_interface, "netns", self.ev_space),
            )
            for space, interface in ends:
                # Without duplicate address detection the link-local address can be used at once.
                settings = [f"net.ipv6.conf.{interface}.{key}" for key in ("accept_dad=0", "disable_ipv6=0")]
                _ip("netns", "exec", space, "sysctl", "-qw", *settings)
                _ip("-n", space, "link", "set", "lo", "up")
                _ip("-n", space, "link", "set", interface, "up")
        except (subprocess.SubprocessError, OSError) as error:
            self._down()
            pytest.skip(f"no network namespaces: {error}")
        try:
            yield
        finally:
            self._down()

    def _down(self) -> None:
        for space in (self.secc_space, self.ev_space):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", space)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)


class NotReadyError(Exception):
    """The process did not say that it is ready; the text is the end of what it said."""


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], ready: bytes, timeout_s: float, **environment: str
) -> Iterator[bytes]:
    """A process in a session of its own, from its word `ready` on; gives what it printed up to that line's
    end. Raises NotReadyError.
    """
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield _until(process, ready, timeout_s)
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


def _until(process: subprocess.Popen[bytes], ready: bytes, timeout_s: float) -> bytes:
    assert process.stdout is not None
    deadline, seen = time.monotonic() + timeout_s, b""
    while b"\n" not in seen[seen.find(ready) :] or ready not in seen:
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(process.stdout.fileno(), 65536) if readable else b""
        if not chunk:
            raise NotReadyError(seen[-500:].decode(errors="replace") or "(silence)")
        seen += chunk
    return seen
