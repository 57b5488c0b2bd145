"""A certificate with its private key and the chain it is sent with."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def common_name(certificate: x509.Certificate) -> str:
    """Return the (first) common name of the subject, or "" where there is none."""
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        return str(attribute.value)
    return ""


@dataclass(frozen=True)
class Credential:
    """A certificate and what its holder needs to use it.

    `chain` is what goes on the wire: the certificate itself first, then the sub-CAs upwards, without the root
    (ISO 15118-2 [V2G2-871]). For a root, `chain` holds the root alone and `root` is the certificate itself.
    """

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]
    root: x509.Certificate
    name: str = ""

    @property
    def common_name(self) -> str:
        """Common name of the subject."""
        return common_name(self.certificate)

    @property
    def emaid(self) -> str:
        """eMAID of a contract certificate: its common name (ISO 15118-2 annex F)."""
        return self.common_name

    @property
    def sub_cas(self) -> tuple[x509.Certificate, ...]:
        """The chain without its leaf: what SubCertificates carries in ISO 15118-2 messages."""
        return self.chain[1:]

    def pem_chain(self) -> bytes:
        """The chain as PEM, leaf first."""
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in self.chain)

    def der_chain(self) -> list[bytes]:
        """The chain as DER, leaf first."""
        return [each.public_bytes(serialization.Encoding.DER) for each in self.chain]

    def pem_key(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM: a test key, never a production one."""
        return self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
