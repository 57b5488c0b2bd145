"""What the bench gives to the charger before it starts: its certificate store, and the command line of the
simulated one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.charger.store import StoreError, write_store
from bench.pki.hierarchy import Pki
from bench.station.bench_file import BenchConfig
from bench.station.errors import BenchError

_PLUGBENCH = "import sys; from bench.cli import main; sys.exit(main())"
"""`plugbench` by the interpreter that runs now: the command itself may not be on the search path."""


def fill_store(folder: Path, pki: Pki) -> None:
    """SECC chain, client certificate, and the roots that a charger in the field would have. Raises
    BenchError.
    """
    try:
        write_store(
            folder,
            secc=pki.secc,
            client=pki.charger_tls,
            v2g_roots=[pki.v2g_root.certificate],
            mo_roots=[pki.mo_root.certificate],
            csms_roots=[pki.csms_root.certificate],
        )
    except (StoreError, OSError) as error:
        raise BenchError(f"the charger's certificate store cannot be written: {error}") from error


def rig_command(bench: BenchConfig) -> list[str]:
    """The command that runs the simulated rig."""
    return [
        sys.executable,
        "-m",
        "drivers.simulated",
        "--ready-json",
        "--lifeline",
        "--seed",
        str(bench.rig_seed),
    ]


def charger_command(
    bench: BenchConfig, *, store: Path, cable: str, csms_url: str, defects: Sequence[str]
) -> list[str]:
    """The command that runs the simulated charger."""
    command = [sys.executable, "-c", _PLUGBENCH, "charger", "serve", "--interface", bench.network.interface]
    command += ["--store", str(store), "--cable", cable, "--csms", csms_url]
    command += ["--sdp-port", str(bench.network.sdp_port), "--station-id", bench.csms.station_id]
    if bench.csms.password:
        command += ["--password", bench.csms.password]
    command += ["--ready-json", "--lifeline"]
    for defect in defects:
        command += ["--defect", defect]
    return command
