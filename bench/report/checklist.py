"""The readiness checklist and the launch dependencies, as data."""

from __future__ import annotations

from dataclasses import dataclass

AREAS = ("charger", "trust", "provisioning", "backend", "reconciliation", "fallback")
"""Areas by which cases are tied to the items below (`areas` of a case)."""


@dataclass(frozen=True)
class Item:
    """One line of the checklist: which areas prove it, and which declaration it needs.

    `signature` is the key in `charger.declarations`; `signature_needed` is true where no test can know the
    answer.
    """

    key: str
    title: str
    question: str
    areas: tuple[str, ...] = ()
    signature: str = ""
    signature_needed: bool = False


CHECKLIST = (
    Item(
        "charger",
        "One charger model validated end to end",
        "Did one named model charge a car from plug-in to orderly stop, and behave when things went wrong?",
        ("charger",),
        "charger",
    ),
    Item(
        "backend",
        "Backend authorization path tested with contract data",
        "Does the charger ask the backend with eMAID and certificate data, and obey the answer?",
        ("backend",),
        "backend",
    ),
    Item(
        "trust",
        "Trust chain installed and auditable",
        "Is the chain that the charger shows complete, valid, rooted where it should be, and on record?",
        ("trust",),
        "trust",
    ),
    Item(
        "fallback",
        "Fallback journey defined for failed authorizations",
        "When a contract is refused, can the driver still charge another way?",
        ("fallback",),
        "fallback",
    ),
    Item(
        "support",
        "Support briefed on the failure modes seen",
        "Do the people on the phone know what the driver sees and what to say?",
        signature="support",
        signature_needed=True,
    ),
    Item(
        "reconciliation",
        "Owners aligned on post-session reconciliation",
        "Do meter, charger and backend agree on the energy, and is it settled who mends a difference?",
        ("reconciliation",),
        "reconciliation",
        True,
    ),
)

DEPENDENCIES = (
    Item("charger", "Charger readiness", "Hardware and firmware do what the protocols ask.", ("charger",)),
    Item("trust", "PKI trust chain", "Roots, sub-CAs and leaf fit together and can be renewed.", ("trust",)),
    Item(
        "provisioning",
        "Certificate provisioning",
        "Contracts reach the car, also when the service is slow or down.",
        ("provisioning",),
        "provisioning",
    ),
    Item(
        "backend",
        "Backend authorization",
        "Authorization works online, offline and when refused.",
        ("backend",),
    ),
    Item(
        "commercial",
        "Commercial ownership",
        "Someone owns contracts, tariffs and disputes.",
        signature="commercial",
        signature_needed=True,
    ),
    Item(
        "fallback",
        "Support fallback",
        "A driver whose session fails is helped: by the charger, then by a person.",
        ("fallback",),
        "support",
        True,
    ),
)

_ALIASES = {
    "commercial-ownership": "commercial",
    "support-briefed": "support",
    "support-briefing": "support",
    "support-fallback": "support",
    "fallback-journey": "fallback",
    "pki": "trust",
    "pki-trust-chain": "trust",
    "trust-chain": "trust",
    "charger-readiness": "charger",
    "certificate-provisioning": "provisioning",
    "backend-authorization": "backend",
    "post-session-reconciliation": "reconciliation",
}


def declaration_key(name: str) -> str:
    """Return the item key that a name in the charger file means: `Commercial_Ownership` -> `commercial`."""
    plain = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    return _ALIASES.get(plain, plain)
