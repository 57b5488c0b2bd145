"""Mock CSMS: RPC frames, recorder, behaviours and scripts, security profiles, Plug & Charge back office."""

from bench.csms.behaviour import Answer, Behaviour, Delay, Drop, Error, Malformed, Reject
from bench.csms.errors import CallError, CsmsError, CsmsTimeout, NotConnected
from bench.csms.payload import Payload
from bench.csms.server import Csms

__all__ = [
    "Answer",
    "Behaviour",
    "CallError",
    "Csms",
    "CsmsError",
    "CsmsTimeout",
    "Delay",
    "Drop",
    "Error",
    "Malformed",
    "NotConnected",
    "Payload",
    "Reject",
]
