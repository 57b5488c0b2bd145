"""Runs one EV session against Josev with Josev's own test PKI; prints one JSON line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from foreign_pki import PASSPHRASE, josev_pki

from bench.ev.credentials import Credentials
from bench.ev.emulator import EvEmulator
from bench.ev.errors import SessionEnded
from bench.ev.options import SessionOptions
from bench.ev.profile import load_profile
from bench.pki.credential import Credential
from bench.timeline import Timeline

PKI = josev_pki() / "iso15118_2"


def certificate(name: str) -> x509.Certificate:
    data = (PKI / "certs" / name).read_bytes()
    return (x509.load_der_x509_certificate if name.endswith(".der") else x509.load_pem_x509_certificate)(data)


def credential(leaf: str, subs: list[str], root: str, key: str) -> Credential:
    chain = tuple(certificate(f"{each}Cert.der") for each in (leaf, *subs))
    loaded = load_pem_private_key((PKI / "private_keys" / key).read_bytes(), PASSPHRASE)
    return Credential(chain[0], loaded, chain, certificate(f"{root}Cert.der"), leaf)  # type: ignore[arg-type]


def main() -> None:
    interface, energy, auth, security, *rest = sys.argv[1:]
    credentials = Credentials()
    if security == "tls":
        credentials = Credentials(
            contract=credential("contractLeaf", ["moSubCA2", "moSubCA1"], "moRootCA", "contractLeaf.key"),
            oem=credential("oemLeaf", ["oemSubCA2", "oemSubCA1"], "oemRootCA", "oemLeaf.key"),
            v2g_roots=(certificate("v2gRootCACert.der"),),
            mo_roots=(certificate("moRootCACert.der"),),
        )
    ev = EvEmulator(
        None,
        load_profile(Path(__file__).with_name("josev_car.toml")),
        Timeline(Path(os.environ["EV_TIMELINE"])) if "EV_TIMELINE" in os.environ else None,
        interface=interface,
        credentials=credentials,
        # Josev's Java codec needs its time: the rules judge that elsewhere, this is about interoperation.
        defaults=SessionOptions(receive_patience_s=10.0, connect_timeout_s=10.0),
    )
    session = ev.plug_in(
        energy,
        auth,
        tls=security == "tls",
        protocol="din" if "din" in rest else "iso2",
        certificate="install" if "install" in rest else "none",
    )
    try:
        session.run(2.0)
    except SessionEnded as error:
        print(f"{error.reason} after {error.after}", file=sys.stderr)
    loop = [each for each in session.history if each.name in ("CurrentDemandReq", "ChargingStatusReq")]
    print(
        json.dumps(
            {
                "ended": session.ended,
                "loops": len(loop),
                "messages": [each.name for each in session.history if each not in loop],
                "tls_problems": session.tls.problems if session.tls is not None else None,
                "provisioning": session.provisioned.problems if session.provisioned is not None else None,
                "tariff": session.tariff_signature,
                "handshake_s": session.handshake_s,
            }
        )
    )


if __name__ == "__main__":
    main()
