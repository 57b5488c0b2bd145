"""Certificates over OCPP 2.0.1: install, delete, list (M03 to M05), and renewal by CSR (A02, A03).

Judging and storing are separate methods, so that a defect can replace the one without the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.charger.backend import BackendUnavailable
from bench.charger.store import Identity, RootKind, StoreError
from bench.csms.hashdata import ALGORITHMS, hash_data, same
from bench.pki.credential import common_name
from bench.pki.validate import BadCertificate, load_pem, public_key, validate_chain

if TYPE_CHECKING:
    from bench.charger.ocpp.client import OcppBackend

CertificateType = Literal["V2GCertificate", "ChargingStationCertificate"]
KIND_OF_USE: dict[str, RootKind] = {
    "V2GRootCertificate": "V2GRoot",
    "MORootCertificate": "MORoot",
    "CSMSRootCertificate": "CSMSRoot",
    "ManufacturerRootCertificate": "ManufacturerRoot",
}
USE_OF_KIND = {kind: use for use, kind in KIND_OF_USE.items()}


@dataclass(frozen=True)
class PendingKey:
    """A key whose certificate was asked for."""

    key: ec.EllipticCurvePrivateKey
    signed: asyncio.Event


class Certificates:
    """The charger's certificates as the backend sees them."""

    def __init__(self, client: OcppBackend) -> None:
        self._client = client
        self._store = client.charger.store
        self._pending: dict[CertificateType, PendingKey] = {}

    # Roots.

    def root_problem(self, certificate: x509.Certificate) -> str | None:
        """Why a root is not installed (M05.FR.07 and what a root is), or None."""
        now = datetime.now(UTC)
        if now > certificate.not_valid_after_utc:
            return "expired"
        if now < certificate.not_valid_before_utc:
            return "not yet valid"
        try:
            certificate.verify_directly_issued_by(certificate)
            basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except Exception as error:  # the library has no common base for what a hostile certificate can cause
            return f"not self-signed: {type(error).__name__}"
        return None if basic.ca else "not a CA"

    def install(self, use: str, pem: str) -> tuple[str, str | None]:
        """InstallCertificate: status and, unless Accepted, why."""
        try:
            certificates = load_pem(pem.encode("utf-8", "replace"))
        except BadCertificate as error:
            return "Rejected", str(error)
        if len(certificates) != 1:
            return "Rejected", f"{len(certificates)} certificates"
        problem = self.root_problem(certificates[0])
        if problem is not None:
            return "Rejected", problem
        try:
            self._store.install_root(KIND_OF_USE[use], certificates[0])
        except StoreError as error:
            return "Failed", str(error)
        return "Accepted", None

    def find_root(self, data: dict[str, Any]) -> tuple[RootKind, x509.Certificate] | None:
        """The installed root that hash data name, or None."""
        algorithm = str(data.get("hashAlgorithm"))
        if algorithm not in ALGORITHMS:
            return None
        for kind in USE_OF_KIND:
            for root in self._store.roots(kind):
                if same(hash_data(root, root, algorithm), data):
                    return kind, root
        return None

    def delete(self, data: dict[str, Any]) -> str:
        """DeleteCertificate (M04.FR.01 to FR.06): Accepted, NotFound or Failed."""
        found = self.find_root(data)
        if found is None:
            own = self.own_chain()
            listed = own is not None and same(own["certificateHashData"], data)
            return "Failed" if listed else "NotFound"  # the charger's own certificate stays (M04.FR.06)
        try:
            return "Accepted" if self._store.delete_root(*found) else "NotFound"
        except (StoreError, OSError):
            return "Failed"

    def listed(self, uses: Sequence[str] | None) -> list[dict[str, Any]]:
        """CertificateHashDataChainType of everything installed of these uses (M03), all when None."""
        entries: list[dict[str, Any]] = []
        for kind, use in USE_OF_KIND.items():
            if uses is None or use in uses:
                entries.extend(
                    {"certificateType": use, "certificateHashData": hash_data(root, root)}
                    for root in self._store.roots(kind)
                )
        if uses is None or "V2GCertificateChain" in uses:
            own = self.own_chain()
            if own is not None:
                entries.append(own)
        return entries

    def own_chain(self) -> dict[str, Any] | None:
        """The SECC certificate and its sub-CAs as hash data, or None."""
        if self._store.secc is None:
            return None
        chain = list(self._store.secc.chain)
        last_issuer = next(
            (root for root in self._store.roots("V2GRoot") if root.subject == chain[-1].issuer), None
        )
        issuers = [*chain[1:], *([last_issuer] if last_issuer is not None else [])]
        hashed = [hash_data(each, issuer) for each, issuer in zip(chain, issuers, strict=False)]
        if not hashed:
            return None
        entry: dict[str, Any] = {
            "certificateType": "V2GCertificateChain",
            "certificateHashData": hashed[0],
        }
        if hashed[1:]:
            entry["childCertificateHashData"] = hashed[1:5]
        return entry

    # Renewal.

    async def request(self, kind: CertificateType) -> None:
        """Ask for a new certificate (A02.FR.02, A03): fresh key, CSR, and again with doubled waiting when
        nothing comes (A02.FR.17 to FR.19)."""
        pending = PendingKey(ec.generate_private_key(ec.SECP256R1()), asyncio.Event())
        self._pending[kind] = pending
        number = self._client.variables.number
        wait_s = number("SecurityCtrlr", "CertSigningWaitMinimum")
        csr = self._csr(kind, pending.key)
        for _ in range(int(number("SecurityCtrlr", "CertSigningRepeatTimes")) + 1):
            try:
                answer = await self._client.call("SignCertificate", {"csr": csr, "certificateType": kind})
            except BackendUnavailable:
                answer = {}
            if answer.get("status") == "Rejected":
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await pending.signed.wait()
                return
            wait_s *= 2
        if self._pending.get(kind) is pending:
            del self._pending[kind]

    def _csr(self, kind: CertificateType, key: ec.EllipticCurvePrivateKey) -> str:
        variables, secc = self._client.variables, self._store.secc
        name = self._client.charger.profile.serial
        if kind == "V2GCertificate":
            name = variables.text("ISO15118Ctrlr", "SeccId") or (
                common_name(secc.chain[0]) if secc is not None else name
            )
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name[:64] or "charger"),
                x509.NameAttribute(
                    NameOID.ORGANIZATION_NAME,
                    variables.text("ISO15118Ctrlr", "OrganizationName")[:64] or "CPO",
                ),
                x509.NameAttribute(
                    NameOID.COUNTRY_NAME, (variables.text("ISO15118Ctrlr", "CountryName") + "DE")[:2]
                ),
            ]
        )
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def chain_problem(self, kind: CertificateType, chain: Sequence[x509.Certificate]) -> str | None:
        """Why a signed chain is not used (A02.FR.06, A03.FR.06): validity, known root, profile (DC=CPO); or
        None."""
        leaf, now = chain[0], datetime.now(UTC)
        if kind == "V2GCertificate":
            check = validate_chain(leaf, chain[1:], self._store.roots("V2GRoot"), at=now, purpose="secc")
            return None if check.ok else str(check.problems[0])
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            return "outside its validity"
        return None if self._under_csms_root(chain) else "not under a known CSMS root"

    def _under_csms_root(self, chain: Sequence[x509.Certificate]) -> bool:
        last = chain[-1]
        for root in self._store.roots("CSMSRoot"):
            with contextlib.suppress(Exception):  # no common base, see root_problem; what fails is no issuer
                last.verify_directly_issued_by(root)
                for below, above in pairwise(chain):
                    below.verify_directly_issued_by(above)
                return True
        return False

    def signed(self, kind: CertificateType, pem: str) -> tuple[str, str | None]:
        """CertificateSigned: Accepted and in use at once, or Rejected with the reason (A02.FR.06, FR.07)."""
        pending = self._pending.get(kind)
        try:
            chain = load_pem(pem.encode("utf-8", "replace"))
        except BadCertificate as error:
            return "Rejected", str(error)
        if pending is None:
            return "Rejected", "no certificate was asked for"
        if not chain or not _same_key(chain[0], pending.key):
            return "Rejected", "not for the key that was asked for"
        problem = self.chain_problem(kind, chain)
        if problem is not None:
            return "Rejected", problem
        try:
            self.put_in_use(kind, chain, pending.key)
        except StoreError as error:
            return "Rejected", str(error)
        pending.signed.set()
        del self._pending[kind]
        return "Accepted", None

    def put_in_use(
        self, kind: CertificateType, chain: Sequence[x509.Certificate], key: ec.EllipticCurvePrivateKey
    ) -> None:
        """Store a chain and its key: the next handshake shows it. Raises StoreError."""
        identity = Identity(
            b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        if kind == "V2GCertificate":
            self._store.replace_secc(identity)
        else:
            self._store.replace_client(identity)


def _same_key(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bool:
    found = public_key(certificate)
    return (
        isinstance(found, ec.EllipticCurvePublicKey)
        and found.public_numbers() == key.public_key().public_numbers()
    )
