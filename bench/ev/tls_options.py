"""What the EV offers in TLS, and the contexts that offer it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from bench.ev.errors import PlanMistake
from bench.v2g import tls
from bench.v2g.connection import ClientContext
from bench.v2g.tls12 import client, messages


@dataclass(frozen=True)
class TlsOptions:
    """What the EV offers in TLS. `suites` are IANA names: exactly these are in its one ClientHello.

    None is the ordinary car: ECDHE alone first, since OpenSSL knows no static ECDH; when the charger answers
    that with handshake_failure, both suites of ISO 15118-2 in a second connection. `security_level` 0 is
    needed below TLS 1.2.
    """

    suites: Sequence[str] | None = None
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    security_level: int | None = None
    keylog: Path | None = None


def contexts_for(roots: Sequence[x509.Certificate], options: TlsOptions) -> tuple[ClientContext, ...]:
    """The EV's TLS contexts, in the order of its offers (`Wire.open`).

    Raises PlanMistake for suites that cannot be offered or an unwritable key log.
    """
    only_1_2 = options.min_version == options.max_version == ssl.TLSVersion.TLSv1_2
    try:
        if options.suites is not None and messages.SUITE_NAMES[messages.STATIC_ECDH] in options.suites:
            if not only_1_2:
                raise ValueError("static ECDH can be offered in TLS 1.2 only")
            return (client.client_context(roots, suites=options.suites, keylog=options.keylog),)
        first = tls.client_context(
            roots,
            suites=options.suites or tls.ISO2_SUITES[:1],
            min_version=options.min_version,
            max_version=options.max_version,
            keylog=options.keylog,
            security_level=options.security_level,
        )
        if options.suites is not None or not only_1_2:
            return (first,)
        return first, client.client_context(roots, keylog=options.keylog)
    except (ValueError, OSError) as error:
        raise PlanMistake(f"TLS cannot be set up: {error}") from error
