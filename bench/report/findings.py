"""What broke, when, and where the proof is; and what support should know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.report import clean
from bench.report.model import VERDICTS, Case, Expectation, Run, Support

REFUSALS = {
    "FAILED_CertificateExpired": (
        "The car says Plug & Charge is not available; charging does not start.",
        "The contract in the car has run out. Offer RFID or app; the mobility operator must renew it.",
    ),
    "FAILED_CertificateRevoked": (
        "The car says Plug & Charge is not available; charging does not start.",
        "The mobility operator has revoked the contract. Offer RFID or app; refer the driver there.",
    ),
    "FAILED_CertChainError": (
        "Plug & Charge fails after a few seconds; charging does not start.",
        "The charger cannot build a chain to a known root. Check which roots are installed on the charger.",
    ),
    "FAILED_NoCertificateAvailable": (
        "Plug & Charge fails; the car may ask for another way to pay.",
        "No usable certificate was found. Check the charger's roots, then the contract in the car.",
    ),
    "FAILED_CertificateNotAllowedAtThisEVSE": (
        "The car says that the contract is not accepted at this charger.",
        "The contract belongs to an operator without roaming here. Offer RFID, app or card.",
    ),
    "FAILED_ContractCanceled": (
        "The car says that the contract has ended.",
        "The contract was cancelled. Offer RFID or app; refer the driver to the mobility operator.",
    ),
    "FAILED_ChallengeInvalid": (
        "Plug & Charge fails after plug-in; trying again may help.",
        "Car and charger disagree on the challenge. Replug once, then send the log to the charger maker.",
    ),
    "FAILED_SignatureError": (
        "Plug & Charge fails after plug-in.",
        "The car's signature could not be verified. Offer RFID or app; send the log to the charger maker.",
    ),
    "FAILED_MeteringSignatureNotValid": (
        "Charging ends early.",
        "The signed meter receipt was refused. Start again with RFID; send the log to the charger maker.",
    ),
    "FAILED_SequenceError": (
        "Charging ends with a communication error.",
        "Car and charger lost step. Replug; if it stays, update car or charger.",
    ),
    "FAILED_UnknownSession": (
        "Charging ends with a communication error.",
        "The session was lost, for example after a restart of the charger. Replug.",
    ),
}
"""Refusals of ISO 15118-2 (response codes): what the driver sees, what support should do."""

SHOWN = 12


@dataclass(frozen=True)
class Broken:
    """One finding: the offending expectation (if one was recorded) of a case or rule that did not pass."""

    case: Case
    expectation: Expectation | None
    message: str
    run_t_s: float | None
    mender: str


def broken(run: Run) -> list[Broken]:
    """Return all that did not pass, worst verdict first, then in order of time."""
    found = [_broken(case) for case in run.judged if case.verdict != "pass"]
    return sorted(found, key=lambda each: (VERDICTS.index(each.case.verdict), each.run_t_s or 0.0))


def warned(run: Run) -> list[tuple[Case, str, str]]:
    """Return (case, rule, message) of each warning of a passive rule in cases that passed."""
    return [
        (case, finding.rule, finding.message)
        for case in run.judged
        if case.verdict == "pass"
        for finding in case.findings
        if finding.severity == "warning"
    ]


def _broken(case: Case) -> Broken:
    expectation = next((each for each in case.expectations if each.outcome not in {"pass", ""}), None)
    finding = next((each for each in case.findings if each.severity == "fail"), None)
    message = case.reason or (finding.message if finding else "") or (expectation.text if expectation else "")
    t_s = expectation.t_s if expectation else finding.t_s if finding else case.duration_s
    started = case.started_s
    mender = {"fail": "charger maker", "error": "lab", "inconclusive": "lab and charger maker"}[case.verdict]
    return Broken(
        case,
        expectation,
        message or "no reason was recorded",
        None if started is None else started + (t_s or 0.0),
        mender,
    )


def support(run: Run) -> tuple[list[Support], bool]:
    """Return the failure modes for support and whether they were derived here (True) or given by the plans
    (False)."""
    if run.support:
        return list(run.support), False
    return list(_derived(run)), True


def _derived(run: Run) -> Iterator[Support]:
    """One row for each refusal that was seen, then one for each failed case."""
    seen: dict[str, list[str]] = {}
    for case in run.judged:
        for exchange in case.exchanges:
            for code in REFUSALS:
                if code in exchange.summary or code in exchange.problem:
                    cases = seen.setdefault(code, [])
                    if case.id not in cases:
                        cases.append(case.id)
    for code, cases in seen.items():
        sees, todo = REFUSALS[code]
        yield Support(code, cases[0], sees, todo)
    for case in run.judged:
        if case.verdict == "fail":
            yield Support(
                clean.text(case.title or case.id, 300),
                case.id,
                "Depends on the car: charging may not start, or may end early.",
                "A known fault of this charger and firmware. Offer another charger; attach the case page.",
            )
