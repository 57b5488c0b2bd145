"""Certificates as a reader needs them: who, by whom, until when, for what; never more than was in the PEM."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from bench.pki import validate
from bench.report import clean

SOON_DAYS = 30
"""A certificate that ends within so many days of the run is remarked upon."""


@dataclass(frozen=True)
class Certificate:
    """One decoded certificate; texts are ready to be shown. With `problem`, the rest is empty."""

    common_name: str = ""
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    not_before: str = ""
    not_after: str = ""
    domain_component: str = ""
    key: str = ""
    key_usage: str = ""
    is_ca: bool = False
    self_issued: bool = False
    signature: str = ""
    ocsp: str = ""
    sha256: str = ""
    pem: str = ""
    problem: str = ""
    starts: datetime | None = None
    ends: datetime | None = None

    def remarks(self, at: datetime | None) -> list[str]:
        """What strikes the eye about the validity at the time `at` (with zone), if any."""
        if at is None or self.starts is None or self.ends is None:
            return []
        if at > self.ends:
            return ["expired at the time of the run"]
        if at < self.starts:
            return ["not yet valid at the time of the run"]
        days = (self.ends - at).days
        return [f"ends {days} days after the run"] if days < SOON_DAYS else []

    @property
    def rank(self) -> str:
        """Place in a chain: leaf, sub-CA or root."""
        if self.self_issued:
            return "root"
        return "sub-CA" if self.is_ca else "leaf"


@lru_cache(maxsize=4096)
def describe(pem: str) -> Certificate:
    """Return what a PEM text holds; text that is no certificate gives a `problem` instead of an error."""
    with warnings.catch_warnings():
        # Odd serial numbers and the like are the charger's business and are shown, not raised.
        warnings.simplefilter("ignore")
        try:
            found = validate.load_pem(pem.encode())
            if not found:
                raise validate.BadCertificate("no certificate in it")
            facts = validate.describe(found[0])
        except validate.BadCertificate as error:
            return Certificate(
                problem=f"not readable as a certificate: {clean.text(error, 300)}", pem=pem[:4000]
            )
    starts, ends = found[0].not_valid_before_utc, found[0].not_valid_after_utc
    return Certificate(
        common_name=clean.text(facts["common_name"] or "(no common name)", 200),
        subject=clean.text(facts["subject"], 1000),
        issuer=clean.text(facts["issuer"], 1000),
        serial=" ".join(re.findall("..?", _even(str(facts["serial"]).upper()))),
        not_before=starts.strftime("%Y-%m-%d %H:%M UTC"),
        not_after=ends.strftime("%Y-%m-%d %H:%M UTC"),
        domain_component=clean.text(facts["domain_component"], 200),
        key=clean.text(facts["key"], 100),
        key_usage=clean.text(", ".join(facts["key_usage"]).replace("_", " "), 300),
        is_ca=bool(facts["ca"]),
        self_issued=facts["subject"] == facts["issuer"],
        signature=clean.text(facts["signature_algorithm"], 100),
        ocsp=clean.text(", ".join(facts["ocsp_urls"]), 300),
        sha256=clean.text(facts["sha256"], 64),
        pem=clean.text(pem, 20_000),
        starts=starts,
        ends=ends,
    )


def _even(digits: str) -> str:
    return digits if len(digits) % 2 == 0 else f"0{digits}"
