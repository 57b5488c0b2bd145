"""Which certificates are revoked: the one register that the OCSP responder, the CSMS and the EV consult."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes

_Entry = tuple[str, int]


class RevocationSource(Protocol):
    """Anything that can tell whether a certificate is revoked."""

    def is_revoked(self, certificate: x509.Certificate) -> bool:
        """True when the certificate is known to be revoked."""
        ...


def _issuer_id(issuer: x509.Name) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(issuer.public_bytes())
    return digest.finalize().hex()


class Revocations:
    """A thread-safe register of revoked (and of deliberately unknown) certificates, by issuer and serial
    number.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revoked: dict[_Entry, datetime] = {}
        self._unknown: set[_Entry] = set()

    def revoke(self, certificate: x509.Certificate, at: datetime | None = None) -> None:
        """Register `certificate` as revoked since `at` (now unless given)."""
        when = (at or datetime.now(UTC)).replace(microsecond=0)
        with self._lock:
            self._revoked[(_issuer_id(certificate.issuer), certificate.serial_number)] = when

    def reinstate(self, certificate: x509.Certificate) -> None:
        """Take a revocation or a `forget` back; does nothing when there is none."""
        entry = (_issuer_id(certificate.issuer), certificate.serial_number)
        with self._lock:
            self._revoked.pop(entry, None)
            self._unknown.discard(entry)

    def forget(self, certificate: x509.Certificate) -> None:
        """Make the OCSP responder answer "unknown" for `certificate`."""
        with self._lock:
            self._unknown.add((_issuer_id(certificate.issuer), certificate.serial_number))

    def is_revoked(self, certificate: x509.Certificate) -> bool:
        """True when `certificate` was revoked."""
        return self.revoked_at(certificate.issuer, certificate.serial_number) is not None

    def revoked_at(self, issuer: x509.Name, serial_number: int) -> datetime | None:
        """When the certificate with this issuer and serial number was revoked, or None."""
        with self._lock:
            return self._revoked.get((_issuer_id(issuer), serial_number))

    def is_unknown(self, issuer: x509.Name, serial_number: int) -> bool:
        """True when the responder was told to forget this certificate."""
        with self._lock:
            return (_issuer_id(issuer), serial_number) in self._unknown

    def to_json(self) -> list[dict[str, str]]:
        """JSON-able list of the revocations, for `Pki.save`."""
        with self._lock:
            return [
                {"issuer_sha256": issuer, "serial": f"{serial:x}", "at": when.isoformat()}
                for (issuer, serial), when in self._revoked.items()
            ]

    def load_json(self, entries: Iterable[dict[str, str]]) -> None:
        """Take up what `to_json` wrote; raises KeyError or ValueError when it is not that."""
        loaded = {
            (each["issuer_sha256"], int(each["serial"], 16)): datetime.fromisoformat(each["at"])
            for each in entries
        }
        with self._lock:
            self._revoked.update(loaded)
