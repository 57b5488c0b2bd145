"""What `cryptography` raises for bytes that call themselves a certificate and are none: many kinds."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    Warning,
)
"""For `except`: certificates, requests and OCSP messages from the wire are hostile, and parsed late."""
