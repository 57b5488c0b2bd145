"""What the car holds: contract, OEM provisioning certificate, and the roots it trusts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

from bench.ev.errors import PlanMistake
from bench.pki.credential import Credential
from bench.pki.hierarchy import Pki
from bench.pki.store import StoreError


@dataclass(frozen=True)
class Credentials:
    """Keys and roots of a car; each may be absent.

    `v2g_roots` judge the charger's TLS certificate and the provisioning service's chain, `mo_roots` a new
    contract's chain and the signature of a sales tariff.
    """

    contract: Credential | None = None
    oem: Credential | None = None
    v2g_roots: tuple[x509.Certificate, ...] = ()
    mo_roots: tuple[x509.Certificate, ...] = ()

    @classmethod
    def of(cls, pki: Pki) -> Credentials:
        """The car's part of a bench PKI."""
        return cls(
            contract=pki.contract,
            oem=pki.oem,
            v2g_roots=(pki.v2g_root.certificate,),
            mo_roots=(pki.mo_root.certificate,),
        )

    @classmethod
    def load(cls, folder: Path) -> Credentials:
        """The car's part of a PKI folder as `plugbench pki` writes it. Raises PlanMistake with one line."""
        try:
            return cls.of(Pki.load(folder))
        except StoreError as error:
            raise PlanMistake(str(error)) from error


@dataclass
class Provisioning:
    """What became of a CertificateInstallation or CertificateUpdate.

    `contract` is the new contract with its key, None when it could not be taken; `problems` say what is wrong
    with the answer (empty: signature, chain and key are all right).
    """

    message: str
    response_code: str
    emaid: str | None = None
    contract: Credential | None = None
    signature_ok: bool | None = None
    key_matches: bool | None = None
    problems: list[str] = field(default_factory=list)
    chain: Sequence[x509.Certificate] = ()

    def as_data(self) -> dict[str, Any]:
        """For the timeline."""
        return {
            "response_code": self.response_code,
            "emaid": self.emaid,
            "signature_ok": self.signature_ok,
            "key_matches": self.key_matches,
            "problems": list(self.problems),
        }
