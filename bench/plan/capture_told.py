"""What the messages of a session tell of its electrical side, and who it was: read as they are decoded.

Nothing here is measured: voltage and current are what car and charger say of themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.plan.ladder import thin

MAX_TRACE = 4000
MAX_REMARKS = 100
_READINGS = (
    ("EVSEPresentVoltage", "evse_voltage_v"),
    ("EVSEPresentCurrent", "evse_current_a"),
    ("EVTargetVoltage", "ev_target_voltage_v"),
    ("EVTargetCurrent", "ev_target_current_a"),
    ("EVPresentVoltage", "ev_voltage_v"),
    ("EVPresentActivePower", "ev_power_w"),
    ("EVSEMaxCurrent", "evse_max_current_a"),
)
"""Field of a message -> trace."""
TRACES = (*(trace for _, trace in _READINGS), "soc_percent")
_OWN_LIMITS = (
    ("EVSEPresentCurrent", "EVSEMaximumCurrentLimit", "A"),
    ("EVSEPresentVoltage", "EVSEMaximumVoltageLimit", "V"),
)
MUCH_MORE = 1.2
"""By how much a present value may exceed the charger's own limit without a remark (engineering rule)."""
_NORMAL_STATUS = ("EVSE_Ready", "EVSE_NotReady", "EVSE_IsolationMonitoringActive", "EVSE_Shutdown")
_PAYMENT = {
    "Contract": "contract (Plug & Charge)",
    "ExternalPayment": "external (EIM)",
    "EIM": "external (EIM)",
}


@dataclass(slots=True)
class Told:
    """Gathers from messages (`add`). `facts`: who and what, in words, by name. `traces`: readings by name,
    [stamp in ns, value]. `remarks`: (severity, stamp, text): status codes and errors that either side
    reported, each once.
    """

    facts: dict[str, str] = field(default_factory=dict)
    remarks: list[tuple[str, int, str]] = field(default_factory=list)
    chains: dict[str, tuple[int, list[bytes]]] = field(default_factory=dict)
    _points: dict[str, list[list[float]]] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def add(self, t_ns: int, name: str, body: Any) -> None:
        """Read one message, of which `body` is the body element."""
        for attribute, trace in _READINGS:
            self._read(t_ns, trace, getattr(body, attribute, None))
        for mode in (getattr(body, "CLReqControlMode", None), getattr(body, "CLResControlMode", None)):
            for attribute, trace in _READINGS:
                self._read(t_ns, trace, getattr(mode, attribute, None))
        self._status(t_ns, name, body)
        self._claims(t_ns, name, body)
        self._identity(name, body)
        self._certificates(t_ns, name, body)

    def traces(self, start_ns: int) -> dict[str, list[list[float]]]:
        """The readings against seconds from `start_ns`, thinned."""
        return {
            name: thin([[round((t_ns - start_ns) / 1e9, 4), value] for t_ns, value in points])
            for name, points in self._points.items()
        }

    def _read(self, t_ns: int, trace: str, value: Any) -> None:
        number = physical(value)
        if number is None:
            return
        points = self._points.setdefault(trace, [])
        points.append([t_ns, round(number, 4)])
        if len(points) > MAX_TRACE:
            points[:] = thin(points, MAX_TRACE // 2)

    def _fact(self, name: str, value: object) -> None:
        text = value.hex(":").upper() if isinstance(value, bytes) else str(value or "")
        if text and name not in self.facts:
            self.facts[name] = text[:300]

    def _identity(self, name: str, body: Any) -> None:
        if name == "SessionSetupReq":
            self._fact("EVCCID", getattr(body, "EVCCID", None))
        elif name == "SessionSetupRes":
            self._fact("EVSEID", getattr(body, "EVSEID", None))
            self._fact("Session", getattr(body, "ResponseCode", None))
        for attribute in ("SelectedPaymentOption", "SelectedAuthorizationService"):
            chosen = getattr(body, attribute, None)
            if chosen is not None:
                self._fact("Payment", _PAYMENT.get(str(chosen), str(chosen)))
        for attribute in ("RequestedEnergyTransferMode", "EVRequestedEnergyTransferType"):
            self._fact("Energy transfer", getattr(body, attribute, None))
        if name == "PaymentDetailsReq":
            self._fact("eMAID", getattr(body, "eMAID", None) or getattr(body, "ContractID", None))

    def _status(self, t_ns: int, name: str, body: Any) -> None:
        ev = getattr(body, "DC_EVStatus", None)
        if ev is not None:
            self._read(t_ns, "soc_percent", getattr(ev, "EVRESSSOC", None))
            error = str(getattr(ev, "EVErrorCode", "NO_ERROR"))
            if error != "NO_ERROR":
                self._remark("info", t_ns, f"EV: EVErrorCode {error} in {name}", error)
        shown = getattr(body, "DisplayParameters", None)
        self._read(t_ns, "soc_percent", getattr(shown, "PresentSOC", None))
        evse = getattr(body, "DC_EVSEStatus", None)
        if evse is not None:
            status = str(getattr(evse, "EVSEStatusCode", "EVSE_Ready"))
            if status not in _NORMAL_STATUS:
                self._remark("warning", t_ns, f"charger: EVSEStatusCode {status} in {name}", status)
            isolation = str(getattr(evse, "EVSEIsolationStatus", ""))
            if isolation in ("Fault", "Warning"):
                self._remark(
                    "warning", t_ns, f"charger: EVSEIsolationStatus {isolation} in {name}", isolation
                )
        for state in (evse, getattr(body, "AC_EVSEStatus", None), getattr(body, "EVSEStatus", None)):
            asked = str(getattr(state, "EVSENotification", "None"))
            if asked not in ("None", ""):
                self._remark("info", t_ns, f"charger: EVSENotification {asked} in {name}", asked)
        if getattr(getattr(body, "AC_EVSEStatus", None), "RCD", None) is True:
            self._remark("warning", t_ns, f"charger: RCD, a fault current was detected, in {name}", "RCD")

    def _claims(self, t_ns: int, name: str, body: Any) -> None:
        """A present value beyond the charger's own limit: one of the two is not true."""
        for claimed, limit, unit in _OWN_LIMITS:
            value, most = physical(getattr(body, claimed, None)), physical(getattr(body, limit, None))
            if value is not None and most is not None and most > 0 and value > most * MUCH_MORE:
                text = f"charger: {claimed} {value:g} {unit} in {name}, its own {limit} is {most:g} {unit}"
                self._remark("warning", t_ns, text, claimed)

    def _remark(self, severity: str, t_ns: int, text: str, key: str) -> None:
        if key not in self._said and len(self.remarks) < MAX_REMARKS:
            self._said.add(key)
            self.remarks.append((severity, t_ns, text))

    def _certificates(self, t_ns: int, name: str, body: Any) -> None:
        wanted: list[tuple[str, Any]] = []
        if name == "PaymentDetailsReq":
            wanted.append(("contract", getattr(body, "ContractSignatureCertChain", None)))
        elif name in ("CertificateInstallationRes", "CertificateUpdateRes"):
            installed = getattr(body, "ContractSignatureCertChain", None)
            signed = getattr(body, "SignedInstallationData", None)
            wanted += [
                ("CPS (signs what is provisioned)", getattr(body, "SAProvisioningCertificateChain", None)),
                ("CPS (signs what is provisioned)", getattr(body, "CPSCertificateChain", None)),
                ("installed contract", installed),
                ("installed contract", getattr(signed, "ContractCertificateChain", None)),
            ]
        elif name == "AuthorizationReq":
            mode = getattr(body, "PnC_AReqAuthorizationMode", None)
            wanted.append(("contract", getattr(mode, "ContractCertificateChain", None)))
        for role, sent in wanted:
            chain = list(_encoded(sent))
            if chain and role not in self.chains:
                self.chains[role] = (t_ns, chain)


def physical(value: Any) -> float | None:
    """The number that a PhysicalValue, a RationalNumber or a plain number stands for, else None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    number = getattr(value, "Value", None)
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    exponent = getattr(value, "Multiplier", getattr(value, "Exponent", 0))
    # A multiplier is -3 to 3; what comes from the wire may be anything.
    return float(number) * 10.0**exponent if isinstance(exponent, int) and abs(exponent) <= 9 else None


def _encoded(sent: Any) -> Iterator[bytes]:
    subs = getattr(getattr(sent, "SubCertificates", None), "Certificate", None) or []
    for each in (getattr(sent, "Certificate", None), *subs):
        if isinstance(each, bytes) and each:
            yield each
