"""TLS over real loopback sockets: good, faulty and refused handshakes, and the hand-built ClientHello."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tls_server import server

from bench.pki import FAULTS, Credential, Pki
from bench.v2g import tls, tls_probe
from bench.v2g.connection import V2GConnection, socket_address

PKI = Pki.create()
SECC = PKI.secc
CLIENT = tls.client_context([PKI.v2g_root])


def charger(credential: Credential = SECC, **options: object) -> ssl.SSLContext:
    return tls.server_context(credential.pem_chain(), credential.private_key, **options)  # type: ignore[arg-type]


def connect(port: int, context: tls.ClientContext = CLIENT) -> tls.TlsInfo:
    with V2GConnection.open("::1", port, "lo", context, timeout_s=5) as connection:
        assert connection.tls is not None
        return connection.tls


def test_a_good_handshake_is_told() -> None:
    with server(charger()) as port:
        info = connect(port)
    assert info.version == "TLSv1.2"
    assert info.cipher == "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"
    assert info.chain == list(SECC.chain)
    assert info.check is not None
    assert info.check.ok
    assert 0 < info.duration_s < 5


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in ("revoked", "wrong-common-name")])
def test_a_faulty_chain_is_recorded_as_sent_and_named(fault: str) -> None:
    credential = PKI.faulty("secc", fault)
    with server(charger(credential, curve=None)) as port:
        info = connect(port)
    assert info.chain == list(credential.chain)
    assert info.check is not None
    assert set(info.check.codes) == {FAULTS[fault].code}


def test_tls_13_and_mutual_authentication() -> None:
    context = charger(max_version=ssl.TLSVersion.TLSv1_3, client_roots=[PKI.oem_root.certificate])
    with server(context) as port:
        client = tls.client_context([PKI.v2g_root], max_version=ssl.TLSVersion.TLSv1_3, client=PKI.oem)
        info = connect(port, client)
    assert info.version == "TLSv1.3"
    assert info.chain == list(SECC.chain)


def test_a_refused_version_is_an_alert() -> None:
    old = tls.client_context(
        [PKI.v2g_root],
        suites=["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"],
        min_version=ssl.TLSVersion.TLSv1_1,
        max_version=ssl.TLSVersion.TLSv1_1,
        security_level=0,
    )
    with server(charger()) as port, pytest.raises(tls.TlsFailure) as failure:
        connect(port, old)
    assert failure.value.alert == "protocol_version"


def test_no_shared_suite_is_an_alert() -> None:
    other = tls.client_context([PKI.v2g_root], suites=["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"])
    with server(charger()) as port:
        with pytest.raises(tls.TlsFailure) as failure:
            connect(port, other)
        assert connect(port).version == "TLSv1.2"
    assert failure.value.alert == "handshake_failure"


def test_a_server_that_is_none() -> None:
    words = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with server(handler=lambda sock: sock.sendall(words)) as port, pytest.raises(tls.TlsFailure) as failure:
        connect(port)
    assert failure.value.alert is None
    with server(handler=lambda sock: None) as port, pytest.raises(tls.TlsFailure, match="closed"):
        connect(port)


def test_a_silent_or_dripping_server_is_bounded() -> None:
    def drip(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"\x16\x03\x03\x40\x00")
        for _ in range(40):
            sock.sendall(b"\x02")
            time.sleep(0.05)

    started = time.monotonic()
    with server(handler=drip) as port, pytest.raises(tls.TlsFailure) as failure:
        V2GConnection.open("::1", port, "lo", CLIENT, timeout_s=0.3)
    assert failure.value.timeout
    assert time.monotonic() - started < 4


def test_the_key_log_is_written(tmp_path: Path) -> None:
    keylog = tmp_path / "tls.keylog"
    context = tls.client_context([PKI.v2g_root], keylog=keylog)
    with server(charger()) as port:
        connect(port, context)
    assert "CLIENT_RANDOM " in keylog.read_text()


def test_contexts_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="no usable cipher suite"):
        tls.client_context([], suites=["TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256"])
    with pytest.raises(ValueError, match="cannot be used"):
        tls.server_context(SECC.pem_chain(), PKI.contract.private_key)


@given(st.binary(max_size=400))
def test_any_certificate_message(body: bytes) -> None:
    chain, bad = tls.parse_certificate_message(body)
    assert chain == []
    assert bad <= 16


def test_certificate_messages_of_both_versions() -> None:
    der = SECC.der_chain()
    entries = b"".join(len(each).to_bytes(3, "big") + each for each in der)
    assert tls.parse_certificate_message(len(entries).to_bytes(3, "big") + entries) == (list(SECC.chain), 0)
    entries = b"".join(len(each).to_bytes(3, "big") + each + b"\x00\x00" for each in der)
    body = b"\x00" + len(entries).to_bytes(3, "big") + entries
    assert tls.parse_certificate_message(body) == (list(SECC.chain), 0)


# --- the hand-built ClientHello ---


def probe(port: int, **options: object) -> tls_probe.ProbeResult:
    return tls_probe.probe(socket_address("::1", port, "lo"), **options)  # type: ignore[arg-type]


def test_probe_is_answered_and_the_charger_lives_on() -> None:
    with server(charger()) as port:
        result = probe(port)
        assert (result.kind, result.version) == ("server_hello", "tls1.2")
        assert result.suite == "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"
        assert not result.refused
        for version in ("ssl3", "tls1.0", "tls1.1"):
            refused = probe(port, versions=[version], suites=["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"])
            assert refused.refused, version
        assert probe(port, versions=["tls1.1"]).alert in ("protocol_version", "handshake_failure")
        assert probe(port, suites=["TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256"]).alert == "handshake_failure"
        assert probe(port, suites=["TLS_RSA_WITH_NULL_SHA256", 0xABCD]).alert == "handshake_failure"
        assert probe(port, groups=["x448"]).refused
        assert connect(port).check is not None


def test_probe_of_tls_13() -> None:
    with server(charger(max_version=ssl.TLSVersion.TLSv1_3)) as port:
        both = probe(
            port,
            versions=["tls1.3", "tls1.2"],
            suites=["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"],
        )
        assert (both.kind, both.version, both.suite) == ("server_hello", "tls1.3", "TLS_AES_256_GCM_SHA384")
        retry = probe(
            port, versions=["tls1.3"], suites=["TLS_AES_128_GCM_SHA256"], groups=["x25519", "secp256r1"]
        )
        assert retry.retry
        scsv = probe(port, suites=["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLS_FALLBACK_SCSV"])
        assert scsv.alert == "inappropriate_fallback"
    with server(charger()) as port:
        fallback = probe(
            port,
            versions=["tls1.3", "tls1.2"],
            suites=["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"],
        )
        assert fallback.version == "tls1.2"


def test_probe_of_what_is_no_tls() -> None:
    with server(handler=lambda sock: None) as port:
        assert probe(port).kind == "closed"
    with server(handler=lambda sock: sock.sendall(b"hello")) as port:
        assert probe(port).kind == "garbage"
    with server(handler=lambda sock: sock.sendall(b"\x16\x03\x03\x00\x10\x02\x00\x00")) as port:
        assert probe(port, timeout_s=0.2).kind in ("timeout", "closed")
    with server(handler=lambda sock: time.sleep(0.4)) as port:
        result = probe(port, timeout_s=0.2)
    assert result.kind == "timeout"
    assert 0.2 <= result.duration_s < 2


def test_unknown_names_are_refused() -> None:
    for options in ({"versions": ["tls9"]}, {"suites": ["X"]}, {"groups": ["X"]}, {"signatures": ["X"]}):
        with pytest.raises(ValueError, match="unknown"):
            tls_probe.client_hello(**options)  # type: ignore[arg-type]


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_answer_is_parsed(data: bytes) -> None:
    for candidate in (data, b"\x16\x03\x03" + data, b"\x16\x03\x03\x00\x60\x02\x00\x00\x5c\x03\x03" + data):
        result = tls_probe.parse_answer(candidate)
        assert result is None or result.kind in ("server_hello", "alert", "garbage")
