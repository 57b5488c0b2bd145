"""What support should know: each way in which a session was refused or failed in this run, what the driver
sees of it, and what to do.

A text of the plan (`support` in run.json) goes first. The rest is derived from what was seen: a refusal that
was asked for in a negative case is as good a lesson for the hotline as one that came unbidden.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.report import clean
from bench.report.model import Case, Exchange, Run, Support

_NO_PNC = "The car says that Plug & Charge is not available; charging does not start."
REFUSALS = {
    "FAILED_CertificateExpired": (
        "Contract certificate has expired",
        _NO_PNC,
        "The contract in the car has run out. Offer RFID or app; the mobility operator must renew it.",
    ),
    "FAILED_CertificateRevoked": (
        "Contract certificate is revoked",
        _NO_PNC,
        "The mobility operator has revoked the contract. Offer RFID or app; refer the driver there.",
    ),
    "FAILED_CertChainError": (
        "Contract chain cannot be verified",
        "Plug & Charge fails a few seconds after plug-in; charging does not start.",
        "The charger cannot build a chain to a known root. Offer RFID or app; check which roots are "
        "installed on the charger, then whether the car sends its sub-CA certificates.",
    ),
    "FAILED_NoCertificateAvailable": (
        "No usable contract certificate",
        "Plug & Charge fails; the car may ask for another way to pay.",
        "No certificate was found or delivered. Offer RFID or app; check the charger's roots and whether the "
        "provisioning service answers, then the contract in the car.",
    ),
    "FAILED_CertificateNotAllowedAtThisEVSE": (
        "Contract is not accepted at this charger",
        "The car says that the contract is not accepted at this charger.",
        "The backend did not accept the contract, or could not be asked. Check that the backend is reachable "
        "and that roaming with this operator exists. Offer RFID, app or card.",
    ),
    "FAILED_ContractCanceled": (
        "Contract was cancelled or is blocked",
        "The car says that the contract has ended.",
        "The contract is cancelled or blocked. Offer RFID or app; refer the driver to the mobility operator.",
    ),
    "FAILED_ChallengeInvalid": (
        "Challenge was not answered correctly",
        "Plug & Charge fails after plug-in; trying again may help.",
        "Car and charger disagree on the challenge. Replug once, then send the log to car and charger maker.",
    ),
    "FAILED_SignatureError": (
        "Signature of the car is wrong or missing",
        "Plug & Charge fails after plug-in.",
        "The car's signature could not be verified. Offer RFID or app; send the log to the car maker.",
    ),
    "FAILED_MeteringSignatureNotValid": (
        "Signed meter receipt was refused",
        "Charging ends early.",
        "The car's receipt for the meter value was wrong. Start again with RFID; send the log to the makers.",
    ),
    "FAILED_PaymentSelectionInvalid": (
        "Payment by contract is not offered here",
        "The car says that Plug & Charge is not available.",
        "The charger offers no contract payment, for example without TLS. Offer RFID or app.",
    ),
    "FAILED_SequenceError": (
        "Messages out of order",
        "Charging ends with a communication error.",
        "Car and charger lost step. Replug; if it stays, update car or charger.",
    ),
    "FAILED_UnknownSession": (
        "Session is unknown to the charger",
        "Charging ends with a communication error.",
        "The session was lost, for example after a restart of the charger. Replug.",
    ),
    "FAILED_WrongChargeParameter": (
        "Car and charger do not fit",
        "Charging does not start.",
        "The car asked for what this charger cannot give. Offer a charger with other ratings.",
    ),
    "FAILED_WrongEnergyTransferMode": (
        "Kind of current is not offered",
        "Charging does not start.",
        "The car asked for a kind of current that this plug does not give. Offer another plug.",
    ),
    "FAILED_PowerDeliveryNotApplied": (
        "Power could not be switched on",
        "The car locks the plug, then reports a fault of the charger.",
        "The power stage did not follow. Replug once, then take the charger out of service.",
    ),
    "FAILED": (
        "Refused without a reason",
        "Charging does not start or ends early.",
        "The charger gave no reason. Replug once; offer RFID, then another charger. Attach the case page.",
    ),
}
"""Refusals of ISO 15118-2 (response codes): failure mode, what the driver sees, what support should do."""

EVENTS = {
    "offline": (
        "Backend is not reachable",
        "Plug & Charge works where the charger may decide offline and knows the root; else it is refused.",
        "Check the charger's link. Sessions made offline are reported later; do not bill them twice.",
    ),
    "backend error": (
        "Backend answers with an error",
        "Authorization takes longer and is then refused; an identical second try may work.",
        "Open a ticket with the backend's operator, with time and station id. Offer RFID or another charger.",
    ),
    "backend silent": (
        "Backend does not answer a request",
        "Authorization takes long, then is refused or ends in a timeout.",
        "Check the load of the backend. Replug once it answers; offer RFID or another charger until then.",
    ),
    "provisioning": (
        "Provisioning service is down or refuses",
        "The car cannot fetch its contract; Plug & Charge is not available.",
        "Offer RFID or app now. Check the provisioning service and whether the mobility operator has a "
        "contract for this car; the car tries again at the next plug-in.",
    ),
    "token": (
        "Card or app is refused",
        "The charger's display or app refuses the card.",
        "The token is blocked or unknown. Refer the driver to whoever issued it; offer payment by card.",
    ),
    "no tls": (
        "Secure connection is not established",
        "Plug & Charge is not available; the car may charge after RFID without it.",
        "Car and charger share no TLS version or cipher suite, or the charger's certificate was refused. "
        "Offer RFID; check validity and chain of the charger's certificate.",
    ),
    "closed": (
        "Charger breaks the connection",
        "Charging ends with a communication error.",
        "The charger closed after a message that it could not accept. Replug; if it stays, update car "
        "or charger.",
    ),
    "timeout": (
        "Charger does not answer in time",
        "The car waits, then ends with a communication error.",
        "Replug once, then restart the charger; attach the case page for its maker.",
    ),
}
"""What is no response code: failure mode, what the driver sees, what support should do."""

FAILED = {
    "contract_faults": (
        "A contract that should be refused may be accepted: nothing is seen at the charger, the bill is "
        "disputed.",
        "Expect disputes on sessions of this charger and firmware. Check the contract's state for each.",
    ),
    "authorization": (
        "Authorization may be refused or granted wrongly.",
        "Check authorizations of this charger and firmware in the backend. Offer RFID or app meanwhile.",
    ),
    "handshake": (
        "Charging starts late or not at all.",
        "Ask the driver to wait or to replug once; else offer RFID or another charger.",
    ),
    "tls": (
        "Plug & Charge may be unavailable, or its connection less secure than it should be.",
        "Offer RFID or app; have the charger's TLS settings and certificate checked.",
    ),
    "roots": (
        "Contracts may be refused although they are valid.",
        "Check which roots are installed on this charger.",
    ),
    "provisioning": (
        "The car cannot fetch its contract.",
        "Offer RFID or app; the car may fetch its contract at another charger.",
    ),
    "metering": (
        "Nothing at the charger; the bill may not match the energy.",
        "Compare the backend's record with the driver's. Do not bill the session before that is settled.",
    ),
    "fallback": (
        "After a failure the driver may be stuck without another way to charge.",
        "Offer another charger; stop the session from the backend when the plug stays locked.",
    ),
    "robustness": (
        "After odd messages the charger may stay busy or end sessions.",
        "Restart the charger from the backend; offer another one.",
    ),
    "sessions": (
        "Charging may not start, deliver no energy, or end early.",
        "Offer another charger; stop the session from the backend when the plug stays locked.",
    ),
}
"""Failed cases by group: what the driver sees, what support should do."""
_OTHER = (
    "Depends on the car: charging may not start, or may end early.",
    "Offer another charger.",
)


def of(run: Run) -> tuple[list[Support], bool]:
    """Return the failure modes, and whether any was derived here (True) instead of given by the plans."""
    if run.support:
        return list(run.support), False
    return [*_failed(run), *_seen(run)], True


def _failed(run: Run) -> Iterator[Support]:
    """One row for each case that failed: a fault of this charger comes before what any charger may do."""
    for case in run.judged:
        if case.verdict == "fail":
            sees, todo = FAILED.get(case.group, _OTHER)
            title = clean.text(case.title or case.id, 300)
            told = f"{todo} Known fault of this charger and firmware: attach the case page."
            yield Support(f"Failed: {title}", (case.id,), sees, told)


def _seen(run: Run) -> Iterator[Support]:
    """One row for each kind of refusal or breakdown, with every case in which it was seen."""
    seen: dict[str, list[str]] = {}
    for case in run.judged:
        for kind in dict.fromkeys(kind for each in case.exchanges for kind in _kinds(each)):
            seen.setdefault(kind, []).append(case.id)
    for kind in (*REFUSALS, *EVENTS):
        if kind in seen:
            mode, sees, todo = REFUSALS[kind] if kind in REFUSALS else EVENTS[kind]
            shown = f"{mode} ({kind})" if kind in REFUSALS else mode
            yield Support(shown, tuple(seen[kind]), sees, todo)
    for kind in (each for each in seen if each not in REFUSALS and each not in EVENTS):
        sees, todo = REFUSALS["FAILED"][1:]
        yield Support(f"Refused ({clean.text(kind, 80)})", tuple(seen[kind]), sees, todo)


def refusal(exchange: Exchange) -> str:
    """The response code of a refusal (`FAILED_...`), or ""."""
    words = f"{exchange.summary} {exchange.problem}".replace(":", " ").split()
    return next((word for word in words if word == "FAILED" or word.startswith("FAILED_")), "")


def _kinds(exchange: Exchange) -> Iterator[str]:
    name, layer = exchange.name, exchange.layer
    if code := refusal(exchange):
        yield code
    if layer == "bench" and exchange.sender == "CSMS":
        if name == "offline":
            yield "offline"
        elif name.startswith("provisioning ") and name.split()[-1] in {
            "down",
            "refuse",
            "refused",
            "too-large",
        }:
            yield "provisioning"
        elif name == "token block":
            yield "token"
        elif name.endswith((" Error", " Malformed")):
            yield "backend error"
        elif name.endswith(" Drop"):
            yield "backend silent"
    elif layer == "ocpp" and exchange.sender == "CSMS" and exchange.summary.startswith("CALLERROR"):
        yield "backend error"
    elif _no_tls(exchange):
        yield "no tls"
    elif layer == "v2g" and name in {"closed", "timeout"}:
        yield name


def _no_tls(exchange: Exchange) -> bool:
    if exchange.layer == "tcp":
        return bool(exchange.problem)
    answers = ("answer: closed", "answer: alert")
    turned_away = exchange.name == "probe" and any(answer in exchange.summary for answer in answers)
    return exchange.layer == "tls" and (exchange.name == "failed" or turned_away)


def refused_as_expected(exchange: Exchange, case: Case) -> bool:
    """True for a refusal or breakdown that the case was after: it passed, or one of its met expectations
    names that very answer.

    A message that breaks the schema of its protocol is never expected.
    """
    if exchange.layer == "ocpp" and exchange.problem and not exchange.summary.startswith("CALLERROR"):
        return False
    code = refusal(exchange)
    named = code and any(each.outcome == "pass" and each.actual == code for each in case.expectations)
    return case.verdict == "pass" or bool(named)
