"""Certificate chains that were shown in a case, by role, for the trust part of the report.

The SECC's chain and the car's contract come as events that carry them. What the provisioning service sent is
read from the charger's answer to the car, and judged against the roots of the bench; the backend's chain is
the one that its TLS server shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bench.pki.validate import BadCertificate, Purpose, load_der, validate_chain
from bench.timeline import Event
from bench.v2g import codec

Chain = dict[str, Any]
_PROVISIONING = ("CertificateInstallationRes", "CertificateUpdateRes")
_SENT: tuple[tuple[str, Purpose, str], ...] = (
    ("CPS (signs what is provisioned)", "cps", "SAProvisioningCertificateChain"),
    ("installed contract", "contract", "ContractSignatureCertChain"),
)
_TLS_PROFILES = (2, 3)


def shown(events: Sequence[Event], case: str, start_ns: int, pki: Any = None) -> list[Chain]:
    """The chains in these events: the charger's in TLS, those that carry a `role`, and those that were
    provisioned. `pki` is the bench's; without it nothing is said about roots of provisioned chains.
    """
    found: list[Chain] = []
    for event in events:
        t_s = round((event.t_ns - start_ns) / 1e9, 4)
        chain = event.data.get("chain")
        if event.kind in ("tls", "contract", "ocpp-link") and chain:
            found.append(
                {
                    "role": str(event.data.get("role") or ("SECC" if event.kind == "tls" else event.kind)),
                    "case": case,
                    "t_s": t_s,
                    "problems": [str(one) for one in event.data.get("problems") or []],
                    "chain": list(chain),
                    "root": event.data.get("root"),
                }
            )
        elif event.kind == "v2g" and event.name in _PROVISIONING and pki is not None:
            found += [one | {"case": case, "t_s": t_s} for one in _provisioned(event, pki)]
    return found


def backend(station: Any) -> list[Chain]:
    """The chain of the CSMS where the charger reaches it over TLS; empty where it does not."""
    csms = getattr(getattr(station, "bench", None), "csms", None)
    if station.pki is None or getattr(csms, "security_profile", 0) not in _TLS_PROFILES:
        return []
    credential = station.pki.csms
    chain = [_pem(one) for one in (credential.certificate, *credential.sub_cas)]
    return [
        {
            "role": "CSMS",
            "case": "",
            "t_s": None,
            "problems": [],
            "chain": chain,
            "root": _pem(credential.root),
        }
    ]


def _provisioned(event: Event, pki: Any) -> list[Chain]:
    try:
        message = codec.decode(str(event.data.get("schema")), bytes.fromhex(str(event.data.get("exi") or "")))
        body = message.Body.BodyElement
    except (codec.DecodeError, AttributeError, KeyError, ValueError):
        return []  # the ladder shows the bytes and says why they cannot be read
    if not str(getattr(body, "ResponseCode", "")).startswith("OK"):
        return []
    return [
        chain
        for role, purpose, name in _SENT
        if (chain := _judged(role, purpose, getattr(body, name, None), pki)) is not None
    ]


def _judged(role: str, purpose: Purpose, sent: Any, pki: Any) -> Chain | None:
    """The chain as it was sent, and what is wrong with it at this moment."""
    subs = getattr(getattr(sent, "SubCertificates", None), "Certificate", None) or []
    encoded = [one for one in (getattr(sent, "Certificate", None), *subs) if isinstance(one, bytes)]
    if not encoded:
        return None
    try:
        chain = [load_der(one) for one in encoded]
    except BadCertificate as error:
        return {"role": role, "problems": [f"malformed: {error}"], "chain": [], "root": None}
    roots = [pki.v2g_root, pki.mo_root]
    check = validate_chain(chain[0], chain[1:], roots, at=datetime.now(UTC), purpose=purpose)
    last = check.path[-1]
    reached = any(last == root.certificate for root in roots)
    return {
        "role": role,
        "problems": [str(one) for one in check.problems],
        "chain": [_pem(one) for one in chain],
        "root": _pem(last) if reached else None,
    }


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")
