"""What the backend may ask of the charger: a table action -> handler (OCPP 2.0.1).

A handler gets a payload that fits the schema and returns the answer and, where something follows after it, a
coroutine function to run once the answer is sent. A defect replaces an entry of `table`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.charger.backend import IdToken
from bench.charger.ocpp.certificates import CertificateType
from bench.charger.ocpp.rpc import After, Handler
from bench.charger.transaction import timestamp

if TYPE_CHECKING:
    from bench.charger.ocpp.client import OcppBackend

Payload = dict[str, Any]
Answer = tuple[Payload, After | None]
REPORT_ENTRIES = 20
"""Variables in one NotifyReport."""


def _status(status: str, reason: str | None = None, info: str | None = None) -> Payload:
    answer: Payload = {"status": status}
    if reason is not None:
        answer["statusInfo"] = {"reasonCode": reason[:20]}
        if info:
            answer["statusInfo"]["additionalInfo"] = info[:512]
    return answer


class Commands:
    """The handlers of one client."""

    def __init__(self, client: OcppBackend) -> None:
        self._client = client
        self.table: dict[str, Handler] = {
            "CertificateSigned": self.certificate_signed,
            "ClearCache": self.clear_cache,
            "DeleteCertificate": self.delete_certificate,
            "GetBaseReport": self.get_base_report,
            "GetInstalledCertificateIds": self.get_installed_certificate_ids,
            "GetLocalListVersion": self.get_local_list_version,
            "GetTransactionStatus": self.get_transaction_status,
            "GetVariables": self.get_variables,
            "InstallCertificate": self.install_certificate,
            "RequestStartTransaction": self.request_start,
            "RequestStopTransaction": self.request_stop,
            "Reset": self.reset,
            "SetVariables": self.set_variables,
            "TriggerMessage": self.trigger_message,
        }

    def find(self, action: str) -> Handler | None:
        """The handler of an action, or None."""
        return self.table.get(action)

    async def set_variables(self, call: Payload) -> Answer:
        """B05."""
        results = []
        for item in call["setVariableData"]:
            component, variable = item["component"]["name"], item["variable"]["name"]
            attribute = item.get("attributeType", "Actual")
            status = self._client.variables.set(component, variable, item["attributeValue"], attribute)
            results.append(
                {
                    "attributeType": attribute,
                    "attributeStatus": status,
                    "component": item["component"],
                    "variable": item["variable"],
                }
            )
        return {"setVariableResult": results}, None

    async def get_variables(self, call: Payload) -> Answer:
        """B06."""
        results = []
        for item in call["getVariableData"]:
            component, variable = item["component"]["name"], item["variable"]["name"]
            attribute = item.get("attributeType", "Actual")
            status, value = self._client.variables.get(component, variable, attribute)
            result = {
                "attributeType": attribute,
                "attributeStatus": status,
                "component": item["component"],
                "variable": item["variable"],
            }
            if value is not None:
                result["attributeValue"] = value
            results.append(result)
        return {"getVariableResult": results}, None

    async def get_base_report(self, call: Payload) -> Answer:
        """B07: the whole device model, in parts."""
        if call["reportBase"] == "SummaryInventory":
            return _status("NotSupported"), None
        entries = [
            {
                "component": {"name": each.component},
                "variable": {"name": each.name},
                "variableAttribute": [
                    {"type": "Actual", "mutability": each.mutability}
                    | ({"value": each.value} if each.mutability != "WriteOnly" else {})
                ],
                "variableCharacteristics": {"dataType": each.kind, "supportsMonitoring": False},
            }
            for each in self._client.variables
        ]
        parts = [entries[at : at + REPORT_ENTRIES] for at in range(0, len(entries), REPORT_ENTRIES)]

        async def send() -> None:
            for number, part in enumerate(parts):
                report = {
                    "requestId": call["requestId"],
                    "generatedAt": timestamp(),
                    "seqNo": number,
                    "tbc": number + 1 < len(parts),
                    "reportData": part,
                }
                self._client.outbox.put("NotifyReport", report)

        return _status("Accepted"), send

    async def install_certificate(self, call: Payload) -> Answer:
        """M05."""
        status, why = self._client.certificates.install(call["certificateType"], call["certificate"])
        return _status(status, None if why is None else "InvalidCertificate", why), None

    async def delete_certificate(self, call: Payload) -> Answer:
        """M04."""
        return _status(self._client.certificates.delete(call["certificateHashData"])), None

    async def get_installed_certificate_ids(self, call: Payload) -> Answer:
        """M03."""
        entries = self._client.certificates.listed(call.get("certificateType"))
        if not entries:
            return _status("NotFound"), None
        return {"status": "Accepted", "certificateHashDataChain": entries}, None

    async def certificate_signed(self, call: Payload) -> Answer:
        """A02, A03."""
        kind: CertificateType = call.get("certificateType", "ChargingStationCertificate")
        status, why = self._client.certificates.signed(kind, call["certificateChain"])
        if why is None:
            return _status(status), None

        async def tell() -> None:
            self._client.security_event("InvalidChargingStationCertificate", why)  # A02.FR.07

        return _status(status, "InvalidCertificate", why), tell

    async def trigger_message(self, call: Payload) -> Answer:
        """F06."""
        client, wanted = self._client, call["requestedMessage"]
        after: After | None = None
        if wanted in ("SignV2GCertificate", "SignChargingStationCertificate"):
            kind: CertificateType = (
                "V2GCertificate" if wanted == "SignV2GCertificate" else "ChargingStationCertificate"
            )

            async def sign() -> None:
                client.spawn(client.certificates.request(kind))

            after = sign
        elif wanted == "StatusNotification":

            async def tell() -> None:
                client.tell_status()

            after = tell
        elif wanted == "Heartbeat":

            async def beat() -> None:
                client.outbox.put("Heartbeat", {})

            after = beat
        elif wanted == "BootNotification" and not client.booted:

            async def boot() -> None:
                client.outbox.put("BootNotification", client.boot_payload())

            after = boot
        elif wanted == "BootNotification":
            return _status("Rejected", "Accepted already"), None  # F06.FR.17
        elif wanted == "TransactionEvent":
            if client.transactions.active is None:
                return _status("Rejected", "NoTransaction"), None

            async def event() -> None:
                client.transactions.triggered()

            after = event
        elif wanted == "MeterValues":

            async def meter() -> None:
                values = [client.transactions.meter_value("Trigger")]
                client.outbox.put("MeterValues", {"evseId": 1, "meterValue": values})

            after = meter
        else:
            return _status("NotImplemented"), None
        return _status("Accepted"), after

    async def request_start(self, call: Payload) -> Answer:
        """F01, F02."""
        client, given = self._client, call["idToken"]
        if client.transactions.active is not None:
            return _status("Rejected", "TxInProgress"), None
        token = IdToken(given["idToken"], given["type"])
        client.transactions.remote_start = (token.id_token, call["remoteStartId"])
        if await client.charger.remote_start(token):
            answer = _status("Accepted")
            if client.transactions.active is not None:
                answer["transactionId"] = client.transactions.active.id  # F02.FR.01, started already
            return answer, None
        client.transactions.remote_start = None
        return _status("Rejected"), None

    async def request_stop(self, call: Payload) -> Answer:
        """F03: the answer comes first, then the charger stops."""
        running = self._client.transactions.active
        if running is None or running.id != call["transactionId"]:
            return _status("Rejected", "TxNotFound"), None

        async def stop() -> None:
            self._client.transactions.stop_reason = "Remote"
            await self._client.charger.remote_stop()

        return _status("Accepted"), stop

    async def get_transaction_status(self, call: Payload) -> Answer:
        """E14."""
        running = self._client.transactions.active
        answer: Payload = {"messagesInQueue": len(self._client.outbox) > 0}
        if "transactionId" in call:
            answer["ongoingIndicator"] = running is not None and running.id == call["transactionId"]
        return answer, None

    async def clear_cache(self, _: Payload) -> Answer:
        """C11."""
        self._client.cache.clear()
        return _status("Accepted"), None

    async def get_local_list_version(self, _: Payload) -> Answer:
        """D02: there is no list, version 0."""
        return {"versionNumber": 0}, None

    async def reset(self, call: Payload) -> Answer:
        """B11, B12."""
        immediate = call["type"] == "Immediate"
        if "evseId" in call:
            return _status("Rejected", "UnsupportedRequest"), None
        scheduled = not immediate and self._client.transactions.active is not None

        async def reset() -> None:
            await self._client.charger.reset(immediate=immediate)
            self._client.reboot("RemoteReset" if immediate else "ScheduledReset")

        return _status("Scheduled" if scheduled else "Accepted"), reset
