"""OCPP 2.0.1 client of the simulated charger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.backend import CsmsLink
from bench.charger.ocpp.client import OcppBackend

if TYPE_CHECKING:
    from bench.charger.model import Charger

__all__ = ["OcppBackend", "create_backend"]


def create_backend(charger: Charger, link: CsmsLink) -> OcppBackend:
    """The OCPP 2.0.1 backend of a charger; `start` it on the charger's loop.

    The charger must have its profile, store, meter and variables (a `bench.charger.variables.DeviceModel`)
    already.
    """
    return OcppBackend(charger, link)
