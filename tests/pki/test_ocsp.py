"""OCSP: the pure responder, the responder over real HTTP, hostile answers, OCPP hash data."""

from __future__ import annotations

import base64
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp as x509_ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.pki import Pki
from bench.pki.ocsp import (
    MAX_REQUEST_BYTES,
    OcspError,
    OcspResponder,
    certificate_hash_data,
    hash_data,
    query,
    read_response,
    request_for,
)

PKI = Pki.create()
LEAF = PKI.contract.certificate
ISSUER = PKI.contract.chain[1]


@pytest.fixture
def responder() -> Iterator[OcspResponder]:
    with OcspResponder(PKI) as running:
        yield running


def test_good_revoked_and_unknown_over_http(responder: OcspResponder) -> None:
    assert query(responder.url, LEAF, ISSUER).status == "good"
    revoked = PKI.faulty("contract", "revoked").certificate
    result = query(responder.url, revoked, ISSUER)
    assert result.status == "revoked"
    assert result.revoked_at is not None
    forgotten = PKI.issue_contract().certificate
    PKI.revocations.forget(forgotten)
    assert query(responder.url, forgotten, ISSUER).status == "unknown"
    assert responder.requests == 3


def test_sub_cas_can_be_asked_about(responder: OcspResponder) -> None:
    assert query(responder.url, ISSUER, PKI.contract.chain[2]).status == "good"
    assert query(responder.url, PKI.contract.chain[2], PKI.contract.root).status == "good"


def test_ipv6_and_get(responder: OcspResponder) -> None:
    with OcspResponder(PKI, host="::1") as other:
        assert "[::1]" in other.url
        assert query(other.url, LEAF, ISSUER).status == "good"
    request = base64.b64encode(request_for(LEAF, ISSUER)).decode().replace("/", "%2F")
    with urllib.request.urlopen(f"{responder.url}/{request}", timeout=5) as answer:
        assert read_response(answer.read(), LEAF, ISSUER).status == "good"


def test_a_stale_answer_can_be_made(responder: OcspResponder) -> None:
    responder.age = timedelta(days=8)
    result = query(responder.url, LEAF, ISSUER)
    assert result.next_update is not None
    assert result.next_update - result.this_update == timedelta(days=7)


def test_a_nonce_comes_back() -> None:
    builder = x509_ocsp.OCSPRequestBuilder().add_certificate(LEAF, ISSUER, hashes.SHA1())
    request = builder.add_extension(x509.OCSPNonce(b"0123456789abcdef"), critical=False).build()
    data = OcspResponder(PKI).respond(request.public_bytes(serialization.Encoding.DER))
    response = x509_ocsp.load_der_ocsp_response(data)
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"0123456789abcdef"


def test_a_stranger_is_not_answered(responder: OcspResponder) -> None:
    other = Pki.create()
    with pytest.raises(OcspError, match="unauthorized"):
        query(responder.url, other.contract.certificate, other.contract.chain[1])


def test_an_answer_of_another_issuer_or_about_another_certificate_is_refused() -> None:
    data = OcspResponder(PKI).staple(LEAF, ISSUER)
    with pytest.raises(OcspError, match="another certificate"):
        read_response(data, PKI.secc.certificate, ISSUER)
    with pytest.raises(OcspError, match="not signed"):
        read_response(data, LEAF, PKI.secc.chain[1])


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_answered(data: bytes) -> None:
    response = x509_ocsp.load_der_ocsp_response(OcspResponder(PKI).respond(data))
    assert response.response_status is not x509_ocsp.OCSPResponseStatus.SUCCESSFUL
    with pytest.raises(OcspError):
        read_response(data, LEAF, ISSUER)


def test_too_large_a_request_is_refused(responder: OcspResponder) -> None:
    data = OcspResponder(PKI).respond(bytes(MAX_REQUEST_BYTES + 1))
    response = x509_ocsp.load_der_ocsp_response(data)
    assert response.response_status is x509_ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    request = urllib.request.Request(responder.url, data=bytes(MAX_REQUEST_BYTES + 1))
    with pytest.raises(OSError):  # 413, or a reset while the body is still sent
        urllib.request.urlopen(request, timeout=5)


def serve_once(answer: Callable[[socket.socket], None]) -> tuple[str, threading.Thread]:
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                answer(connection)

    thread = threading.Thread(target=run)
    thread.start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/", thread


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"rubbish\r\n\r\n",
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(70_000),
    ],
)
def test_hostile_responders(answer: bytes) -> None:
    url, thread = serve_once(lambda connection: connection.sendall(answer))
    with pytest.raises(OcspError):
        query(url, LEAF, ISSUER, 2.0)
    thread.join()


@pytest.mark.parametrize(
    "url", ["", "ftp://x/", "http://", "http://[::1", "http://h:99999999/", "file:///etc"]
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(OcspError):
        query(url, LEAF, ISSUER)


def test_hash_data_is_what_the_request_carries() -> None:
    request = x509_ocsp.load_der_ocsp_request(request_for(LEAF, ISSUER))
    data = hash_data(LEAF, ISSUER)
    assert data["hashAlgorithm"] == "SHA256"
    assert data["issuerNameHash"] == request.issuer_name_hash.hex()
    assert data["issuerKeyHash"] == request.issuer_key_hash.hex()
    assert int(data["serialNumber"], 16) == request.serial_number
    assert not data["serialNumber"].startswith("0")
    assert data["responderURL"] == PKI.ocsp_url
    assert "responderURL" not in certificate_hash_data(LEAF, ISSUER)


def test_status_by_hash_data() -> None:
    responder = OcspResponder(PKI)
    assert responder.status(hash_data(LEAF, ISSUER)) == "good"
    revoked = PKI.faulty("contract", "revoked").certificate
    assert responder.status(hash_data(revoked, ISSUER)) == "revoked"
    assert responder.status({"issuerNameHash": "x"}) == "unknown"
    assert responder.status({**hash_data(LEAF, ISSUER), "serialNumber": "xyz"}) == "unknown"
