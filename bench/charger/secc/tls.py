"""The certificate and the TLS contexts that the charger shows to EVs.

A car that offers ECDHE is served by OpenSSL; one that knows static ECDH only, by `bench.v2g.tls12`.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable

from bench.charger.secc.server import Listener
from bench.charger.store import CertificateStore, Identity, StoreError
from bench.v2g import tls
from bench.v2g.tls12 import messages, server

log = logging.getLogger(__name__)


def iso2_context(identity: Identity) -> ssl.SSLContext:
    """TLS 1.2 with the ECDHE suite of ISO 15118-2. Raises ValueError when chain and key do not fit."""
    return tls.server_context(identity.chain_pem, identity.key_pem)


def _static_context(identity: Identity) -> server.ServerContext | None:
    """TLS 1.2 with the static ECDH suite; None for a key that cannot do it."""
    try:
        return server.server_context(identity.chain, identity.key)
    except (ValueError, StoreError) as error:
        log.warning("no static ECDH with the SECC certificate: %s", error)
        return None


class SeccTls:
    """Holds the contexts; follows the store when the SECC certificate is renewed."""

    def __init__(self, store: CertificateStore) -> None:
        self.store = store
        self.identity: Callable[[], Identity | None] = lambda: self.store.secc
        """What is shown; defects replace it, then call `reload`."""
        self.make_context: Callable[[Identity], ssl.SSLContext] = iso2_context
        self.suites: tuple[str, ...] = tls.ISO2_SUITES
        """What cars may choose from; defects shorten it."""
        self.context: ssl.SSLContext | None = None
        self.static_context: server.ServerContext | None = None
        self.reload()
        store.on_change.append(self.reload)

    def reload(self) -> None:
        """Make the contexts anew; the next handshake uses them. A certificate that cannot be used leaves the
        old ones."""
        identity = self.identity()
        if identity is None:
            return
        try:
            self.context = self.make_context(identity)
        except ValueError as error:
            log.error("the SECC certificate cannot be used: %s", error)
        else:
            self.static_context = _static_context(identity)

    def choose(self, offered: frozenset[int]) -> ssl.SSLContext | server.ServerContext:
        """The context for a car that offers these suites: ECDHE is preferred, refusing is left to OpenSSL.

        Raises OSError when there is no SECC certificate.
        """
        if self.context is None:
            raise OSError("no SECC certificate")
        with_ecdhe = messages.SUITE_NAMES[messages.ECDHE] in self.suites
        with_static = messages.SUITE_NAMES[messages.STATIC_ECDH] in self.suites
        only_static = messages.STATIC_ECDH in offered and messages.ECDHE not in offered
        if self.static_context is not None and with_static and (only_static or not with_ecdhe):
            return self.static_context
        return self.context

    def handshake_failed(self, listener: Listener) -> None:
        """A handshake failed: nothing to do, the next one is as good as any."""
