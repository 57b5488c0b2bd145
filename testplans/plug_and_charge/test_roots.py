"""Roots in the charger's store, managed by the backend: InstallCertificate, GetInstalledCertificateIds, DeleteCertificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.pki import Credential
from bench.plan import Expect, testcase

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.csms import Csms
    from bench.pki import Pki
    from fixtures.car import Car
    from fixtures.charger_state import ChargerState

V2G, MO = "V2GRootCertificate", "MORootCertificate"
CHAIN_REFUSALS = (
    "FAILED",
    "FAILED_CertChainError",
    "FAILED_NoCertificateAvailable",
    "FAILED_CertificateNotAllowedAtThisEVSE",
)


@testcase(
    "PNC-070",
    requires=["M05.FR.01", "M03.FR.01", "M04.FR.01"],
    source="catalogue octt_pnc TC_M_03_CS, TC_M_14_CS, TC_M_20_CS",
    confidence="source",
    areas=["trust"],
    defects=["installed-root-not-listed"],
)
def test_v2g_root_is_installed_listed_and_deleted(csms: Csms, pki: Pki, expect: Expect) -> None:
    """A V2G root can be installed, is then listed, and can be deleted.

    Precondition: charger online.
    Stimulus: InstallCertificate of a new V2G root, GetInstalledCertificateIds, DeleteCertificate, GetInstalledCertificateIds.
    Expected: Accepted, the hash data of the root in the list, Accepted, no longer in the list.
    """
    root = _new_root(pki.foreign.v2g_root)
    wanted = _hashes(root)
    expect(csms.install_certificate(V2G, root.pem()), "InstallCertificate").to_be("Accepted")
    try:
        expect.that(_listed(csms, V2G, wanted), "the installed root is listed")
    finally:
        status = csms.delete_certificate(wanted)
    expect(status, "DeleteCertificate").to_be("Accepted")
    expect.that(not _listed(csms, V2G, wanted), "the deleted root is no longer listed")


@testcase(
    "PNC-071",
    requires=["M05.FR.01", "M04.FR.01", "C07.FR.01"],
    source="catalogue octt_pnc TC_M_04_CS, TC_M_20_CS; tls_pki_negative PKI2-07",
    confidence="source",
    areas=["trust", "backend"],
    defects=["deleted-root-still-trusted"],
)
def test_deleted_mo_root_is_no_longer_trusted(
    ev: Car,
    csms: Csms,
    pki: Pki,
    charger_state: ChargerState,
    expect: Expect,
    contract_answer: Callable[..., Any],
) -> None:
    """A contract is good while its MO root is installed, and no longer when that is deleted.

    Precondition: charger online, central contract validation off.
    Stimulus: a contract under a root that is installed; the root is deleted; the same contract again.
    Expected: the contract is accepted, then refused.
    """
    contract = pki.foreign.contract
    csms.contracts.accept(contract.emaid)
    charger_state.set_variable("ISO15118Ctrlr", "CentralContractValidationAllowed", False)
    root = Credential.of_root(pki.foreign.mo_root) if hasattr(Credential, "of_root") else pki.foreign.mo_root
    charger_state.install_certificate(MO, _pem(root))
    expect.accepted(contract_answer(ev.plug_in(energy="dc", contract=contract).until("PaymentDetailsReq")))
    ev.unplug()
    expect(csms.delete_certificate(_hashes(root)), "DeleteCertificate").to_be("Accepted")
    session = ev.plug_in(energy="dc", contract=contract).until("PaymentDetailsReq")
    expect.refused(contract_answer(session), *CHAIN_REFUSALS)
    expect.no_energy_delivered()


@testcase(
    "PNC-072",
    requires=["M05.FR.07"],
    source="catalogue octt_pnc TC_M_07_CS, EV_201_M05_EXPIRED",
    confidence="source",
    areas=["trust"],
    defects=["installs-expired-root"],
)
def test_expired_root_is_not_installed(csms: Csms, pki: Pki, expect: Expect) -> None:
    """An expired root is not taken into the store.

    Precondition: charger online.
    Stimulus: InstallCertificate of a V2G root that expired yesterday.
    Expected: Rejected or Failed, and the root is not listed.
    """
    root = _new_root(pki.v2g_root, days_ago=1)
    status = csms.install_certificate(V2G, root.pem())
    wanted = _hashes(root)
    listed = _listed(csms, V2G, wanted)
    if listed:
        csms.delete_certificate(wanted)
    expect(status, "InstallCertificate of an expired root").to_be_one_of("Rejected", "Failed")
    expect.that(not listed, "the expired root is not listed")
