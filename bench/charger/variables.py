"""The OCPP 2.0.1 device model of the simulated charger: components, variables, their types and values.

Names are those of OCPP 2.0.1 part 2 appendix 3 (referenced components and variables); those with `custom` are
the simulator's own. Values are texts, as on the wire. Durations are seconds; where the standard wants whole
seconds the simulator also takes decimals, so that a bench need not wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["boolean", "integer", "decimal", "string"]
Mutability = Literal["ReadOnly", "ReadWrite", "WriteOnly"]
SetStatus = Literal[
    "Accepted", "Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"
]
GetStatus = Literal[
    "Accepted", "Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"
]
MAX_VALUE_CHARACTERS = 1000


@dataclass(slots=True)
class Variable:
    """One variable with its actual value."""

    component: str
    name: str
    kind: Kind
    value: str
    mutability: Mutability = "ReadWrite"
    low: float | None = None
    high: float | None = None

    def fits(self, text: str) -> bool:
        """True when `text` is a value of this variable's kind and range."""
        if self.kind == "boolean":
            return text in ("true", "false")
        if self.kind == "string":
            return len(text) <= MAX_VALUE_CHARACTERS
        try:
            number = int(text) if self.kind == "integer" else float(text)
        except ValueError:
            return False
        if not math.isfinite(number):  # NaN and infinities have no place in a setting
            return False
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


def _defaults() -> Iterator[Variable]:
    def flag(component: str, name: str, value: bool) -> Variable:
        return Variable(component, name, "boolean", "true" if value else "false")

    def seconds(component: str, name: str, value: float, low: float = 0.0) -> Variable:
        return Variable(component, name, "decimal", f"{value:g}", low=low, high=86_400.0)

    yield flag("ISO15118Ctrlr", "Enabled", True)
    yield flag("ISO15118Ctrlr", "PnCEnabled", True)
    yield flag("ISO15118Ctrlr", "CentralContractValidationAllowed", True)
    yield flag("ISO15118Ctrlr", "ContractValidationOffline", True)
    yield flag("ISO15118Ctrlr", "ContractCertificateInstallationEnabled", True)
    yield flag("ISO15118Ctrlr", "V2GCertificateInstallationEnabled", True)
    yield flag("ISO15118Ctrlr", "RequestMeteringReceipt", False)
    yield flag("ISO15118Ctrlr", "SalesTariffSigned", True)  # custom
    yield Variable("ISO15118Ctrlr", "SeccId", "string", "")
    yield Variable("ISO15118Ctrlr", "CountryName", "string", "DE")
    yield Variable("ISO15118Ctrlr", "OrganizationName", "string", "Plugbench CPO")
    yield seconds("OCPPCommCtrlr", "HeartbeatInterval", 300.0)
    yield seconds("OCPPCommCtrlr", "MessageTimeout", 10.0, 0.05)
    yield seconds("OCPPCommCtrlr", "RetryBackOffWaitMinimum", 0.2, 0.01)
    yield seconds("OCPPCommCtrlr", "RetryBackOffRandomRange", 0.1)
    yield Variable("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "integer", "5", low=0, high=20)
    yield Variable("OCPPCommCtrlr", "MessageAttempts", "integer", "3", low=1, high=20)
    yield seconds("OCPPCommCtrlr", "MessageAttemptInterval", 0.5)
    yield seconds("SampledDataCtrlr", "TxUpdatedInterval", 1.0)
    yield flag("AuthCtrlr", "Enabled", True)
    yield flag("AuthCtrlr", "LocalAuthorizeOffline", True)
    yield flag("AuthCtrlr", "AuthorizeRemoteStart", False)
    yield flag("AuthCtrlr", "OfflineTxForUnknownIdEnabled", False)
    yield flag("AuthCacheCtrlr", "Enabled", True)
    yield seconds("AuthCacheCtrlr", "LifeTime", 3600.0)
    yield flag("TxCtrlr", "StopTxOnInvalidId", True)
    yield Variable("TxCtrlr", "TxStartPoint", "string", "Authorized", "ReadOnly")
    yield Variable("TxCtrlr", "TxStopPoint", "string", "Authorized,EVConnected", "ReadOnly")
    yield seconds("SecurityCtrlr", "CertSigningWaitMinimum", 5.0, 0.05)
    yield Variable("SecurityCtrlr", "CertSigningRepeatTimes", "integer", "2", low=0, high=10)
    yield Variable("SecurityCtrlr", "BasicAuthPassword", "string", "", "WriteOnly")


class DeviceModel:
    """The variables by component and name, both without regard to case (CiString)."""

    def __init__(self) -> None:
        self._variables = {_key(each.component, each.name): each for each in _defaults()}
        self._components = {component for component, _ in self._variables}
        self.on_change: list[Callable[[Variable], None]] = []
        """Called after a variable was set, by the backend or by `put`."""

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variables.values())

    def find(self, component: str, variable: str) -> Variable | None:
        """The variable, or None."""
        return self._variables.get(_key(component, variable))

    def flag(self, component: str, variable: str) -> bool:
        """Actual value of a boolean variable; False when it does not exist."""
        found = self.find(component, variable)
        return found is not None and found.value == "true"

    def number(self, component: str, variable: str) -> float:
        """Actual value of a numeric variable; raises KeyError or ValueError when there is no such number."""
        return float(self._variables[_key(component, variable)].value)

    def text(self, component: str, variable: str) -> str:
        """Actual value of any variable; raises KeyError when it does not exist."""
        return self._variables[_key(component, variable)].value

    def put(self, component: str, variable: str, value: bool | float | str) -> None:
        """Set a variable from within, read-only ones too; raises KeyError, or ValueError when it does not
        fit."""
        found = self._variables[_key(component, variable)]
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        if found.kind == "decimal" and not isinstance(value, str | bool):
            text = f"{value:g}"
        if not found.fits(text):
            raise ValueError(f"{component}.{variable}: {text!r} does not fit")
        self._store(found, text)

    def set(self, component: str, variable: str, value: str, attribute: str = "Actual") -> SetStatus:
        """SetVariables (B05.FR.04 to FR.07): the attributeStatus for this value."""
        found = self.find(component, variable)
        if found is None:
            return self._unknown(component)
        if attribute != "Actual":
            return "NotSupportedAttributeType"
        text = value.lower() if found.kind == "boolean" else value
        if found.mutability == "ReadOnly" or not found.fits(text):
            return "Rejected"
        self._store(found, text)
        return "Accepted"

    def get(self, component: str, variable: str, attribute: str = "Actual") -> tuple[GetStatus, str | None]:
        """GetVariables (B06.FR.06 to FR.09): attributeStatus and, when Accepted, the value."""
        found = self.find(component, variable)
        if found is None:
            return self._unknown(component), None
        if attribute != "Actual":
            return "NotSupportedAttributeType", None
        if found.mutability == "WriteOnly":
            return "Rejected", None
        return "Accepted", found.value

    def _unknown(self, component: str) -> Literal["UnknownComponent", "UnknownVariable"]:
        return "UnknownVariable" if component.lower() in self._components else "UnknownComponent"

    def _store(self, variable: Variable, text: str) -> None:
        variable.value = text
        for callback in tuple(self.on_change):
            callback(variable)


def _key(component: str, variable: str) -> tuple[str, str]:
    return component.lower(), variable.lower()
