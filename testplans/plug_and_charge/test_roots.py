"""Roots in the charger's store, as the backend manages them: install, list, delete."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from bench.csms import hashdata
from bench.csms.behaviour import Answer
from bench.pki import issue, profile
from bench.plan import Expect, Inconclusive, testcase
from testplans.plug_and_charge.journeys import (
    accepts,
    faulty_contract,
    is_authorized,
    pay_by_contract,
    refuses,
)

if TYPE_CHECKING:
    from cryptography import x509

    from bench.csms import Csms
    from bench.pki import Pki
    from fixtures.car import Car
    from fixtures.charger_state import ChargerState

V2G, MO = "V2GRootCertificate", "MORootCertificate"
VOUCHED_FOR = {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "Accepted"}
"""What a backend says that knows the root: the charger's own store decides in these cases."""
UNKNOWN_ROOT = ("FAILED_CertChainError", "FAILED_NoCertificateAvailable")


@testcase(
    "PNC-070",
    requires=["M05.FR.01", "M05.FR.02", "M03.FR.01", "M04.FR.01"],
    source="TC_M_03_CS, TC_M_14_CS, TC_M_20_CS",
    confidence="source",
    areas=["trust"],
    defects=["installed-root-not-listed"],
)
def test_v2g_root_is_installed_listed_and_deleted(
    csms: Csms, charger_state: ChargerState, expect: Expect
) -> None:
    """A V2G root can be installed, is then listed, and can be deleted.

    Precondition: charger online.
    Stimulus: InstallCertificate of a new V2G root, GetInstalledCertificateIds, DeleteCertificate,
    GetInstalledCertificateIds.
    Expected: Accepted, the hash data of the root in the list, Accepted, no longer in the list.
    """
    root = _new_root("Plugbench second V2G Root")
    charger_state.later(
        "delete the V2G root", lambda: csms.delete_certificate(hashdata.hash_data(root, root))
    )
    expect(csms.install_certificate(V2G, _pem(root)), "InstallCertificate").to_be("Accepted")
    listed = _listed(csms, V2G, root)
    expect.that(listed is not None, "the installed root is listed")
    expect(csms.delete_certificate(listed or {}), "DeleteCertificate").to_be("Accepted")
    expect.that(_listed(csms, V2G, root) is None, "the deleted root is no longer listed")


@testcase(
    "PNC-071",
    requires=["M05.FR.01", "M04.FR.01", "C07.FR.01"],
    source="TC_M_04_CS, TC_M_20_CS, EV_201_PNC_04; PKI2-07",
    confidence="source",
    areas=["trust", "backend"],
    defects=["deleted-root-still-trusted"],
)
def test_deleted_mo_root_is_no_longer_trusted(
    ev: Car, csms: Csms, pki: Pki, charger_state: ChargerState, expect: Expect
) -> None:
    """A contract is good while its MO root is installed, and no longer when that is deleted.

    Precondition: charger online, central contract validation off; a contract under a new MO root, which
    the backend vouches for and the charger refuses.
    Stimulus: a contract under a root that is installed; the root is deleted; the same contract again.
    Expected: the contract is accepted, then refused with FAILED_CertChainError or
    FAILED_NoCertificateAvailable.
    """
    contract = faulty_contract(pki, csms, "unknown-root")
    csms.on("Authorize", Answer(VOUCHED_FOR))
    charger_state.set_variable("ISO15118Ctrlr", "CentralContractValidationAllowed", False)
    if is_authorized(pay_by_contract(ev.plug_in(contract=contract))):
        raise Inconclusive("the contract is accepted without its root: PNC-033 judges that")
    ev.unplug()
    charger_state.install_certificate(MO, _pem(contract.root))
    accepts(expect, ev, ev.plug_in(contract=contract))
    ev.unplug()
    listed = _listed(csms, MO, contract.root)
    if listed is None:
        raise Inconclusive("the charger does not list the MO root that it took")
    expect(csms.delete_certificate(listed), "DeleteCertificate").to_be("Accepted")
    refuses(expect, ev, ev.plug_in(contract=contract), *UNKNOWN_ROOT)


@testcase(
    "PNC-072",
    requires=["M05"],
    source="TC_M_07_CS, EV_201_M05_EXPIRED",
    confidence="source",
    areas=["trust"],
    defects=["installs-expired-root"],
)
def test_expired_root_is_not_installed(csms: Csms, charger_state: ChargerState, expect: Expect) -> None:
    """An expired root is not taken into the store.

    Precondition: charger online.
    Stimulus: InstallCertificate of a V2G root that expired yesterday.
    Expected: Rejected or Failed, and the root is not listed.
    """
    root = _new_root("Plugbench former V2G Root", not_after=datetime.now(UTC) - timedelta(days=1))
    charger_state.later(
        "delete the V2G root", lambda: csms.delete_certificate(hashdata.hash_data(root, root))
    )
    status = csms.install_certificate(V2G, _pem(root))
    expect(status, "InstallCertificate of an expired root").to_be_one_of("Rejected", "Failed")
    expect.that(_listed(csms, V2G, root) is None, "the expired root is not listed")


def _new_root(common_name: str, *, not_after: datetime | None = None) -> x509.Certificate:
    """A V2G root that no charger has seen, with its own key."""
    key = issue.new_key()
    faults: issue.Faults = {} if not_after is None else {"not_after": not_after}
    return issue.build(profile.root("V2G"), common_name, key.public_key(), None, key, faults=faults)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _listed(csms: Csms, kind: str, root: x509.Certificate) -> Mapping[str, Any] | None:
    """The charger's own hash data of `root`, with the algorithm that it chose; None when it is not listed."""
    for entry in csms.installed_certificates([kind]):
        data: Mapping[str, Any] = entry.certificateHashData
        if any(hashdata.same(data, hashdata.hash_data(root, root, name)) for name in hashdata.ALGORITHMS):
            return data
    return None
