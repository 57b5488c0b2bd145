"""The back office's registries: contracts (eMAIDs) and cards (RFID tokens)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cryptography import x509

from bench.pki.emaid import normalise
from bench.pki.revocation import Revocations

Note = Callable[[str, dict[str, Any]], None]


class Contracts:
    """Which eMAIDs may charge. All methods take the eMAID with or without hyphens; thread-safe.

    `accept` is lasting; the others are scripted states that `reset` (part of `Csms.reset_behaviour`) lifts.
    """

    def __init__(self, revocations: Revocations | None, note: Note, *, accept_unknown: bool = False) -> None:
        self._revocations = revocations
        self._note = note
        self._lock = threading.Lock()
        self._accepted: set[str] = set()
        self._scripted: dict[str, tuple[str, str | None]] = {}
        self._revoked: list[x509.Certificate] = []
        self.accept_unknown = accept_unknown
        """Accept eMAIDs nobody registered: for a CSMS that is served by hand."""

    def accept(self, emaid: str) -> None:
        """The contract exists and may charge; takes back block, revoke (by eMAID), cancel and forget."""
        self._note("accept", {"emaid": emaid})
        with self._lock:
            self._accepted.add(normalise(emaid))
            self._scripted.pop(normalise(emaid), None)

    def block(self, emaid: str) -> None:
        """Answer Blocked and ContractCancelled (C07.FR.13)."""
        self._set("block", emaid, "Blocked", "ContractCancelled")

    def cancel(self, emaid: str) -> None:
        """Answer Invalid and ContractCancelled (C07.FR.13)."""
        self._set("cancel", emaid, "Invalid", "ContractCancelled")

    def revoke(self, emaid: str, cert: x509.Certificate | None = None) -> None:
        """Answer Invalid and CertificateRevoked (C07.FR.16); with `cert`, its OCSP status becomes revoked
        too."""
        self._set("revoke", emaid, "Invalid", "CertificateRevoked")
        if cert is not None and self._revocations is not None:
            self._revocations.revoke(cert)
            with self._lock:
                self._revoked.append(cert)

    def forget(self, emaid: str) -> None:
        """Answer Unknown: the back office has never heard of this contract."""
        self._set("forget", emaid, "Unknown", None)

    def status(self, emaid: str) -> tuple[str, str | None]:
        """`idTokenInfo.status` and the certificateStatus that the back office imposes (None: as the check
        says)."""
        name = normalise(emaid)
        with self._lock:
            if name in self._scripted:
                return self._scripted[name]
            known = name in self._accepted or self.accept_unknown
        return ("Accepted", None) if known else ("Unknown", None)

    def reset(self) -> None:
        """Lift block, cancel, revoke and forget."""
        with self._lock:
            self._scripted.clear()
            revoked, self._revoked = self._revoked, []
        for each in revoked:
            if self._revocations is not None:
                self._revocations.reinstate(each)

    def _set(self, what: str, emaid: str, status: str, certificate_status: str | None) -> None:
        self._note(what, {"emaid": emaid})
        with self._lock:
            self._scripted[normalise(emaid)] = (status, certificate_status)


class Tokens:
    """Which cards may charge; upper and lower case are the same (OCPP CiString); thread-safe."""

    def __init__(self, note: Note, *, accept_unknown: bool = False) -> None:
        self._note = note
        self._lock = threading.Lock()
        self._accepted: set[str] = set()
        self._scripted: dict[str, str] = {}
        self.accept_unknown = accept_unknown
        """Accept cards nobody registered: for a CSMS that is served by hand."""

    def accept(self, token: str) -> None:
        """The card may charge; takes back `block`. Lasting."""
        self._note("accept", {"token": token})
        with self._lock:
            self._accepted.add(token.upper())
            self._scripted.pop(token.upper(), None)

    def block(self, token: str, status: str = "Blocked") -> None:
        """Answer `status` (an AuthorizationStatusEnumType) for the card; until `reset`."""
        self._note("block", {"token": token, "status": status})
        with self._lock:
            self._scripted[token.upper()] = status

    def status(self, token: str) -> str:
        """`idTokenInfo.status` of a card."""
        with self._lock:
            if token.upper() in self._scripted:
                return self._scripted[token.upper()]
            return "Accepted" if token.upper() in self._accepted or self.accept_unknown else "Unknown"

    def reset(self) -> None:
        """Lift every block."""
        with self._lock:
            self._scripted.clear()
