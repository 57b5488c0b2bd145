"""The OCPP 2.0.1 client: connects, boots, keeps in touch, and is the `Backend` of the charger's V2G side.

B01 to B04, C01, C07, E12, G02, M01; connecting again as part 4, 5.3 wants it. Certificates are the business
of `certificates.py`, what the backend asks for that of `commands.py`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import random
import ssl
import urllib.parse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from bench.charger.backend import (
    Authorization,
    BackendUnavailable,
    ConnectorStatus,
    CsmsLink,
    HashData,
    IdToken,
    ProvisioningAnswer,
    StopReason,
    SuspendedBy,
)
from bench.charger.ocpp.auth_cache import AuthCache
from bench.charger.ocpp.certificates import Certificates
from bench.charger.ocpp.commands import Commands
from bench.charger.ocpp.outbox import Outbox
from bench.charger.ocpp.rpc import LinkLostError, Rpc, RpcError
from bench.charger.transaction import TransactionManager, timestamp
from bench.charger.variables import DeviceModel
from bench.csms.security import load_credential

if TYPE_CHECKING:
    from typing import Literal

    from bench.charger.model import Charger

OPEN_TIMEOUT_S = 5.0
MAX_FRAME_BYTES = 512 * 1024
DEFAULT_BOOT_INTERVAL_S = 10.0

log = logging.getLogger("plugbench.charger.ocpp")


class OcppBackend:
    """The client. `variables`, `transactions`, `certificates`, `commands` and `cache` are its parts.

    Policies that a defect may replace are plain methods or attributes: `authorize_payload`,
    `exi_for_backend`, `status_payload`, `unreadable_frame`, `invalid_answer`, `on_link_lost`.
    """

    def __init__(self, charger: Charger, link: CsmsLink) -> None:
        self.charger = charger
        self.link = link
        variables = charger.variables
        if not isinstance(variables, DeviceModel):
            raise TypeError("the OCPP client needs the charger's DeviceModel")
        self.variables = variables
        self.outbox = Outbox()
        self.transactions = TransactionManager(charger.meter, self._emit, lambda: self.online)
        self.cache = AuthCache(lambda: variables.number("AuthCacheCtrlr", "LifeTime"))
        self.certificates = Certificates(self)
        self.commands = Commands(self)
        self.on_link_lost: list[Callable[[], None]] = []
        self.status: ConnectorStatus = "Available"
        self.boot_reason = "PowerUp"
        self.booted = False
        self._told_status: ConnectorStatus | None = None
        self._password = link.password
        self._rpc: Rpc | None = None
        self._accepted = asyncio.Event()
        self._heartbeat_changed = asyncio.Event()
        self._sampling_changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._dead = False
        variables.on_change.append(lambda _: self._settings_changed())
        self.transactions.on_change.append(self._sampling_changed.set)

    # Life.

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        for work in (self._keep_connected(), self._send_outbox(), self._sample()):
            self.spawn(work)

    async def close(self) -> None:
        """End the connection; safe to call twice."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._accepted.clear()

    def die(self) -> None:
        """End for good without a word, as a crashed process would (only defects call this)."""
        self._dead = True
        self._accepted.clear()
        for task in self._tasks:
            task.cancel()

    def spawn(self, work: Any) -> None:
        """Run a coroutine until the client closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the OCPP client failed", exc_info=error)

    @property
    def online(self) -> bool:
        """Connected, and BootNotification was accepted."""
        return self._accepted.is_set()

    def _settings_changed(self) -> None:
        self._heartbeat_changed.set()
        self._sampling_changed.set()
        password = self.variables.text("SecurityCtrlr", "BasicAuthPassword")
        if password:  # A01.FR.02: the new one counts from the next connection on
            self._password = password

    # Connecting.

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                await self._session()
                failures = 0
            except InvalidURI as error:
                log.error("%s", error)
                return
            except (OSError, WebSocketException, TimeoutError) as error:  # TLS errors are OSErrors
                log.info("no connection to the CSMS: %s", error)
                failures += 1
            await asyncio.sleep(self._back_off_s(failures))

    def _back_off_s(self, failures: int) -> float:
        """Part 4, 5.3: a minimum wait, doubled a number of times, plus something random."""
        number = self.variables.number
        doublings = min(failures, int(number("OCPPCommCtrlr", "RetryBackOffRepeatTimes")))
        wait_s: float = number("OCPPCommCtrlr", "RetryBackOffWaitMinimum") * 2 ** max(0, doublings - 1)
        return wait_s + random.uniform(0, number("OCPPCommCtrlr", "RetryBackOffRandomRange"))

    def _tls(self) -> ssl.SSLContext | None:
        if not self.link.url.startswith("wss:"):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and host name (A00.FR.308, 309)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        roots = self.charger.store.roots("CSMSRoot")
        if roots:
            context.load_verify_locations(
                cadata="".join(each.public_bytes(Encoding.PEM).decode("ascii") for each in roots)
            )
        client = self.charger.store.client
        if client is not None:
            load_credential(context, client.chain_pem, client.key_pem)
        return context

    async def _session(self) -> None:
        url = f"{self.link.url.rstrip('/')}/{urllib.parse.quote(self.link.station_id, safe='')}"
        headers = {}
        if self._password:
            secret = base64.b64encode(f"{self.link.station_id}:{self._password}".encode()).decode("ascii")
            headers["Authorization"] = f"Basic {secret}"
        try:
            async with connect(
                url,
                subprotocols=[Subprotocol("ocpp2.0.1")],
                additional_headers=headers,
                ssl=self._tls(),
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=1.0,
                max_size=MAX_FRAME_BYTES,
                ping_interval=None,
                proxy=None,
            ) as socket:
                await self._converse(socket)
        except ssl.SSLCertVerificationError as error:
            self.security_event("InvalidCsmsCertificate", str(error.verify_message))  # A00.FR.310
            raise

    async def _converse(self, socket: ClientConnection) -> None:
        rpc = Rpc(
            socket,
            self.commands.find,
            on_unreadable=self.unreadable_frame,
            on_invalid_answer=self.invalid_answer,
        )
        self._rpc = rpc
        reader = asyncio.create_task(rpc.run())
        helper = asyncio.create_task(self._in_touch(rpc))
        try:
            await asyncio.wait({reader, helper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_online = self.online
            self._accepted.clear()
            self._rpc = None
            for task in (reader, helper):
                task.cancel()
            results = await asyncio.gather(reader, helper, return_exceptions=True)
            if was_online:
                for callback in tuple(self.on_link_lost):
                    callback()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, RpcError):
                raise result

    async def _in_touch(self, rpc: Rpc) -> None:
        """Boot where that is due, then heartbeats until the link ends."""
        if not self.booted:  # part 4, 5.3: connecting again is no boot
            await self._boot(rpc)
        self._accepted.set()
        if self._told_status != self.status:
            self.tell_status()
        while True:
            interval_s = self.variables.number("OCPPCommCtrlr", "HeartbeatInterval")
            self._heartbeat_changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s if interval_s > 0 else None):
                    await self._heartbeat_changed.wait()
                    continue
            try:
                await rpc.call("Heartbeat", {}, self.timeout_s)
            except LinkLostError:
                return
            except RpcError as error:
                log.info("Heartbeat: %s", error)

    async def _boot(self, rpc: Rpc) -> None:
        """BootNotification until it is accepted, at the interval that the backend names (B01 to B03)."""
        while True:
            interval_s = DEFAULT_BOOT_INTERVAL_S
            try:
                answer = await rpc.call("BootNotification", self.boot_payload(), self.timeout_s)
            except LinkLostError:
                raise
            except RpcError as error:
                log.info("BootNotification: %s", error)
            else:
                interval_s = float(answer["interval"]) or DEFAULT_BOOT_INTERVAL_S
                if answer["status"] == "Accepted":
                    self.booted = True
                    self.variables.put("OCPPCommCtrlr", "HeartbeatInterval", min(interval_s, 86_400.0))
                    return
            await asyncio.sleep(min(interval_s, 86_400.0))

    def boot_payload(self) -> dict[str, Any]:
        """BootNotificationRequest of this charger."""
        profile = self.charger.profile
        return {
            "reason": self.boot_reason,
            "chargingStation": {
                "vendorName": profile.vendor[:50],
                "model": profile.model[:20],
                "serialNumber": profile.serial[:25],
                "firmwareVersion": profile.firmware[:50],
            },
        }

    def reboot(self, reason: str) -> None:
        """Forget that the backend accepted us and connect anew (B11, B12)."""
        self.booted = False
        self.boot_reason = reason
        self._told_status = None
        if self._rpc is not None:
            self.spawn(self._rpc.close())

    # Calls.

    @property
    def timeout_s(self) -> float:
        """How long to wait for an answer (OCPPCommCtrlr.MessageTimeout)."""
        return self.variables.number("OCPPCommCtrlr", "MessageTimeout")

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Call the backend now; raises BackendUnavailable."""
        rpc = self._rpc
        if rpc is None or not self.online:
            raise BackendUnavailable(f"{action}: offline")
        try:
            return await rpc.call(action, payload, self.timeout_s)
        except RpcError as error:
            raise BackendUnavailable(f"{action}: {error}") from error

    def unreadable_frame(self, text: str) -> None:
        """What is no frame is noted and otherwise ignored."""
        log.info("unreadable frame from the CSMS: %.100s", text)

    def invalid_answer(self, action: str, payload: dict[str, Any]) -> None:
        """An answer that breaks its schema is noted; the call counts as unanswered."""
        log.info("unusable answer to %s, fields %s", action, list(payload)[:10])

    async def _send_outbox(self) -> None:
        while True:
            entry = await self.outbox.first()
            await self._accepted.wait()
            rpc = self._rpc
            if rpc is None:
                await asyncio.sleep(0)
                continue
            try:
                answer = await rpc.call(entry.action, entry.payload, self.timeout_s)
            except LinkLostError:
                await asyncio.sleep(0)  # lets the session notice; the entry stays (E12.FR.06)
                continue
            except RpcError as error:
                entry.attempts += 1
                log.info("%s, attempt %d: %s", entry.action, entry.attempts, error)
                tried = entry.attempts >= self.variables.number("OCPPCommCtrlr", "MessageAttempts")
                if tried or entry.action != "TransactionEvent":  # E13 sends nothing else again
                    self.outbox.done(entry)
                else:  # E13.FR.01: the interval times the number of preceding sends
                    interval_s = self.variables.number("OCPPCommCtrlr", "MessageAttemptInterval")
                    await asyncio.sleep(interval_s * entry.attempts)
                continue
            self.outbox.done(entry)
            if entry.action == "TransactionEvent":
                self._transaction_answered(entry.payload, answer)

    def _transaction_answered(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        info, token = answer.get("idTokenInfo"), request.get("idToken")
        running = self.transactions.active
        if info is None or token is None:
            return
        self.cache.store(IdToken(token["idToken"], token["type"]), info["status"])
        if info["status"] == "Accepted" or not self.variables.flag("TxCtrlr", "StopTxOnInvalidId"):
            return
        if running is not None and running.id == request["transactionInfo"]["transactionId"]:  # C15, E05
            self.transactions.stop_reason = "DeAuthorized"
            self.spawn(self._remote_stop())

    async def _remote_stop(self) -> None:
        await self.charger.remote_stop()

    # What the V2G side asks.

    def authorize_payload(
        self, emaid: str, chain_pem: str | None, hash_data: Sequence[HashData] | None
    ) -> dict[str, Any]:
        """AuthorizeRequest for a contract: hash data after local validation (C07.FR.01, FR.02), or the
        certificate for central validation (C07.FR.06)."""
        payload: dict[str, Any] = {"idToken": {"idToken": emaid, "type": "eMAID"}}
        if hash_data is not None:
            payload["iso15118CertificateHashData"] = [
                {
                    "hashAlgorithm": each.hash_algorithm,
                    "issuerNameHash": each.issuer_name_hash,
                    "issuerKeyHash": each.issuer_key_hash,
                    "serialNumber": each.serial_number,
                    "responderURL": each.responder_url,
                }
                for each in hash_data[:4]
            ]
        elif chain_pem is not None:
            payload["certificate"] = chain_pem
        return payload

    async def authorize_contract(
        self, emaid: str, *, chain_pem: str | None, hash_data: Sequence[HashData] | None
    ) -> Authorization:
        """See `Backend.authorize_contract`."""
        answer = await self.call("Authorize", self.authorize_payload(emaid, chain_pem, hash_data))
        return self._authorization(IdToken(emaid, "eMAID"), answer)

    async def authorize_token(self, token: IdToken) -> Authorization:
        """See `Backend.authorize_token`."""
        payload = {"idToken": {"idToken": token.id_token, "type": token.kind}}
        return self._authorization(token, await self.call("Authorize", payload))

    def _authorization(self, token: IdToken, answer: dict[str, Any]) -> Authorization:
        decision = Authorization(answer["idTokenInfo"]["status"], answer.get("certificateStatus"))
        status = decision.status
        if status == "Accepted" and not decision.accepted:
            status = "Invalid"  # the token may be good, but not with this certificate
        self.cache.store(token, status)
        return decision

    def known_offline(self, token: IdToken) -> bool:
        """See `Backend.known_offline`."""
        flag = self.variables.flag
        return (
            flag("AuthCacheCtrlr", "Enabled")
            and flag("AuthCtrlr", "LocalAuthorizeOffline")
            and self.cache.status(token) == "Accepted"
        )

    def exi_for_backend(self, exi_request: bytes) -> bytes:
        """The EV's message goes to the backend as it came (M01.FR.01)."""
        return exi_request

    async def get_15118_ev_certificate(
        self, schema_version: str, action: Literal["Install", "Update"], exi_request: bytes
    ) -> ProvisioningAnswer:
        """See `Backend.get_15118_ev_certificate`."""
        payload = {
            "iso15118SchemaVersion": schema_version,
            "action": action,
            "exiRequest": base64.b64encode(self.exi_for_backend(exi_request)).decode("ascii"),
        }
        answer = await self.call("Get15118EVCertificate", payload)
        try:
            exi = base64.b64decode(answer["exiResponse"], validate=True)
        except ValueError as error:
            raise BackendUnavailable("Get15118EVCertificate: exiResponse is not base64") from error
        return ProvisioningAnswer(answer["status"], exi or None)

    # What happens at the charger.

    def _emit(self, payload: dict[str, Any]) -> None:
        self.outbox.put("TransactionEvent", payload)

    def plugged_in(self) -> None:
        """See `Backend.plugged_in`."""
        self.transactions.plugged_in()

    def unplugged(self) -> None:
        """See `Backend.unplugged`."""
        self.transactions.unplugged()

    def authorized(self, token: IdToken) -> None:
        """See `Backend.authorized`."""
        self.transactions.authorized(token)

    def charging_started(self) -> None:
        """See `Backend.charging_started`."""
        self.transactions.charging_started()

    def charging_suspended(self, by: SuspendedBy) -> None:
        """See `Backend.charging_suspended`."""
        self.transactions.charging_suspended(by)

    def charging_stopped(self, reason: StopReason) -> None:
        """See `Backend.charging_stopped`."""
        self.transactions.charging_stopped(reason)

    def status_changed(self, status: ConnectorStatus) -> None:
        """See `Backend.status_changed`."""
        self.status = status
        if self.online and status != self._told_status:
            self.tell_status()

    def status_payload(self) -> dict[str, Any]:
        """StatusNotificationRequest of the connector."""
        return {
            "timestamp": timestamp(),
            "connectorStatus": self.status,
            "evseId": 1,
            "connectorId": 1,
        }

    def tell_status(self) -> None:
        """Queue a StatusNotification with the present status."""
        self._told_status = self.status
        self.outbox.put("StatusNotification", self.status_payload())

    def security_event(self, kind: str, info: str = "") -> None:
        """Queue a SecurityEventNotification (A04.FR.02: also when offline)."""
        payload: dict[str, Any] = {"type": kind[:50], "timestamp": timestamp()}
        if info:
            payload["techInfo"] = info[:255]
        self.outbox.put("SecurityEventNotification", payload)

    async def _sample(self) -> None:
        """A sample every SampledDataCtrlr.TxUpdatedInterval seconds while a transaction runs; 0 means
        none."""
        while True:
            self._sampling_changed.clear()
            interval_s = self.variables.number("SampledDataCtrlr", "TxUpdatedInterval")
            wanted = self.transactions.active is not None and interval_s > 0
            try:
                async with asyncio.timeout(interval_s if wanted else None):
                    await self._sampling_changed.wait()
            except TimeoutError:
                self.transactions.sample()
