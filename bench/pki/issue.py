"""Building one certificate, right by default and wrong where a test asks for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from bench.pki.credential import Credential
from bench.pki.profile import KeyUsageName, Profile, key_usage_extension

# Certificates are valid from an hour ago, so that a charger whose clock lags a little accepts a fresh one.
BACKDATE = timedelta(hours=1)


class Faults(TypedDict, total=False):
    """What a leaf may be made to have instead of what its profile says; every key is optional."""

    not_before: datetime
    not_after: datetime
    key_usage: frozenset[KeyUsageName]
    domain_component: str | None
    curve: ec.EllipticCurve
    sign_with_other_key: bool
    """Sign with a key that is not the issuer's: a well-formed certificate whose signature does not verify."""
    country: str
    is_ca: bool


def new_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Generate a key, on P-256 unless another curve is named."""
    return ec.generate_private_key(curve or ec.SECP256R1())


def subject_name(
    common_name: str,
    domain_component: str | None,
    organization: str | None = None,
    country: str | None = None,
) -> x509.Name:
    """Build a subject: CN, O, C and DC, in that order, leaving out what is None."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    if country is not None:
        attributes.append(x509.NameAttribute(NameOID.COUNTRY_NAME, country))
    if domain_component is not None:
        attributes.append(x509.NameAttribute(NameOID.DOMAIN_COMPONENT, domain_component))
    return x509.Name(attributes)


def build(
    profile: Profile,
    common_name: str,
    public_key: ec.EllipticCurvePublicKey,
    issuer: Credential | None,
    signing_key: ec.EllipticCurvePrivateKey,
    *,
    organization: str | None = "Plugbench",
    hosts: Sequence[str] = (),
    ocsp_url: str | None = None,
    faults: Faults | None = None,
) -> x509.Certificate:
    """Issue one certificate; `issuer` None makes a self-signed root with `signing_key`.

    `hosts` become subject alternative names: a text that reads as an IP address becomes one, the rest DNS
    names.
    """
    wrong: Faults = faults or {}
    now = datetime.now(UTC).replace(microsecond=0)
    not_after = wrong.get("not_after", now + timedelta(days=profile.days))
    not_before = wrong.get("not_before", min(now - BACKDATE, not_after - timedelta(days=1)))
    subject = subject_name(
        common_name,
        wrong.get("domain_component", profile.domain_component),
        organization,
        wrong.get("country"),
    )
    is_ca = wrong.get("is_ca", profile.is_ca)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(is_ca, profile.path_length if is_ca else None), critical=True)
        .add_extension(key_usage_extension(wrong.get("key_usage", profile.key_usage)), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    if issuer is not None:
        authority_key = issuer.private_key.public_key()
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), critical=False
        )
    if profile.extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(profile.extended), critical=False)
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(each) for each in hosts]), critical=False
        )
    if ocsp_url is not None and issuer is not None:
        access = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    if wrong.get("sign_with_other_key"):
        signing_key = new_key(signing_key.curve)
    return builder.sign(signing_key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def issue_root(name: str, common_name: str, domain_component: str | None, profile: Profile) -> Credential:
    """Make a self-signed root."""
    key = new_key()
    certificate = build(profile, common_name, key.public_key(), None, key)
    return Credential(certificate, key, (certificate,), certificate, name)


def issue_under(
    issuer: Credential,
    name: str,
    profile: Profile,
    common_name: str,
    *,
    organization: str | None = "Plugbench",
    hosts: Sequence[str] = (),
    ocsp_url: str | None = None,
    faults: Faults | None = None,
) -> Credential:
    """Make a fresh key and its certificate under `issuer`, with the chain up to (without) the issuer's
    root.
    """
    key = new_key((faults or {}).get("curve"))
    certificate = build(
        profile,
        common_name,
        key.public_key(),
        issuer,
        issuer.private_key,
        organization=organization,
        hosts=hosts,
        ocsp_url=ocsp_url,
        faults=faults,
    )
    return Credential(certificate, key, (certificate, *upwards(issuer)), issuer.root, name)


def upwards(issuer: Credential) -> tuple[x509.Certificate, ...]:
    """The certificates that follow a leaf of `issuer` on the wire: its chain, or nothing under a root."""
    return () if issuer.certificate == issuer.root else issuer.chain
