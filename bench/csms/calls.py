"""Calls to the charger with names: what a plan would otherwise spell out as payloads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.csms.errors import CsmsError
from bench.csms.payload import Payload

CERTIFICATE_USES = {
    "V2GRoot": "V2GRootCertificate",
    "MORoot": "MORootCertificate",
    "CSMSRoot": "CSMSRootCertificate",
    "ManufacturerRoot": "ManufacturerRootCertificate",
}
"""Short names for InstallCertificateUseEnumType; the full ones are taken too."""


def certificate_use(name: str) -> str:
    """The enumeration value for a short or full name."""
    return CERTIFICATE_USES.get(name, name)


class Calls:
    """Mixin of the CSMS. All methods raise what `call` raises: CallError, CsmsTimeout, NotConnected."""

    _remote_start_id = 0

    def call(self, action: str, payload: Mapping[str, Any] | None = None, timeout_s: float = 5.0) -> Payload:
        """Call the charger."""
        raise NotImplementedError

    def set_variable(self, component: str, variable: str, value: object, *, timeout_s: float = 5.0) -> str:
        """SetVariables (B05) for one variable; returns its attributeStatus ("Accepted", "RebootRequired",
        ...)."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        item = {
            "component": {"name": component},
            "variable": {"name": variable},
            "attributeValue": text,
        }
        answer = self.call("SetVariables", {"setVariableData": [item]}, timeout_s)
        return str(_first(answer.setVariableResult).attributeStatus)

    def get_variable(self, component: str, variable: str, *, timeout_s: float = 5.0) -> str | None:
        """GetVariables (B06) for one variable; None unless its attributeStatus is Accepted."""
        item = {"component": {"name": component}, "variable": {"name": variable}}
        answer = self.call("GetVariables", {"getVariableData": [item]}, timeout_s)
        result = _first(answer.getVariableResult)
        value = result.attributeValue if result.attributeStatus == "Accepted" else None
        return None if value is None else str(value)

    def install_certificate(self, kind: str, pem: str | bytes, *, timeout_s: float = 5.0) -> str:
        """InstallCertificate (M05); `kind` "V2GRoot", "MORoot", "CSMSRoot" or "ManufacturerRoot"; returns the
        status."""
        text = pem.decode("ascii", "replace") if isinstance(pem, bytes) else pem
        payload = {"certificateType": certificate_use(kind), "certificate": text}
        return str(self.call("InstallCertificate", payload, timeout_s).status)

    def delete_certificate(self, hash_data: Mapping[str, Any], *, timeout_s: float = 5.0) -> str:
        """DeleteCertificate (M04); returns the status ("Accepted", "NotFound", "Failed")."""
        data = {name: value for name, value in hash_data.items() if name != "responderURL"}
        return str(self.call("DeleteCertificate", {"certificateHashData": data}, timeout_s).status)

    def installed_certificates(
        self, types: Iterable[str] | None = None, *, timeout_s: float = 5.0
    ) -> list[Payload]:
        """GetInstalledCertificateIds (M03): entries with certificateType and certificateHashData; [] when
        NotFound.

        `types` as in `install_certificate`, or "V2GCertificateChain"; all when None.
        """
        payload = {} if types is None else {"certificateType": [certificate_use(each) for each in types]}
        answer = self.call("GetInstalledCertificateIds", payload, timeout_s)
        return list(answer.certificateHashDataChain or [])

    def trigger(self, message: str, *, timeout_s: float = 5.0, **more: Any) -> str:
        """TriggerMessage (F06), e.g. "SignV2GCertificate"; returns the status."""
        return str(self.call("TriggerMessage", {"requestedMessage": message, **more}, timeout_s).status)

    def request_start(
        self, token: str, kind: str = "Central", *, evse_id: int | None = 1, timeout_s: float = 5.0
    ) -> Payload:
        """RequestStartTransaction (F02) for a token; returns the answer (status, transactionId)."""
        self._remote_start_id += 1
        payload: dict[str, Any] = {
            "idToken": {"idToken": token, "type": kind},
            "remoteStartId": self._remote_start_id,
        }
        if evse_id is not None:
            payload["evseId"] = evse_id
        return self.call("RequestStartTransaction", payload, timeout_s)

    def request_stop(self, transaction_id: str, *, timeout_s: float = 5.0) -> str:
        """RequestStopTransaction (F03); returns the status."""
        return str(self.call("RequestStopTransaction", {"transactionId": transaction_id}, timeout_s).status)

    def reset(self, kind: str = "Immediate", *, timeout_s: float = 5.0) -> str:
        """Reset (B11, B12), "Immediate" or "OnIdle"; returns the status."""
        return str(self.call("Reset", {"type": kind}, timeout_s).status)


def _first(items: Any) -> Payload:
    if isinstance(items, list) and items and isinstance(items[0], Payload):
        return items[0]
    raise CsmsError("the charger's answer has no result in it")
