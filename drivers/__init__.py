"""Instrument drivers: one module a capability, one module a real model, simulated twins in
`drivers.simulated`.

Plans and the bench ask for a capability (`ControlPilot`, `PowerAnalyzer`, ...), never for a model; only
the bench file knows which box serves it.
"""

from typing import Any

from drivers.ac_load import AcLoad, AcReading
from drivers.base import (
    Driver,
    DriverError,
    Identity,
    InstrumentLost,
    InstrumentNotFound,
    InstrumentRefused,
    LimitExceeded,
)
from drivers.card_reader import CardReader
from drivers.contactor import Contactor
from drivers.control_pilot import ControlPilot, PilotReading, PilotState
from drivers.dc_sink import DcReading, DcSink
from drivers.energy_meter import EnergyMeter, MeterReading
from drivers.plc_modem import Attenuation, NetworkInfo, PlcModem
from drivers.power_analyzer import Accuracy, PowerAnalyzer, PowerMode, PowerReading

CAPABILITIES: dict[str, type[Any]] = {
    "ControlPilot": ControlPilot,
    "Contactor": Contactor,
    "CardReader": CardReader,
    "DcSink": DcSink,
    "AcLoad": AcLoad,
    "PowerAnalyzer": PowerAnalyzer,
    "EnergyMeter": EnergyMeter,
    "PlcModem": PlcModem,
}
"""Every capability by the name that bench files and reports use."""

__all__ = [
    "CAPABILITIES",
    "AcLoad",
    "AcReading",
    "Accuracy",
    "Attenuation",
    "CardReader",
    "Contactor",
    "ControlPilot",
    "DcReading",
    "DcSink",
    "Driver",
    "DriverError",
    "EnergyMeter",
    "Identity",
    "InstrumentLost",
    "InstrumentNotFound",
    "InstrumentRefused",
    "LimitExceeded",
    "MeterReading",
    "NetworkInfo",
    "PilotReading",
    "PilotState",
    "PlcModem",
    "PowerAnalyzer",
    "PowerMode",
    "PowerReading",
]
