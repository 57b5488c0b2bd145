"""Certificate profiles: what each role's certificate looks like.

Source: ISO 15118-2:2014 annex F (tables F.1 to F.5): ECDSA over P-256 with SHA-256, basicConstraints and
keyUsage critical, pathLenConstraint 1 on the first sub-CA and 0 on the second, domainComponent naming the
role. OCPP 2.0.1 part 2 section A (A00.FR.5xx): charging station certificate with O = operator, CN = serial
number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

KeyUsageName = Literal[
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
]
KEY_USAGE_NAMES: tuple[KeyUsageName, ...] = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)

_CA_USAGE: frozenset[KeyUsageName] = frozenset({"key_cert_sign", "crl_sign"})


@dataclass(frozen=True)
class Profile:
    """Shape of one role's certificate; `days` is the validity from the day of issue."""

    name: str
    key_usage: frozenset[KeyUsageName]
    days: int
    domain_component: str | None = None
    is_ca: bool = False
    path_length: int | None = None
    extended: tuple[x509.ObjectIdentifier, ...] = ()


def key_usage_extension(names: frozenset[KeyUsageName]) -> x509.KeyUsage:
    """Build the keyUsage extension that has exactly the named bits."""
    bits = {name: name in names for name in KEY_USAGE_NAMES}
    return x509.KeyUsage(**bits, encipher_only=False, decipher_only=False)


def key_usage_names(extension: x509.KeyUsage) -> frozenset[KeyUsageName]:
    """Return the names of the bits set in a keyUsage extension."""
    return frozenset(name for name in KEY_USAGE_NAMES if getattr(extension, name))


def root(domain_component: str | None) -> Profile:
    """Profile of a root CA (40 years, no path length limit, as table F.1)."""
    return Profile("root", _CA_USAGE, 40 * 365, domain_component, is_ca=True)


def sub_ca(number: int, domain_component: str) -> Profile:
    """Profile of sub-CA 1 (path length 1) or 2 (path length 0), tables F.1 and F.2."""
    return Profile(
        f"sub_ca{number}",
        _CA_USAGE,
        (4 if number == 1 else 2) * 365,
        domain_component,
        is_ca=True,
        path_length=max(0, 2 - number),
    )


SECC = Profile("secc", frozenset({"digital_signature", "key_agreement"}), 90, "CPO")
CONTRACT = Profile(
    "contract",
    frozenset({"digital_signature", "content_commitment", "key_encipherment", "key_agreement"}),
    2 * 365,
    "MO",
)
OEM = Profile("oem", frozenset({"digital_signature", "key_agreement"}), 30 * 365, "OEM")
CPS = Profile("cps", frozenset({"digital_signature"}), 90, "CPS")
CSMS = Profile(
    "csms",
    frozenset({"digital_signature", "key_encipherment", "key_agreement"}),
    365,
    extended=(ExtendedKeyUsageOID.SERVER_AUTH,),
)
CHARGER_TLS = Profile(
    "charger_tls",
    frozenset({"digital_signature", "key_encipherment", "key_agreement"}),
    365,
    extended=(ExtendedKeyUsageOID.CLIENT_AUTH,),
)

# What a validator asks of a leaf: the bits that the leaf's use in the protocol needs (annex F).
REQUIRED_KEY_USAGE: dict[str, frozenset[KeyUsageName]] = {
    "secc": frozenset({"digital_signature", "key_agreement"}),
    "contract": frozenset({"digital_signature", "key_agreement"}),
    "oem": frozenset({"digital_signature", "key_agreement"}),
    "cps": frozenset({"digital_signature"}),
}
REQUIRED_DOMAIN_COMPONENT: dict[str, str] = {"secc": "CPO", "contract": "MO", "oem": "OEM", "cps": "CPS"}
