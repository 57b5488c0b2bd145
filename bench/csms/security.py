"""Security profiles 0 to 3 of a CSMS: who may connect, and with which TLS.

0 none, 1 basic authentication, 2 TLS and basic authentication, 3 TLS with client certificate (OCPP 2.0.1 part
2, A00.FR.2xx to 4xx). A failed TLS handshake is evidence, but asyncio hides it: `server_context` makes a
context whose TLS objects report it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import ssl
import tempfile
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cryptography.hazmat.primitives.serialization import Encoding

from bench.pki.credential import Credential

if TYPE_CHECKING:
    from cryptography import x509

SecurityProfile = Literal[0, 1, 2, 3]
MAX_HEADER_CHARACTERS = 1024


def check_basic_auth(header: str | None, station_id: str, password: bytes) -> str | None:
    """Return why an Authorization header is refused, or None when it is right.

    The user name is the station id (A00.FR.204); the password is compared as bytes, because some chargers
    send the decoded binary of a hexadecimal key (errata 2.17.3 ended that in 2.x).
    """
    if header is None:
        return "no basic authentication"
    scheme, _, encoded = header[:MAX_HEADER_CHARACTERS].partition(" ")
    if scheme.lower() != "basic":
        return f"authentication scheme {scheme[:20]!r} instead of Basic"
    try:
        user, colon, given = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return "basic authentication is not base64"
    if not colon:
        return "basic authentication without a colon"
    if user != station_id.encode():
        return f"user name {user[:48]!r} instead of the station id"
    if not hmac.compare_digest(given, password):
        return "wrong password"
    return None


def server_context(
    credential: Credential,
    client_root: x509.Certificate | None,
    on_failure: Callable[[ssl.SSLError], None],
) -> ssl.SSLContext:
    """A TLS context that shows `credential`; `client_root` asks for a client certificate under it (profile
    3).

    TLS 1.2 or newer without compression (A00.FR.312, 320). `on_failure` is called, on the loop's thread, with
    the error of each handshake that fails.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION
    load_credential(context, credential.pem_chain(), credential.pem_key())
    if client_root is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_root.public_bytes(Encoding.PEM).decode("ascii"))

    class Reporting(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                on_failure(error)
                raise

    context.sslobject_class = Reporting
    return context


def load_credential(context: ssl.SSLContext, chain_pem: bytes, key_pem: bytes) -> None:
    """Load a chain and its key, which `ssl` takes from files only: a private one that is gone at once."""
    handle, name = tempfile.mkstemp(suffix=".pem")  # created with mode 0600
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key_pem + b"\n" + chain_pem)
        context.load_cert_chain(path)
    finally:
        path.unlink(missing_ok=True)


def describe_failure(error: ssl.SSLError) -> str:
    """One line on a failed handshake: OpenSSL's reason (which names the alert) and its text."""
    reason = getattr(error, "reason", None) or "TLS handshake failed"
    return (
        f"{reason}: {error.verify_message}"
        if isinstance(error, ssl.SSLCertVerificationError)
        else str(reason)
    )


def charger_of(path: str) -> str:
    """The station id at the end of a request path, "" where there is none."""
    return urllib.parse.unquote(path.partition("?")[0].rpartition("/")[2])


def peer_name(certificate: Any) -> str | None:
    """Subject of what `getpeercert` returned ("commonName=..., organizationName=..."), or None."""
    if not certificate:
        return None
    return ", ".join(f"{name}={value}" for part in certificate.get("subject", ()) for name, value in part)
