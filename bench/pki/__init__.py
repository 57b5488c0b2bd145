"""Test PKI: hierarchies, faulty certificates, OCSP responder, contract-key wrapping, chain validation."""

from bench.pki.credential import Credential
from bench.pki.faults import FAULTS, Fault
from bench.pki.hierarchy import BadCsr, Pki
from bench.pki.revocation import Revocations
from bench.pki.store import StoreError
from bench.pki.validate import BadCertificate, ChainCheck, Problem, describe, load_der, validate_chain

__all__ = [
    "FAULTS",
    "BadCertificate",
    "BadCsr",
    "ChainCheck",
    "Credential",
    "Fault",
    "Pki",
    "Problem",
    "Revocations",
    "StoreError",
    "describe",
    "load_der",
    "validate_chain",
]
