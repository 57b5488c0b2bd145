"""supportedAppProtocol message set (``sap``), ISO 15118-2:2014 annex A; used by DIN SPEC 70121 and ISO
15118-20 too."""

# ruff: noqa: N816  # simple types carry the names of the schema

import sys
from enum import StrEnum

from bench.exi.declare import MessageSet, Record, element
from bench.exi.values import UNSIGNED_INT, Integer, String

APP_PROTOCOL = "urn:iso:15118:2:2010:AppProtocol"

idType = Integer("idType", 0, 255)
priorityType = Integer("priorityType", 1, 20)
protocolNameType = String("protocolNameType", max_length=30)
protocolNamespaceType = String("protocolNamespaceType", max_length=100)


class responseCode(StrEnum):
    """Outcome of the handshake, in schema order."""

    OK_SuccessfulNegotiation = "OK_SuccessfulNegotiation"
    OK_SuccessfulNegotiationWithMinorDeviation = "OK_SuccessfulNegotiationWithMinorDeviation"
    Failed_NoNegotiation = "Failed_NoNegotiation"


class AppProtocol(Record, ns=APP_PROTOCOL, qualified=False):
    """One protocol the EV can speak.

    ``ProtocolNamespace``: at most 100 characters.
    ``VersionNumberMajor``, ``VersionNumberMinor``: 0 to 4294967295.
    ``SchemaID``: 0 to 255, chosen by the EV, repeated by the charger.
    ``Priority``: 1 (most wanted) to 20.
    """

    ProtocolNamespace: str = element(protocolNamespaceType)
    VersionNumberMajor: int = element(UNSIGNED_INT)
    VersionNumberMinor: int = element(UNSIGNED_INT)
    SchemaID: int = element(idType)
    Priority: int = element(priorityType)


_AppProtocol = AppProtocol


class supportedAppProtocolReq(Record, ns=APP_PROTOCOL, qualified=False, element=True, type_name=""):
    """The EV's offer: 1 to 20 protocols."""

    AppProtocol: list[_AppProtocol] = element(max=20)


class supportedAppProtocolRes(Record, ns=APP_PROTOCOL, qualified=False, element=True, type_name=""):
    """The charger's choice. ``SchemaID``: 0 to 255, absent when nothing was agreed."""

    ResponseCode: responseCode = element()
    SchemaID: int | None = element(idType, default=None)


SET = MessageSet("sap", namespaces={"ns4": APP_PROTOCOL}, modules=(sys.modules[__name__],))
