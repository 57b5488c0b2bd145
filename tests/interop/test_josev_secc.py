"""The EV against Josev (EcoG-io iso15118) as the charger: a charger that nobody here wrote.

Needs root (two network namespaces), a JRE, and the shared folder with the peer's start script; skips
otherwise.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from josev_peer import PEER, Link, NotReadyError, install, running

pytestmark = [pytest.mark.netns, pytest.mark.slow]

HERE = Path(__file__).parent
READY_S = 120.0
LINK = Link("pb-evt-secc", "pb-evt-ev", "pbevts0", "pbevte0")


@pytest.fixture(scope="module")
def namespaces() -> Iterator[None]:
    with LINK.up():
        install()
        yield


@contextlib.contextmanager
def josev(protocol: str, tls: str) -> Iterator[None]:
    """Josev as a charger in its namespace, ready."""
    command = [PEER / "josev_secc.sh", protocol, tls, LINK.secc_interface, "--fast-stop", "--warmup", "3"]
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(running(command, b"josev SECC ready", READY_S, NETNS=LINK.secc_space))
        except NotReadyError as error:
            pytest.skip(f"Josev did not start: {error}")
        yield


def charge(*arguments: str) -> dict[str, object]:
    """One session of `tests/interop/josev_ev.py` in the EV's namespace; its JSON."""
    done = subprocess.run(
        [
            "ip",
            "netns",
            "exec",
            LINK.ev_space,
            sys.executable,
            HERE / "josev_ev.py",
            LINK.ev_interface,
            *arguments,
        ],
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
        ("din", "notls", ["dc", "eim", "plain", "din"]),
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
