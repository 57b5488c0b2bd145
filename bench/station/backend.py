"""The bench's PKI, OCSP responder and mock CSMS, opened as the bench file says."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from bench.csms.errors import CsmsError
from bench.csms.server import Csms
from bench.pki.hierarchy import Pki
from bench.pki.ocsp import OcspResponder
from bench.pki.store import INDEX, StoreError
from bench.station.bench_file import BenchConfig
from bench.station.errors import BenchError
from bench.station.network import free_tcp_port
from bench.timeline import Timeline


def open_pki(bench: BenchConfig) -> Pki:
    """The PKI in the bench's folder, made there when there is none; without a folder one for this run alone.

    Raises BenchError for a certificate that cannot be read.
    """
    folder = bench.pki_folder
    try:
        if folder is not None and (folder / INDEX).exists():
            return Pki.load(folder)
        port = bench.ocsp.port or free_tcp_port(bench.ocsp.host)
        host = f"[{bench.ocsp.host}]" if ":" in bench.ocsp.host else bench.ocsp.host
        return Pki.create(folder, ocsp_url=f"http://{host}:{port}/ocsp")
    except StoreError as error:
        raise BenchError(f"pki: {error}; mend the file, or remove the folder to have it made anew") from error
    except OSError as error:
        raise BenchError(f"pki: {folder}: cannot be written: {error.strerror}") from error


def open_ocsp(bench: BenchConfig, pki: Pki) -> OcspResponder:
    """The responder, at the address that the certificates name. Raises BenchError when the port is taken."""
    try:
        port = urlsplit(pki.ocsp_url).port or bench.ocsp.port
    except ValueError:
        port = bench.ocsp.port
    responder = OcspResponder(pki, host=bench.ocsp.host, port=port)
    try:
        responder.start()
    except OSError as error:
        raise BenchError(
            f"ocsp: {bench.ocsp.host}:{port} cannot be had: {error.strerror}; the certificates name this port"
        ) from error
    return responder


def open_csms(bench: BenchConfig, pki: Pki, timeline: Timeline, record: Path) -> Csms:
    """The mock backend, listening. Raises BenchError when the port is taken."""
    config = bench.csms
    try:
        return Csms(
            timeline,
            pki,
            config.host,
            config.port,
            security_profile=config.security_profile,  # type: ignore[arg-type]  # 0..3 by the bench file
            station_id=config.station_id,
            password=config.password or None,
            record=record,
        ).start()
    except (CsmsError, OSError) as error:
        raise BenchError(f"csms: {error}; choose another csms.port, or 0 for a free one") from error
