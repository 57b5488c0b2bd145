"""Below `ssl`: trusted_ca_keys is in the ClientHello, OCSP is asked for and stapled, over real sockets."""

from __future__ import annotations

import gc
import socket

import pytest
from tls_server import server

from bench.pki import Pki
from bench.pki.ocsp import OcspResponder, read_response
from bench.v2g import tls, tls_bridge
from bench.v2g.connection import V2GConnection

pytestmark = pytest.mark.skipif(not tls_bridge.available(), reason="OpenSSL cannot be reached below ssl here")
PKI = Pki.create()


def connect(port: int, context: tls.ClientContext) -> tls.TlsInfo:
    with V2GConnection.open("::1", port, "lo", context, timeout_s=5) as connection:
        assert connection.tls is not None
        return connection.tls


def hello_of(context: tls.ClientContext) -> bytes:
    seen: list[bytes] = []

    def listen(sock: socket.socket) -> None:
        seen.append(sock.recv(65_536))

    with server(handler=listen) as port, pytest.raises(tls.TlsFailure):
        connect(port, context)
    return seen[0]


@pytest.mark.parametrize("kind", ["x509_name", "cert_sha1_hash", "key_sha1_hash"])
def test_trusted_ca_keys_is_sent(kind: tls_bridge.AuthorityKind) -> None:
    context = tls.client_context([PKI.v2g_root])
    body = tls_bridge.trusted_ca_keys([PKI.v2g_root, PKI.foreign.v2g_root], [kind])
    assert body not in hello_of(context)
    tls_bridge.send_trusted_ca_keys(context, body)
    gc.collect()
    assert b"\x00\x03" + len(body).to_bytes(2, "big") + body in hello_of(context)
    with pytest.raises(tls_bridge.BridgeError):
        tls_bridge.send_trusted_ca_keys(context, body)


def test_a_server_that_ignores_the_extension_is_no_trouble() -> None:
    context = tls.client_context([PKI.v2g_root])
    tls_bridge.send_trusted_ca_keys(context, tls_bridge.trusted_ca_keys([PKI.v2g_root]))
    with server(tls.server_context(PKI.secc.pem_chain(), PKI.secc.private_key)) as port:
        for _ in range(3):
            assert connect(port, context).check is not None


def test_a_stapled_response_arrives() -> None:
    serving = tls.server_context(PKI.secc.pem_chain(), PKI.secc.private_key)
    asking = tls.client_context([PKI.v2g_root])
    response = OcspResponder(PKI).staple(PKI.secc.certificate, PKI.secc.chain[1])
    with server(serving) as port:
        tls_bridge.request_ocsp(asking)
        assert connect(port, asking).ocsp_response is None
        tls_bridge.staple(serving, response)
        gc.collect()
        for _ in range(20):
            stapled = connect(port, asking).ocsp_response
            assert stapled == response
        assert read_response(response, PKI.secc.certificate, PKI.secc.chain[1]).status == "good"
        assert connect(port, tls.client_context([PKI.v2g_root])).ocsp_response is None
        tls_bridge.staple(serving, b"rubbish")
        assert connect(port, asking).ocsp_response == b"rubbish"
        tls_bridge.staple(serving, None)
        assert connect(port, asking).ocsp_response is None


def test_too_many_roots_are_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        tls_bridge.trusted_ca_keys([PKI.v2g_root] * 500)
