"""A stand-in for mobility operator and certificate provisioning service (CPS): Get15118EVCertificate.

Decodes the EV's CertificateInstallationReq or CertificateUpdateReq, verifies its signature against the OEM
(or contract) chain, issues a contract, wraps its key for the EV and lets the CPS sign the answer, as ISO
15118-2:2014 clauses 8.4.3.11 and 8.4.3.12 and the application guide VDE-AR-E 2802-100-1 ask. OCPP: M01, M02.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from typing import Any

from bench.csms.contracts import Contracts
from bench.csms.ev_certificate import RequestRefusedError, answer_request
from bench.pki import Credential, Pki

MAX_REQUEST_CHARACTERS = 5600
"""Of exiRequest in OCPP 2.0.1."""
MAX_RESPONSE_CHARACTERS = 7500
"""Of exiResponse in OCPP 2.0.1."""
MAX_ISSUED = 200


class Provisioning:
    """The service and its moods; thread-safe.

    `contract` set to a Credential hands out that one; else each vehicle (by its PCID) gets a fresh contract,
    accepted by the registry. `issued` holds what was handed out, oldest first.
    """

    def __init__(
        self, pki: Pki | None, contracts: Contracts, note: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._pki = pki
        self._contracts = contracts
        self._note = note
        self._lock = threading.Lock()
        self._mood = "normal"
        self.delay_s = 0.0
        self.contract: Credential | None = None
        self.issued: list[Credential] = []

    def normal(self) -> None:
        """Answer as the standard asks, at once."""
        self._set("normal")

    def down(self) -> None:
        """The service cannot be reached: the CSMS answers CALLERROR InternalError."""
        self._set("down")

    def slow(self, delay_s: float) -> None:
        """The right answer, `delay_s` seconds late."""
        self._set("normal", delay_s)

    def refuse(self) -> None:
        """Status Failed, without an answer for the EV."""
        self._set("refuse")

    def too_large(self) -> None:
        """Status Accepted with an exiResponse of four times the length that OCPP allows."""
        self._set("too-large")

    def _set(self, mood: str, delay_s: float = 0.0) -> None:
        if (mood, delay_s) != (self._mood, self.delay_s):
            self._note(mood, {"delay_s": delay_s})
        with self._lock:
            self._mood, self.delay_s = mood, delay_s

    def answer(self, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """Get15118EVCertificateResponse for a request, or None when the service is down."""
        mood = self._mood
        if mood == "down":
            return None
        if mood == "refuse":
            return self._failed("NoContract", "the provisioning service refuses, as scripted")
        text = str(payload.get("exiRequest", ""))
        if self._pki is None:
            return self._failed("NoService", "no PKI")
        if len(text) > MAX_REQUEST_CHARACTERS:
            return self._failed("TooLarge", f"exiRequest of {len(text)} characters")
        try:
            request = base64.b64decode(text, validate=True)
            made = answer_request(
                self._pki, self._contracts, request, str(payload.get("action")), self.contract
            )
        except (binascii.Error, ValueError) as error:
            return self._failed("BadRequest", f"exiRequest is not base64: {error}")
        except RequestRefusedError as error:
            return self._failed(error.reason, str(error))
        self._contracts.accept(made.contract.emaid)
        with self._lock:
            self.issued.append(made.contract)
            del self.issued[:-MAX_ISSUED]
        response = base64.b64encode(made.exi).decode("ascii")
        if mood == "too-large":
            response = base64.b64encode(made.exi + bytes(3 * MAX_RESPONSE_CHARACTERS)).decode("ascii")
        elif len(response) > MAX_RESPONSE_CHARACTERS:
            return self._failed("TooLarge", f"exiResponse of {len(response)} characters")
        self._note("issued", {"emaid": made.contract.emaid, "for": made.recipient})
        return {"status": "Accepted", "exiResponse": response}

    def _failed(self, reason: str, text: str) -> dict[str, Any]:
        self._note("refused", {"reason": reason, "text": text[:500]})
        info = {"reasonCode": reason[:20], "additionalInfo": text[:512]}
        return {"status": "Failed", "exiResponse": "", "statusInfo": info}
