"""A small scripted charger for the tests of the EV: one thread, TCP or TLS on ::1."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from bench.v2g import codec, v2gtp
from bench.v2g.messages import iso2, sap

OK = iso2.responseCode.OK


def V(value: float) -> iso2.PhysicalValue:
    return iso2.PhysicalValue.of(float(value), "V")


def A(value: float) -> iso2.PhysicalValue:
    return iso2.PhysicalValue.of(float(value), "A")


class Close(Exception):
    """Raised by a handler: close the connection instead of answering."""


Handler = Callable[[Any, "FakeSecc"], Any]


class FakeSecc:
    """A conforming charger; `answers[name]` replaces the handler of a request.

    A handler returns a response body, None (silence), bytes (sent raw) or a tuple (body, signature). `frames`
    are the EXI payloads received, `requests` the decoded bodies, `reads` the raw chunks as recv gave them.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Handler] = {}
        self.requests: list[Any] = []
        self.headers: list[Any] = []
        self.payloads: list[bytes] = []
        self.reads: list[bytes] = []
        self.connections = 0
        self.closed_by_peer = threading.Event()
        self.session_id = bytes.fromhex("1122334455667788")
        self.reply_session_id: bytes | None = None
        self.dc = True
        self.notification = "None"
        self.status_code = "EVSE_Ready"
        self.receipt = False
        self.challenge = bytes(range(16))
        self.target_v = 0.0
        self.target_a = 0.0
        self.known_sessions: set[bytes] = set()
        self.payment = ["Contract", "ExternalPayment"]
        self.services: Any = None
        self.energy_wh = 0
        self.problem: BaseException | None = None
        self._tls = tls
        self._listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        self.address = ("::1", self._listener.getsockname()[1])
        self._stop = False
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> FakeSecc:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop = True
        with contextlib.suppress(OSError):
            socket.create_connection(self.address, 0.2).close()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        assert not self._thread.is_alive(), "the fake charger hangs"
        if exc[0] is None and self.problem is not None:
            raise self.problem

    def names(self) -> list[str]:
        return [type(each).__name__ for each in self.requests]

    def sent(self, name: str) -> list[Any]:
        return [each for each in self.requests if type(each).__name__ == name]

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stop:
                connection.close()
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._socket = connection
                self._talk(connection)
            except (OSError, Close, v2gtp.V2GTPError):
                pass
            except BaseException as error:  # shown by the test that used the fake
                self.problem = error
            finally:
                self._socket = None
                connection.close()

    def _talk(self, connection: socket.socket) -> None:
        parser = v2gtp.Parser()
        first = True
        while data := connection.recv(65536):
            self.reads.append(data)
            for _, payload in parser.feed(data):
                self.payloads.append(payload)
                try:
                    message = codec.decode("sap" if first else "iso2", payload)
                    body = message if first else message.Body.BodyElement
                except (codec.CodecError, AttributeError):
                    failed = iso2.SessionStopRes(ResponseCode=iso2.responseCode.FAILED)
                    self._reply(connection, failed)
                    continue
                self.requests.append(body)
                self.headers.append(None if first else message.Header)
                name = type(body).__name__
                handler = self.answers.get(name) or getattr(self, f"on_{name}")
                answer = handler(body, self) if name in self.answers else handler(body)
                first = False
                if answer is not None:
                    self._reply(connection, answer)
        self.closed_by_peer.set()

    def _reply(self, connection: socket.socket, answer: Any) -> None:
        signature = None
        if isinstance(answer, tuple):
            answer, signature = answer
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return
        if isinstance(answer, sap.supportedAppProtocolRes):
            exi = codec.encode(answer, "sap")
        else:
            session_id = self.reply_session_id or self.session_id
            header = iso2.MessageHeader(SessionID=session_id, Signature=signature)
            exi = codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=answer)), "iso2")
        connection.sendall(v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, exi))

    # --- the conforming answers ---

    def dc_status(self) -> Any:
        return iso2.DC_EVSEStatus(
            NotificationMaxDelay=0,
            EVSENotification=iso2.EVSENotification(self.notification),
            EVSEIsolationStatus=iso2.isolationLevel.Valid,
            EVSEStatusCode=iso2.DC_EVSEStatusCode(self.status_code),
        )

    def ac_status(self) -> Any:
        return iso2.AC_EVSEStatus(
            NotificationMaxDelay=0, EVSENotification=iso2.EVSENotification(self.notification), RCD=False
        )

    def status(self) -> Any:
        return self.dc_status() if self.dc else self.ac_status()

    def meter(self) -> Any:
        self.energy_wh += 1
        return iso2.MeterInfo(MeterID="FAKE-1", MeterReading=self.energy_wh)

    def on_supportedAppProtocolReq(self, req: Any) -> Any:
        return sap.supportedAppProtocolRes(
            ResponseCode=sap.responseCode.OK_SuccessfulNegotiation, SchemaID=req.AppProtocol[0].SchemaID
        )

    def on_SessionSetupReq(self, req: Any) -> Any:
        asked = self.headers[-1].SessionID
        joined = asked in self.known_sessions
        self.session_id = asked if joined else (len(self.known_sessions) + 0x51).to_bytes(8, "big")
        self.known_sessions.add(self.session_id)
        code = iso2.responseCode.OK_OldSessionJoined if joined else iso2.responseCode.OK_NewSessionEstablished
        return iso2.SessionSetupRes(ResponseCode=code, EVSEID="DE*FAK*E1", EVSETimeStamp=int(time.time()))

    def on_ServiceDiscoveryReq(self, req: Any) -> Any:
        modes = ["DC_extended", "AC_three_phase_core"]
        return iso2.ServiceDiscoveryRes(
            ResponseCode=OK,
            PaymentOptionList=iso2.PaymentOptionList(
                PaymentOption=[iso2.paymentOption(x) for x in self.payment]
            ),
            ChargeService=iso2.ChargeService(
                ServiceID=1,
                ServiceCategory=iso2.serviceCategory.EVCharging,
                FreeService=False,
                SupportedEnergyTransferMode=iso2.SupportedEnergyTransferMode(
                    EnergyTransferMode=[iso2.EnergyTransferMode(x) for x in modes]
                ),
            ),
            ServiceList=self.services,
        )

    def on_ServiceDetailReq(self, req: Any) -> Any:
        return iso2.ServiceDetailRes(ResponseCode=OK, ServiceID=req.ServiceID)

    def on_PaymentServiceSelectionReq(self, req: Any) -> Any:
        return iso2.PaymentServiceSelectionRes(ResponseCode=OK)

    def on_PaymentDetailsReq(self, req: Any) -> Any:
        return iso2.PaymentDetailsRes(
            ResponseCode=OK, GenChallenge=self.challenge, EVSETimeStamp=int(time.time())
        )

    def on_AuthorizationReq(self, req: Any) -> Any:
        return iso2.AuthorizationRes(ResponseCode=OK, EVSEProcessing=iso2.EVSEProcessing.Finished)

    def schedules(self, tariff: Any = None) -> Any:
        entry = iso2.PMaxScheduleEntry(
            TimeInterval=iso2.RelativeTimeInterval(start=0, duration=86_400),
            PMax=iso2.PhysicalValue.of(60_000.0, "W"),
        )
        one = iso2.SAScheduleTuple(
            SAScheduleTupleID=7, PMaxSchedule=iso2.PMaxSchedule(PMaxScheduleEntry=[entry]), SalesTariff=tariff
        )
        return iso2.SAScheduleList(SAScheduleTuple=[one])

    def parameter(self) -> Any:
        if not self.dc:
            return iso2.AC_EVSEChargeParameter(
                AC_EVSEStatus=self.ac_status(), EVSENominalVoltage=V(230), EVSEMaxCurrent=A(10)
            )
        return iso2.DC_EVSEChargeParameter(
            DC_EVSEStatus=self.dc_status(),
            EVSEMaximumCurrentLimit=A(125),
            EVSEMaximumPowerLimit=iso2.PhysicalValue.of(50_000.0, "W"),
            EVSEMaximumVoltageLimit=V(500),
            EVSEMinimumCurrentLimit=A(0),
            EVSEMinimumVoltageLimit=V(150),
            EVSEPeakCurrentRipple=A(1),
        )

    def on_ChargeParameterDiscoveryReq(self, req: Any) -> Any:
        return iso2.ChargeParameterDiscoveryRes(
            ResponseCode=OK,
            EVSEProcessing=iso2.EVSEProcessing.Finished,
            SASchedules=self.schedules(),
            EVSEChargeParameter=self.parameter(),
        )

    def on_CableCheckReq(self, req: Any) -> Any:
        return iso2.CableCheckRes(
            ResponseCode=OK, DC_EVSEStatus=self.dc_status(), EVSEProcessing=iso2.EVSEProcessing.Finished
        )

    def on_PreChargeReq(self, req: Any) -> Any:
        self.target_v = req.EVTargetVoltage.value
        return iso2.PreChargeRes(
            ResponseCode=OK, DC_EVSEStatus=self.dc_status(), EVSEPresentVoltage=V(round(self.target_v))
        )

    def on_PowerDeliveryReq(self, req: Any) -> Any:
        if req.ChargeProgress != "Start":
            self.notification = "None"
        return iso2.PowerDeliveryRes(ResponseCode=OK, EVSEStatus=self.status())

    def on_CurrentDemandReq(self, req: Any) -> Any:
        self.target_a = min(125.0, req.EVTargetCurrent.value)
        return iso2.CurrentDemandRes(
            ResponseCode=OK,
            DC_EVSEStatus=self.dc_status(),
            EVSEPresentVoltage=V(380),
            EVSEPresentCurrent=A(round(self.target_a)),
            EVSECurrentLimitAchieved=False,
            EVSEVoltageLimitAchieved=False,
            EVSEPowerLimitAchieved=False,
            EVSEID="DE*FAK*E1",
            SAScheduleTupleID=7,
            MeterInfo=self.meter(),
            ReceiptRequired=self.receipt,
        )

    def on_ChargingStatusReq(self, req: Any) -> Any:
        return iso2.ChargingStatusRes(
            ResponseCode=OK,
            EVSEID="DE*FAK*E1",
            SAScheduleTupleID=7,
            EVSEMaxCurrent=A(8),
            MeterInfo=self.meter(),
            ReceiptRequired=self.receipt,
            AC_EVSEStatus=self.ac_status(),
        )

    def on_MeteringReceiptReq(self, req: Any) -> Any:
        self.receipt = False
        return iso2.MeteringReceiptRes(ResponseCode=OK, EVSEStatus=self.status())

    def on_WeldingDetectionReq(self, req: Any) -> Any:
        return iso2.WeldingDetectionRes(
            ResponseCode=OK, DC_EVSEStatus=self.dc_status(), EVSEPresentVoltage=V(20)
        )

    def on_SessionStopReq(self, req: Any) -> Any:
        return iso2.SessionStopRes(ResponseCode=OK)
