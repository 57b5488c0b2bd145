"""The certificate and the TLS context that the charger shows to EVs."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable

from bench.charger.secc.server import Listener
from bench.charger.store import CertificateStore, Identity
from bench.v2g import tls

log = logging.getLogger(__name__)


def iso2_context(identity: Identity) -> ssl.SSLContext:
    """TLS 1.2 with the suites of ISO 15118-2. Raises ValueError when chain and key do not fit."""
    return tls.server_context(identity.chain_pem, identity.key_pem)


class SeccTls:
    """Holds the context; follows the store when the SECC certificate is renewed."""

    def __init__(self, store: CertificateStore) -> None:
        self.store = store
        self.identity: Callable[[], Identity | None] = lambda: self.store.secc
        """What is shown; defects replace it, then call `reload`."""
        self.make_context: Callable[[Identity], ssl.SSLContext] = iso2_context
        self.context: ssl.SSLContext | None = None
        self.reload()
        store.on_change.append(self.reload)

    def reload(self) -> None:
        """Make the context anew; the next handshake uses it. A certificate that cannot be used leaves the
        old one."""
        identity = self.identity()
        if identity is None:
            return
        try:
            self.context = self.make_context(identity)
        except ValueError as error:
            log.error("the SECC certificate cannot be used: %s", error)

    def handshake_failed(self, listener: Listener) -> None:
        """A handshake failed: nothing to do, the next one is as good as any."""
