"""CertificateInstallationRes and CertificateUpdateRes: is it what it says it is, and the key out of its
wrapping.

ISO 15118-2 clauses 8.4.3.10/11 and 7.9.2.4.3: the answer is signed by the provisioning service over four
elements; the contract's private key is encrypted for the key that signed the request.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509

from bench.ev.credentials import Provisioning
from bench.ev.iso2 import signing
from bench.ev.iso2.state import SessionState
from bench.ev.wire import Received
from bench.pki import contract_key
from bench.pki.credential import Credential
from bench.pki.emaid import normalise
from bench.pki.validate import BadCertificate, load_der, validate_chain
from bench.v2g.messages import iso2


def refused(request: str, code: str) -> Provisioning:
    """The outcome of an answer with a FAILED code."""
    return Provisioning(request, code, problems=[f"refused with {code}"])


def take(state: SessionState, request: str, received: Received) -> Provisioning:
    """Judge the answer to `request` and unwrap its key. Problems are listed, never raised: the answer is
    hostile.
    """
    body = received.body
    outcome = Provisioning(request, str(body.ResponseCode), emaid=body.eMAID.value)
    leaf, subs = _read_chain(body.ContractSignatureCertChain, "contract", outcome)
    signer, signer_subs = _read_chain(body.SAProvisioningCertificateChain, "provisioning service", outcome)
    _check_signature(received, signer, outcome)
    _check_chains(state, (leaf, subs), (signer, signer_subs), outcome)
    if leaf is not None:
        _unwrap(state, body, leaf, subs, outcome)
    return outcome


def _read_chain(
    chain: iso2.CertificateChain, what: str, outcome: Provisioning
) -> tuple[x509.Certificate | None, list[x509.Certificate]]:
    found = []
    data = [
        chain.Certificate,
        *(chain.SubCertificates.Certificate if chain.SubCertificates is not None else []),
    ]
    for number, each in enumerate(data):
        try:
            found.append(load_der(each))
        except BadCertificate as error:
            outcome.problems.append(f"certificate {number} of the {what} chain is unreadable: {error}")
            return (found[0] if found else None), found[1:]
    return found[0], found[1:]


def _check_signature(received: Received, signer: x509.Certificate | None, outcome: Provisioning) -> None:
    if signer is None:
        outcome.signature_ok = False
        return
    body = received.body
    signed = (
        body.ContractSignatureCertChain,
        body.ContractSignatureEncryptedPrivateKey,
        body.DHpublickey,
        body.eMAID,
    )
    problem = signing.verify(received, signed, signer)
    outcome.signature_ok = problem is None
    if problem is not None:
        outcome.problems.append(f"signature: {problem}")


def _check_chains(
    state: SessionState,
    contract: tuple[x509.Certificate | None, list[x509.Certificate]],
    provider: tuple[x509.Certificate | None, list[x509.Certificate]],
    outcome: Provisioning,
) -> None:
    now = datetime.now(UTC)
    leaf, subs = contract
    if leaf is not None:
        outcome.chain = (leaf, *subs)
        if state.credentials.mo_roots:
            check = validate_chain(leaf, subs, state.credentials.mo_roots, at=now, purpose="contract")
            outcome.problems += [f"contract chain: {each}" for each in check.problems]
    signer, signer_subs = provider
    if signer is not None and state.credentials.v2g_roots:
        check = validate_chain(signer, signer_subs, state.credentials.v2g_roots, at=now, purpose="cps")
        outcome.problems += [f"provisioning chain: {each}" for each in check.problems]


def _unwrap(
    state: SessionState,
    body: iso2.CertificateInstallationRes | iso2.CertificateUpdateRes,
    leaf: x509.Certificate,
    subs: list[x509.Certificate],
    outcome: Provisioning,
) -> None:
    installing = isinstance(body, iso2.CertificateInstallationRes)
    own = state.credentials.oem if installing else state.contract
    if own is None:
        outcome.problems.append("the car has no key to unwrap with")
        return
    encrypted, point = body.ContractSignatureEncryptedPrivateKey.value, body.DHpublickey.value
    try:
        key = contract_key.unwrap(encrypted, point, own.private_key)
    except contract_key.ContractKeyError as error:
        outcome.key_matches = False
        outcome.problems.append(f"contract key: {error}")
        return
    try:
        contract_key.unwrap(encrypted, point, own.private_key, leaf)
        outcome.key_matches = True
    except contract_key.ContractKeyError as error:
        outcome.key_matches = False
        outcome.problems.append(f"contract key: {error}")
    root = next(
        (each for each in state.credentials.mo_roots if subs and each.subject == subs[-1].issuer), leaf
    )
    contract = Credential(leaf, key, (leaf, *subs), root, "installed")
    if normalise(contract.emaid) != normalise(body.eMAID.value):
        outcome.problems.append(f"eMAID {body.eMAID.value} differs from the certificate's {contract.emaid}")
    if outcome.key_matches:
        outcome.contract = contract
