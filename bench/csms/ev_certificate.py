"""stub"""

from __future__ import annotations

from dataclasses import dataclass

from bench.csms.contracts import Contracts
from bench.pki import Credential, Pki


class RequestRefusedError(Exception):
    """The request is refused; `reason` is a short code for statusInfo."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Made:
    contract: Credential
    exi: bytes
    recipient: str


def answer_request(
    pki: Pki, contracts: Contracts, request: bytes, action: str, contract: Credential | None
) -> Made:
    raise RequestRefusedError("NotReady", "codec not there")
