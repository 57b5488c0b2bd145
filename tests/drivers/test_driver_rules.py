"""One reflective test holds every registered driver to the rules of the house."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from drivers import CAPABILITIES, registry
from drivers.base import Driver

LIFE_CYCLE = ("open", "close", "identify", "make_safe", "keep_alive")
SWITCHES_POWER = {"ControlPilot", "Contactor", "DcSink", "AcLoad"}


@pytest.mark.parametrize("name", registry.names())
def test_driver_keeps_the_rules(name: str) -> None:
    driver = registry.driver_class(name)
    assert issubclass(driver, Driver) and not inspect.isabstract(driver)
    assert driver.__doc__ and inspect.getmodule(driver).__doc__  # type: ignore[union-attr]
    assert driver.model and driver.vendor
    assert driver.verified_on is None or len(driver.verified_on) > 10, "model, firmware, date"
    capabilities = registry.capabilities(driver)
    assert capabilities, "serves no capability"
    source = sys.modules[driver.__module__].__file__
    assert source is not None and len(Path(source).read_text().splitlines()) < 500
    for capability in capabilities:
        for member, _ in inspect.getmembers(CAPABILITIES[capability], inspect.isfunction):
            if member.startswith("_") or member in LIFE_CYCLE:
                continue
            promised = inspect.signature(getattr(CAPABILITIES[capability], member))
            kept = inspect.signature(getattr(driver, member))
            assert list(promised.parameters) == list(kept.parameters), f"{name}.{member}"
    for key, default in registry.options(name).items():
        assert isinstance(default, bool | int | float | str), f"option {key} needs a default of a TOML type"
    parameters = inspect.signature(driver.__init__).parameters
    assert list(parameters)[:4] == ["self", "resource", "name", "trace"]
    assert all(parameters[key].kind is inspect.Parameter.KEYWORD_ONLY for key in list(parameters)[2:])


@pytest.mark.parametrize("name", [name for name in registry.names() if name != "manual-pilot"])
def test_a_box_that_switches_power_has_a_watchdog(name: str) -> None:
    driver = registry.driver_class(name)
    resource = "127.0.0.1:502" if name == "eastron-sdm630" else "TCPIP0::127.0.0.1::1::SOCKET"
    made = driver(resource, name=name)
    if SWITCHES_POWER & set(registry.capabilities(driver)):
        assert made.watchdog_s is not None and 0.2 <= made.watchdog_s <= 2.0
        assert "make_safe" in {member for kind in driver.__mro__[:-4] for member in vars(kind)}
    made.close()  # never opened: must not raise
    made.close()


def test_every_capability_is_served() -> None:
    served = {capability for name in registry.names() for capability in registry.capabilities(name)}
    assert served == set(CAPABILITIES)


def test_capabilities_document_every_method() -> None:
    for capability in CAPABILITIES.values():
        for member in capability.__abstractmethods__:
            assert inspect.getdoc(getattr(capability, member)), f"{capability.__name__}.{member}"
