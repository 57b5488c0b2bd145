"""Which driver a name in a bench file means, which options it takes and which capabilities it offers."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from drivers import CAPABILITIES
from drivers.base import Driver

_DRIVERS = {
    "yokogawa-wt": "drivers.yokogawa_wt:YokogawaWt",
    "eastron-sdm630": "drivers.eastron_sdm630:EastronSdm630",
    "pilot-board": "drivers.pilot_board:PilotBoard",
    "ea-psb": "drivers.ea_psb:EaPsb",
    "chroma-63800": "drivers.chroma_63800:Chroma63800",
    "qca7000": "drivers.qca7000:Qca7000",
    "manual-pilot": "drivers.manual:ManualPilot",
}
_NOT_FOR_A_FILE = {"self", "resource", "name", "trace", "ask"}


def names() -> list[str]:
    """The driver names that a bench file may use."""
    return sorted(_DRIVERS)


def driver_class(name: str) -> type[Driver]:
    """The class behind a name; its module, and the library of its wire, is loaded only now. Raises
    KeyError.
    """
    module, _, attribute = _DRIVERS[name].partition(":")
    found = getattr(import_module(module), attribute)
    if not (inspect.isclass(found) and issubclass(found, Driver)):
        raise TypeError(f"{_DRIVERS[name]} is not a Driver")
    return found


def options(name: str) -> dict[str, Any]:
    """The options that a bench file may set for the driver, with their defaults. Raises KeyError."""
    parameters = inspect.signature(driver_class(name).__init__).parameters
    return {key: parameter.default for key, parameter in parameters.items() if key not in _NOT_FOR_A_FILE}


def capabilities(driver: type[Driver] | str) -> list[str]:
    """The names of the capabilities that the driver offers."""
    found = driver_class(driver) if isinstance(driver, str) else driver
    return [name for name, capability in CAPABILITIES.items() if issubclass(found, capability)]
