"""Defects of the OCPP client: what it tells the backend, and how it obeys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from bench.charger.backend import HashData, IdToken, StopReason
from bench.charger.defects import UnknownDefect, defect
from bench.charger.ocpp.certificates import CertificateType
from bench.charger.ocpp.client import OcppBackend
from bench.charger.ocpp.rpc import After
from bench.charger.transaction import Context, Transaction
from bench.csms.hashdata import hash_data, same

if TYPE_CHECKING:
    from bench.charger.model import Charger


class NeedsCsms(UnknownDefect):
    """The defect is one of the OCPP client, and the charger has none."""


def _client(charger: Charger) -> OcppBackend:
    backend = charger.backend
    if not isinstance(backend, OcppBackend):
        raise NeedsCsms("this defect is one of the OCPP client: give the charger a CSMS (--csms URL)")
    return backend


def _replace(owner: object, name: str, policy: object) -> None:
    """Put `policy` in the place of a method of one object; the class stays as it is."""
    setattr(owner, name, policy)


@defect("transaction-never-ended", protocol="ocpp", wrong="the Ended event of a transaction is never sent")
def transaction_never_ended(charger: Charger) -> None:
    """PNC-010."""

    def end(_: StopReason) -> None:
        return None

    _replace(_client(charger).transactions, "end", end)


@defect(
    "authorize-without-hash-data",
    protocol="ocpp",
    wrong="Authorize after local validation has the eMAID but no iso15118CertificateHashData",
)
def authorize_without_hash_data(charger: Charger) -> None:
    """PNC-020."""
    client = _client(charger)
    good = client.authorize_payload

    def payload(emaid: str, chain_pem: str | None, hash_data: Sequence[HashData] | None) -> dict[str, Any]:
        made = good(emaid, chain_pem, hash_data)
        made.pop("iso15118CertificateHashData", None)
        return made

    _replace(client, "authorize_payload", payload)


@defect(
    "central-validation-without-certificate",
    protocol="ocpp",
    wrong="Authorize for central validation has the eMAID but no certificate",
)
def central_validation_without_certificate(charger: Charger) -> None:
    """PNC-021."""
    client = _client(charger)
    good = client.authorize_payload

    def payload(emaid: str, chain_pem: str | None, hash_data: Sequence[HashData] | None) -> dict[str, Any]:
        made = good(emaid, chain_pem, hash_data)
        made.pop("certificate", None)
        return made

    _replace(client, "authorize_payload", payload)


@defect(
    "transaction-without-emaid",
    protocol="ocpp",
    wrong="transactions of a contract do not name the eMAID token",
)
def transaction_without_emaid(charger: Charger) -> None:
    """PNC-024."""
    transactions = _client(charger).transactions
    good = transactions.id_token

    def id_token(token: IdToken) -> dict[str, str] | None:
        return None if token.kind == "eMAID" else good(token)

    _replace(transactions, "id_token", id_token)


@defect(
    "offline-replay-without-flag",
    protocol="ocpp",
    wrong="events that happened offline are sent later without offline=true",
)
def offline_replay_without_flag(charger: Charger) -> None:
    """PNC-025."""
    _replace(_client(charger).transactions, "happened_offline", lambda: False)


@defect(
    "ocpp-dies-on-malformed-answer",
    protocol="ocpp",
    wrong="an answer that is no JSON ends the OCPP client for good",
)
def dies_on_malformed_answer(charger: Charger) -> None:
    """PNC-027."""
    client = _client(charger)

    def unreadable_frame(_: str) -> None:
        client.die()

    _replace(client, "unreadable_frame", unreadable_frame)


@defect(
    "csr-keeps-old-certificate",
    protocol="ocpp",
    wrong="a new SECC certificate is Accepted but never put in use",
)
def csr_keeps_old_certificate(charger: Charger) -> None:
    """PNC-056."""

    def put_in_use(
        kind: CertificateType, chain: Sequence[x509.Certificate], key: ec.EllipticCurvePrivateKey
    ) -> None:
        return None

    _replace(_client(charger).certificates, "put_in_use", put_in_use)


@defect(
    "accepts-unfit-signed-certificate",
    protocol="ocpp",
    wrong="CertificateSigned is Accepted whatever the chain, validity and profile of the certificate",
)
def accepts_unfit_signed_certificate(charger: Charger) -> None:
    """PNC-057."""
    certificates = _client(charger).certificates
    good = certificates.signed

    def signed(kind: CertificateType, pem: str) -> tuple[str, str | None]:
        good(kind, pem)
        return "Accepted", None

    _replace(certificates, "signed", signed)
    _replace(certificates, "chain_problem", lambda kind, chain: None)


@defect(
    "get15118-request-altered",
    protocol="ocpp",
    wrong="the EV's EXI message reaches the backend with a byte appended",
)
def get15118_request_altered(charger: Charger) -> None:
    """PNC-061."""
    _replace(_client(charger), "exi_for_backend", lambda exi_request: exi_request + b"\0")


@defect(
    "dies-on-large-exi-response",
    protocol="ocpp",
    wrong="an exiResponse longer than OCPP allows ends the OCPP client for good",
)
def dies_on_large_exi_response(charger: Charger) -> None:
    """PNC-065."""
    client = _client(charger)

    def invalid_answer(action: str, payload: dict[str, Any]) -> None:
        if action == "Get15118EVCertificate":
            client.die()

    _replace(client, "invalid_answer", invalid_answer)


@defect("installed-root-not-listed", protocol="ocpp", wrong="GetInstalledCertificateIds leaves out V2G roots")
def installed_root_not_listed(charger: Charger) -> None:
    """PNC-070."""
    certificates = _client(charger).certificates
    good = certificates.listed

    def listed(uses: Sequence[str] | None) -> list[dict[str, Any]]:
        return [each for each in good(uses) if each["certificateType"] != "V2GRootCertificate"]

    _replace(certificates, "listed", listed)


@defect(
    "deleted-root-still-trusted",
    protocol="ocpp",
    wrong="a deleted root is no longer listed, but contracts under it are still accepted",
)
def deleted_root_still_trusted(charger: Charger) -> None:
    """PNC-071."""
    certificates = _client(charger).certificates
    good_listed, good_install = certificates.listed, certificates.install
    hidden: list[dict[str, Any]] = []

    def delete(data: dict[str, Any]) -> str:
        found = certificates.find_root(data)
        mine = hash_data(found[1], found[1]) if found is not None else None
        if mine is None or any(same(mine, each) for each in hidden):
            return "NotFound"
        hidden.append(mine)
        return "Accepted"

    def install(use: str, pem: str) -> tuple[str, str | None]:
        status, why = good_install(use, pem)
        if status == "Accepted":  # it is listed again
            (root,) = x509.load_pem_x509_certificates(pem.encode())
            hidden[:] = [each for each in hidden if not same(hash_data(root, root), each)]
        return status, why

    def listed(uses: Sequence[str] | None) -> list[dict[str, Any]]:
        return [
            each
            for each in good_listed(uses)
            if not any(same(each["certificateHashData"], gone) for gone in hidden)
        ]

    _replace(certificates, "delete", delete)
    _replace(certificates, "install", install)
    _replace(certificates, "listed", listed)


@defect("installs-expired-root", protocol="ocpp", wrong="InstallCertificate accepts a root that has expired")
def installs_expired_root(charger: Charger) -> None:
    """PNC-072."""
    certificates = _client(charger).certificates
    good = certificates.root_problem

    def root_problem(certificate: x509.Certificate) -> str | None:
        problem = good(certificate)
        return None if problem == "expired" else problem

    _replace(certificates, "root_problem", root_problem)


@defect(
    "ocpp-energy-in-kwh",
    protocol="ocpp",
    wrong="Energy.Active.Import.Register says Wh, but its value is in kWh",
)
def ocpp_energy_in_kwh(charger: Charger) -> None:
    """PNC-083."""
    transactions = _client(charger).transactions
    good = transactions.register_wh
    _replace(transactions, "register_wh", lambda context: good(context) / 1000.0)


@defect(
    "remote-stop-ignored", protocol="ocpp", wrong="RequestStopTransaction is Accepted, and charging goes on"
)
def remote_stop_ignored(charger: Charger) -> None:
    """PNC-094."""
    client = _client(charger)
    good = client.commands.table["RequestStopTransaction"]

    async def request_stop(call: dict[str, Any]) -> tuple[dict[str, Any], After | None]:
        answer, _ = await good(call)
        return answer, None

    client.commands.table["RequestStopTransaction"] = request_stop


@defect(
    "stops-on-backend-loss",
    protocol="ocpp",
    wrong="losing the connection to the backend ends the charging session",
)
def stops_on_backend_loss(charger: Charger) -> None:
    """PNC-101."""
    client = _client(charger)

    async def stop() -> None:
        if client.transactions.active is not None:
            await charger.remote_stop()

    client.on_link_lost.append(lambda: client.spawn(stop()))


@defect(
    "ocpp-seqno-repeats",
    protocol="ocpp",
    wrong="the second event of a transaction has the seqNo of the first",
)
def ocpp_seqno_repeats(charger: Charger) -> None:
    """RUL-06."""
    transactions = _client(charger).transactions
    good = transactions.next_seq_no
    _replace(transactions, "next_seq_no", lambda transaction: _repeating(good, transaction))


def _repeating(good: Any, transaction: Transaction) -> int:
    number = int(good(transaction))
    return max(0, number - 1)


@defect(
    "ocpp-meter-goes-back",
    protocol="ocpp",
    wrong="each periodic sample shows 1 Wh less than the reading reported before it",
)
def ocpp_meter_goes_back(charger: Charger) -> None:
    """RUL-07: only periodic samples, so that begin, end and the energy between them stay right."""
    transactions = _client(charger).transactions
    good = transactions.register_wh
    last_wh = 0.0

    def register_wh(context: Context) -> float:
        nonlocal last_wh
        last_wh = last_wh - 1.0 if context == "Sample.Periodic" else good(context)
        return last_wh

    _replace(transactions, "register_wh", register_wh)


@defect(
    "ocpp-invalid-payload",
    protocol="ocpp",
    wrong="StatusNotification has a timestamp that is no ISO 8601 date-time",
)
def ocpp_invalid_payload(charger: Charger) -> None:
    """RUL-08: in a message that nothing else depends on."""
    client = _client(charger)
    good = client.status_payload

    def status_payload() -> dict[str, Any]:
        payload = good()
        return {**payload, "timestamp": payload["timestamp"].replace("T", " ").replace("Z", "")}

    _replace(client, "status_payload", status_payload)
