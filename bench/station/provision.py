"""What the bench gives to the charger before it starts: its certificate store, and the command line of the
simulated one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from bench.pki.hierarchy import Pki
from bench.station.bench_file import BenchConfig
from bench.station.errors import BenchError

_PLUGBENCH = "import sys; from bench.cli import main; sys.exit(main())"
"""`plugbench` by the interpreter that runs now: the command itself may not be on the search path."""

SECC_FAULTS = ("expired", "wrong-domain-component", "unknown-root")
"""Chains that only the TLS defects of the simulated charger show; a real charger gets none of them."""


def fill_store(folder: Path, pki: Pki) -> None:
    """SECC chain, client certificate, tariff signer, and the roots of a charger in the field, as PEM files.

    The layout is that of `plugbench charger serve --store`; charger and station share files, no code. Raises
    BenchError.
    """
    try:
        tariff = pki.credentials["mo/sub_ca2"]  # whoever issues contracts signs the tariffs for them
        for part, credential in (("secc", pki.secc), ("client", pki.charger_tls), ("tariff", tariff)):
            _write(folder / part / "key.pem", credential.pem_key(), 0o600)
            _write(folder / part / "chain.pem", credential.pem_chain(), 0o644)
        for fault in SECC_FAULTS:
            faulty = pki.faulty("secc", fault)
            _write(folder / "faulty" / fault / "key.pem", faulty.pem_key(), 0o600)
            _write(folder / "faulty" / fault / "chain.pem", faulty.pem_chain(), 0o644)
        roots = (("v2g_roots", pki.v2g_root), ("mo_roots", pki.mo_root), ("csms_roots", pki.csms_root))
        for kind, root in roots:
            name = root.certificate.fingerprint(hashes.SHA256()).hex()[:32] + ".pem"
            _write(folder / kind / name, root.certificate.public_bytes(Encoding.PEM), 0o644)
    except OSError as error:
        raise BenchError(f"the charger's certificate store cannot be written: {error}") from error


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode
    )  # a key is at no time readable by others
    with os.fdopen(handle, "wb") as out:
        out.write(data)


def rig_command(bench: BenchConfig) -> list[str]:
    """The command that runs the simulated rig."""
    modems = zip(("--plc-ev", "--plc-evse"), bench.rig_plc_interfaces, strict=True)
    return [
        sys.executable,
        "-m",
        "drivers.simulated",
        "--ready-json",
        "--lifeline",
        "--seed",
        str(bench.rig_seed),
        "--cable-host",
        bench.rig_cable_host,
        "--bleed",
        str(bench.rig_bleed_s),
        *(word for option, interface in modems if interface for word in (option, interface)),
    ]


def charger_command(
    bench: BenchConfig,
    *,
    store: Path,
    cable: str,
    csms_url: str,
    defects: Sequence[str],
    plc: str | None = None,
) -> list[str]:
    """The command that runs the simulated charger; `plc` is the host port of its modem, None: it has none."""
    source = bench.charger
    command = ["ip", "netns", "exec", source.namespace] if source.namespace else []
    command += [sys.executable, "-c", _PLUGBENCH, "charger", "serve"]
    command += ["--interface", source.interface or bench.network.interface]
    command += ["--store", str(store), "--cable", cable, "--csms", csms_url]
    command += ["--plc", plc] if plc is not None else []
    command += ["--sdp-port", str(bench.network.sdp_port), "--station-id", bench.csms.station_id]
    if bench.csms.password:
        command += ["--password", bench.csms.password]
    command += ["--ready-json", "--lifeline"]
    for defect in defects:
        command += ["--defect", defect]
    return command
