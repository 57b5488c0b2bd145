"""What a CSMS has behind it: registries, provisioning service, certificate authority."""

from __future__ import annotations

from typing import Any

from cryptography import x509

from bench.csms.contracts import Contracts, Tokens
from bench.csms.provisioning import Provisioning
from bench.pki import Pki
from bench.pki.issue import Faults
from bench.timeline import Timeline


class BackOffice:
    """State that handlers consult; `reset` brings it back to conforming."""

    def __init__(self, timeline: Timeline, pki: Pki | None, *, accept_unknown: bool = False) -> None:
        self.timeline = timeline
        self.pki = pki
        self.heartbeat_interval_s = 300
        self.contracts = Contracts(
            pki.revocations if pki is not None else None,
            self._noting("contract"),
            accept_unknown=accept_unknown,
        )
        self.tokens = Tokens(self._noting("token"), accept_unknown=accept_unknown)
        self.provisioning = Provisioning(pki, self.contracts, self._noting("provisioning"))
        self.signing_faults: Faults = {}
        """Faults of the certificates that answer SignCertificate (`bench.pki.issue.Faults`)."""

    def _noting(self, about: str) -> Any:
        def note(what: str, data: dict[str, Any]) -> None:
            self.timeline.append("csms", "backend", f"{about} {what}", data)

        return note

    def sign(self, csr_pem: str, certificate_type: str) -> list[x509.Certificate] | None:
        """The chain for a CSR (leaf first, without root), or None without a PKI; raises BadCsr."""
        if self.pki is None:
            return None
        profile = "secc" if certificate_type == "V2GCertificate" else "charger_tls"
        if profile == "secc":
            return self.pki.sign_csr(csr_pem, "secc", **self.signing_faults)
        return self.pki.sign_csr(csr_pem, "charger_tls", **self.signing_faults)

    def reset(self) -> None:
        """Back to the conforming backend; accepted contracts and tokens stay accepted."""
        self.contracts.reset()
        self.tokens.reset()
        self.provisioning.normal()
        self.signing_faults = {}
