"""The certificate hierarchies of the field, made fresh for a bench: `Pki`.

ISO 15118-2:2014 annex F: V2G root over the CPO and the provisioning-service branch, MO root over contracts,
OEM root over provisioning certificates; two sub-CAs in each. OCPP security profiles 2 and 3: CSMS server and
charging station certificate. A second, foreign V2G and MO hierarchy stands for a roaming partner.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal, Unpack

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.pki import emaid as emaid_module
from bench.pki import issue, profile, store
from bench.pki.credential import Credential
from bench.pki.faults import faulty_credential
from bench.pki.issue import Faults
from bench.pki.revocation import Revocations
from bench.pki.unreadable import UNREADABLE

DEFAULT_OCSP_URL = "http://localhost:9380/ocsp"
DEFAULT_SECC_NAME = "DE*PBX*E00001"
DEFAULT_EMAID = emaid_module.with_check_character("DEPBXC12345678")
DEFAULT_FOREIGN_EMAID = emaid_module.with_check_character("FRPBYC87654321")
DEFAULT_PCID = "WMIV1234567890ABCDEX"
DEFAULT_CHARGER_SERIAL = "PBX-00001"
CSMS_HOSTS = ("localhost", "::1", "127.0.0.1")

CsrProfile = Literal["secc", "charger_tls"]
_MAX_CSR_BYTES = 16_384


class BadCsr(ValueError):  # noqa: N818 - the name says what was handed in
    """A certificate signing request that cannot be read, or whose own signature does not verify."""


class Foreign:
    """The hierarchies of a roaming partner; the attributes are those of `Pki`."""

    def __init__(self, credentials: dict[str, Credential]) -> None:
        self.v2g_root = credentials["foreign/v2g/root"]
        self.secc = credentials["foreign/cpo/secc_leaf"]
        self.mo_root = credentials["foreign/mo/root"]
        self.contract = credentials["foreign/mo/contract_leaf"]


class Pki:
    """All hierarchies of a bench, able to issue more.

    Attributes, each a `Credential` (certificate, private key, chain, root): v2g_root, secc, mo_root,
    contract, oem_root, oem, cps, csms_root, csms, charger_tls; `foreign` has v2g_root, secc, mo_root and
    contract of another operator. `revocations` is the register behind the OCSP responder.
    """

    def __init__(
        self,
        credentials: dict[str, Credential],
        *,
        ocsp_url: str = DEFAULT_OCSP_URL,
        revocations: Revocations | None = None,
    ) -> None:
        self.credentials = credentials
        self.ocsp_url = ocsp_url
        self.revocations = revocations or Revocations()
        self.v2g_root = credentials["v2g/root"]
        self.secc = credentials["cpo/secc_leaf"]
        self.cps = credentials["cps/cps_leaf"]
        self.mo_root = credentials["mo/root"]
        self.contract = credentials["mo/contract_leaf"]
        self.oem_root = credentials["oem/root"]
        self.oem = credentials["oem/provisioning_leaf"]
        self.csms_root = credentials["csms/root"]
        self.csms = credentials["csms/server_leaf"]
        self.charger_tls = credentials["csms/charger_leaf"]
        self.foreign = Foreign(credentials)

    @classmethod
    def create(cls, folder: Path | None = None, *, ocsp_url: str = DEFAULT_OCSP_URL) -> Pki:
        """Make every hierarchy (well below a second); also writes it to `folder` when one is given.

        `ocsp_url` goes into the authorityInfoAccess of every leaf and sub-CA. Raises OSError when writing
        fails.
        """
        made: dict[str, Credential] = {}

        def keep(credential: Credential) -> Credential:
            made[credential.name] = credential
            return credential

        def root(name: str, common_name: str, domain_component: str | None) -> Credential:
            return keep(issue.issue_root(name, common_name, domain_component, profile.root(domain_component)))

        def branch(folder_name: str, issuer: Credential, label: str, domain_component: str) -> Credential:
            for number in (1, 2):
                issuer = keep(
                    issue.issue_under(
                        issuer,
                        f"{folder_name}/sub_ca{number}",
                        profile.sub_ca(number, domain_component),
                        f"{label} Sub-CA {number}",
                        ocsp_url=ocsp_url,
                    )
                )
            return issuer

        def leaf(name: str, issuer: Credential, shape: profile.Profile, common_name: str) -> Credential:
            return keep(issue.issue_under(issuer, name, shape, common_name, ocsp_url=ocsp_url))

        v2g = root("v2g/root", "Plugbench V2G Root CA", "V2G")
        leaf("cpo/secc_leaf", branch("cpo", v2g, "Plugbench CPO", "CPO"), profile.SECC, DEFAULT_SECC_NAME)
        leaf("cps/cps_leaf", branch("cps", v2g, "Plugbench CPS", "CPS"), profile.CPS, "Plugbench CPS")
        mo = root("mo/root", "Plugbench MO Root CA", "MO")
        leaf("mo/contract_leaf", branch("mo", mo, "Plugbench MO", "MO"), profile.CONTRACT, DEFAULT_EMAID)
        oem = root("oem/root", "Plugbench OEM Root CA", "OEM")
        leaf("oem/provisioning_leaf", branch("oem", oem, "Plugbench OEM", "OEM"), profile.OEM, DEFAULT_PCID)

        csms_root = root("csms/root", "Plugbench CSMS Root CA", None)
        keep(issue.issue_under(csms_root, "csms/server_leaf", profile.CSMS, "localhost", hosts=CSMS_HOSTS))
        keep(
            issue.issue_under(
                csms_root,
                "csms/charger_leaf",
                profile.CHARGER_TLS,
                DEFAULT_CHARGER_SERIAL,
                organization="Plugbench CPO",
            )
        )

        foreign_v2g = root("foreign/v2g/root", "Roaming V2G Root CA", "V2G")
        foreign_cpo = branch("foreign/cpo", foreign_v2g, "Roaming CPO", "CPO")
        leaf("foreign/cpo/secc_leaf", foreign_cpo, profile.SECC, "FR*PBY*E00001")
        foreign_mo = root("foreign/mo/root", "Roaming MO Root CA", "MO")
        foreign_sub = branch("foreign/mo", foreign_mo, "Roaming MO", "MO")
        leaf("foreign/mo/contract_leaf", foreign_sub, profile.CONTRACT, DEFAULT_FOREIGN_EMAID)

        pki = cls(made, ocsp_url=ocsp_url)
        if folder is not None:
            pki.save(folder)
        return pki

    @classmethod
    def load(cls, folder: Path) -> Pki:
        """Read what `save` wrote; raises `store.StoreError` (with the file's name) when that is not
        possible.
        """
        content = store.read(folder)
        missing = sorted(set(store.REQUIRED) - set(content.credentials))
        if missing:
            raise store.StoreError(f"{folder}: no credential {missing[0]!r} in {store.INDEX}")
        revocations = Revocations()
        try:
            revocations.load_json(content.revoked)
        except (KeyError, TypeError, ValueError) as error:
            raise store.StoreError(f"{folder / store.INDEX}: bad entry in 'revoked' ({error})") from error
        return cls(content.credentials, ocsp_url=content.ocsp_url, revocations=revocations)

    def save(self, folder: Path) -> None:
        """Write every certificate, chain (PEM) and key (PEM, mode 0600) under `folder`, and an index.json."""
        store.write(folder, self.credentials, self.ocsp_url, self.revocations.to_json())

    def issue_contract(
        self, emaid: str | None = None, *, foreign: bool = False, **faults: Unpack[Faults]
    ) -> Credential:
        """Issue a contract; a fresh valid eMAID unless `emaid` is given (any text: a wrong one is a test
        case).
        """
        name = emaid if emaid is not None else self.new_emaid("FRPBY" if foreign else "DEPBX")
        issuer = self.credentials["foreign/mo/sub_ca2" if foreign else "mo/sub_ca2"]
        return issue.issue_under(
            issuer, f"contract/{name}", profile.CONTRACT, name, ocsp_url=self.ocsp_url, faults=faults
        )

    def issue_oem(self, pcid: str, **faults: Unpack[Faults]) -> Credential:
        """Issue an OEM provisioning certificate."""
        issuer = self.credentials["oem/sub_ca2"]
        return issue.issue_under(
            issuer, f"oem/{pcid}", profile.OEM, pcid, ocsp_url=self.ocsp_url, faults=faults
        )

    def issue_secc(self, common_name: str = DEFAULT_SECC_NAME, **faults: Unpack[Faults]) -> Credential:
        """Issue an SECC certificate with a fresh key; see `certify_secc` for a key that stays in the
        charger.
        """
        return issue.issue_under(
            self.credentials["cpo/sub_ca2"],
            f"secc/{common_name}",
            profile.SECC,
            common_name,
            ocsp_url=self.ocsp_url,
            faults=faults,
        )

    def certify_secc(
        self, common_name: str, public_key: ec.EllipticCurvePublicKey, **faults: Unpack[Faults]
    ) -> list[x509.Certificate]:
        """Issue an SECC certificate for a key held elsewhere: the chain, leaf first, without root."""
        return self._certify("secc", common_name, public_key, "Plugbench", faults)

    def sign_csr(
        self, csr_pem: str | bytes, profile: CsrProfile = "secc", **faults: Unpack[Faults]
    ) -> list[x509.Certificate]:
        """Answer a charger's CSR (OCPP SignCertificate): the chain, leaf first, without root.

        Common name and organization are taken from the request, the rest from the profile. Raises `BadCsr`.
        """
        csr = read_csr(csr_pem)
        public_key = csr.public_key()
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise BadCsr("the key of the request is not an elliptic-curve key")
        names = [str(each.value) for each in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        organizations = [
            str(each.value) for each in csr.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        ]
        if not names:
            raise BadCsr("the request has no common name")
        return self._certify(
            profile, names[0], public_key, organizations[0] if organizations else None, faults
        )

    def _certify(
        self,
        kind: CsrProfile,
        common_name: str,
        public_key: ec.EllipticCurvePublicKey,
        organization: str | None,
        faults: Faults,
    ) -> list[x509.Certificate]:
        issuer = self.credentials["cpo/sub_ca2" if kind == "secc" else "csms/root"]
        certificate = issue.build(
            profile.SECC if kind == "secc" else profile.CHARGER_TLS,
            common_name,
            public_key,
            issuer,
            issuer.private_key,
            organization=organization,
            ocsp_url=self.ocsp_url if kind == "secc" else None,
            faults=faults,
        )
        return [certificate, *issue.upwards(issuer)]

    def faulty(self, kind: Literal["contract", "secc", "oem"], fault: str) -> Credential:
        """A credential with one named fault of `faults.FAULTS`; raises KeyError for a name that is not
        there.
        """
        return faulty_credential(self, kind, fault)

    def issuers(self) -> list[Credential]:
        """Every CA of the bench, for the OCSP responder and for looking up issuers."""
        return [each for name, each in self.credentials.items() if name.rpartition("/")[2] in store.CA_NAMES]

    @staticmethod
    def new_emaid(prefix: str = "DEPBX") -> str:
        """A random valid eMAID of 15 characters; `prefix` is country and provider."""
        return emaid_module.with_check_character(f"{prefix}C{secrets.randbelow(10**8):08d}")


def read_csr(csr_pem: str | bytes) -> x509.CertificateSigningRequest:
    """Parse a PEM (or DER) CSR and verify its own signature; raises `BadCsr`."""
    data = csr_pem.encode("utf-8", "replace") if isinstance(csr_pem, str) else csr_pem
    if len(data) > _MAX_CSR_BYTES:
        raise BadCsr(f"a request of {len(data)} bytes is larger than {_MAX_CSR_BYTES}")
    try:
        pem = data.lstrip().startswith(b"-----")
        csr = x509.load_pem_x509_csr(data) if pem else x509.load_der_x509_csr(data)
        if not csr.is_signature_valid:
            raise BadCsr("the signature of the request does not verify")
        csr.public_key()
        list(csr.subject)
    except BadCsr:
        raise
    except UNREADABLE as error:
        raise BadCsr(f"not a readable certificate signing request ({error})") from error
    return csr
