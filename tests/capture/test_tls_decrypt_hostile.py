"""TLS decryption, records, messages and key logs on bytes that nobody promised anything about."""

from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from tls_pairs import Pair, Wire, identity, plain, problems, read

from bench.capture import keylog as keylogs
from bench.capture import tls_decrypt, tls_messages, tls_records
from bench.capture.keylog import KeyLog
from bench.capture.tls_decrypt import Direction, TlsSession

RANDOM, MASTER = "ab" * 32, "cd" * 48
DIRECTIONS: list[Direction] = ["c2s", "s2c"]


@pytest.fixture(scope="module")
def wires(tmp_path_factory: pytest.TempPathFactory) -> list[Wire]:
    """One connection of each version, with its key log."""
    found = []
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        folder = tmp_path_factory.mktemp("wire")
        end = identity(folder, "end", curve=ec.SECP256R1())
        pair = Pair(folder, end, client=end, version=version).handshake()
        for number in range(4):
            pair.say("c2s", b"request %d" % number)
            pair.say("s2c", b"response %d" % number)
        found.append(pair.close().wire)
    return found


def records(data: bytes) -> list[tls_records.Record | tls_records.Lost]:
    return list(tls_records.RecordBuffer().feed(data, 1, 2))


# -- anything at all


@given(st.lists(st.tuples(st.sampled_from(DIRECTIONS), st.binary(max_size=300)), max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_bytes(flights: list[tuple[Direction, bytes]]) -> None:
    read(flights, KeyLog.parse(f"CLIENT_RANDOM {RANDOM} {MASTER}"))


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


@given(
    st.lists(
        st.tuples(
            st.sampled_from(DIRECTIONS),
            st.one_of(
                st.builds(record, st.integers(20, 23), st.binary(max_size=80)),
                st.builds(
                    record, st.just(22), st.builds(message, st.integers(0, 25), st.binary(max_size=80))
                ),
            ),
        ),
        max_size=20,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_records(flights: list[tuple[Direction, bytes]]) -> None:
    read(flights, KeyLog.parse(f"CLIENT_RANDOM {RANDOM} {MASTER}"))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_real_connection_with_anything_done_to_it(wires: list[Wire], data: st.DataObject) -> None:
    """Changed, lost, repeated and reordered pieces; what comes out as data was said, or nothing."""
    wire = data.draw(st.sampled_from(wires))
    session = TlsSession(KeyLog.parse(wire.keylog))
    events = []
    for direction, original in wire.flights:
        done = data.draw(st.sampled_from(["", "", "", "change", "lose", "repeat", "cut", "turn"]))
        payload, towards = original, direction
        at = data.draw(st.integers(0, len(original) - 1)) if done in ("change", "cut") else 0
        if done == "change":
            payload = (
                original[:at] + bytes([original[at] ^ data.draw(st.integers(1, 255))]) + original[at + 1 :]
            )
        elif done == "cut":
            payload = original[:at]
        elif done == "turn":
            towards = "s2c" if direction == "c2s" else "c2s"
        if done == "lose":
            events += session.gap(direction, data.draw(st.sampled_from([0, 1, len(original), 100_000])))
        else:
            events += session.feed(towards, payload, 1, 1)
        if done == "repeat":
            events += session.feed(towards, payload, 1, 1)
    events += session.finish()
    said = {b"request %d" % number for number in range(4)} | {b"response %d" % number for number in range(4)}
    assert {each.data for each in events if each.kind == "application_data"} <= said
    assert len(problems(events)) <= tls_decrypt.MAX_PROBLEMS + 1


@given(st.text(max_size=300) | st.binary(max_size=300), st.text(max_size=50))
@settings(deadline=None)
def test_any_key_log(first: str | bytes, second: str) -> None:
    log = KeyLog.parse(first)
    log.add(second)
    assert len(log) == 0


def test_wrong_secrets_of_any_length(wires: list[Wire]) -> None:
    for wire in wires:
        for length in (16, 20, 32, 48, 64):
            lines = []
            for line in wire.keylog.splitlines():
                if not line.startswith("#"):
                    label, random, _ = line.split()
                    lines.append(f"{label} {random} {'5a' * length}")
            events = read(wire.flights, KeyLog.parse("\n".join(lines)))
            assert plain(events, "c2s") == plain(events, "s2c") == b""
            assert problems(events)


def test_memory_stays_bounded_under_a_flood() -> None:
    session = TlsSession(KeyLog())
    chunk = record(23, bytes(16_000)) * 4
    for number in range(200):
        session.feed("c2s", chunk, number, 0)
        session.feed("s2c", record(22, message(11, b"")[:1] + b"\x03\xff\xff" + bytes(9000)), number, 0)
    assert session._backlog_bytes <= tls_decrypt.MAX_BACKLOG_BYTES
    assert len(session._sides["s2c"].handshake._buffer) <= tls_records.MAX_MESSAGE + 20_000
    for number in range(20_000):
        session.feed("c2s", record(23, b"x"), number, 0)
    assert session.waiting <= tls_decrypt.MAX_BACKLOG_RECORDS


def test_early_data_is_passed_over(wires: list[Wire]) -> None:
    wire = wires[1]
    _, hello = wire.flights[0]
    body = hello[9:]
    head = 34 + 1 + body[34]
    head += 2 + int.from_bytes(body[head : head + 2], "big")
    head += 1 + body[head]
    extensions = body[head + 2 :] + extension(42, b"")
    early = record(22, message(1, body[:head] + vector(2, extensions)))
    flights = [("c2s", early + record(23, bytes(60)) + record(23, bytes(90))), *wire.flights[1:]]
    events = read(flights, KeyLog.parse(wire.keylog))
    assert problems(events) == ["early data is not decrypted"]
    untouched = read(wire.flights, KeyLog.parse(wire.keylog))
    for direction in DIRECTIONS:
        assert plain(events, direction) == plain(untouched, direction) != b""


# -- records


def test_bytes_that_are_no_record_are_passed_over() -> None:
    found = records(b"GET / HTTP/1.1\r\n\r\n" + record(21, b"\x01\x00") + record(23, b"abc"))
    assert isinstance(found[0], tls_records.Lost)
    assert [each.fragment for each in found if isinstance(each, tls_records.Record)] == [b"\x01\x00", b"abc"]


def test_a_header_by_chance_is_told_by_what_follows() -> None:
    junk = b"zz" + b"\x17\x03\x03\x00\x03abc" + b"junk!" + b"q"
    found = records(junk + record(23, b"first") + record(23, b"second"))
    assert [each.fragment for each in found if isinstance(each, tls_records.Record)] == [b"first", b"second"]


def test_a_gap_within_a_record_loses_that_record_only() -> None:
    buffer = tls_records.RecordBuffer()
    body = record(23, b"a" * 100)
    assert list(buffer.feed(body[:20], 1, 1)) == []
    lost = buffer.gap(30)
    assert lost.records == 1
    again = buffer.gap(10)
    assert again.records == 0
    rest = list(buffer.feed(body[60:] + record(23, b"next"), 2, 2))
    assert [each.fragment for each in rest if isinstance(each, tls_records.Record)] == [b"next"]


@given(st.integers(0, 40), st.integers(1, 200), st.integers(0, 3))
def test_after_any_gap_the_last_record_is_found(held: int, count: int, more: int) -> None:
    stream = record(23, b"\xaa" * 30) * 10
    buffer = tls_records.RecordBuffer()
    list(buffer.feed(stream[:held], 1, 1))
    buffer.gap(count if more else 0)
    rest = list(buffer.feed(stream[held + count :], 2, 2))
    whole = [each for each in rest if isinstance(each, tls_records.Record)]
    assert all(each.fragment == b"\xaa" * 30 for each in whole)
    assert len(whole) == (len(stream) - held - count) // 35


def test_a_message_too_long_is_passed_over() -> None:
    buffer = tls_records.HandshakeBuffer()
    head = bytes([11]) + (tls_records.MAX_MESSAGE + 1).to_bytes(3, "big")
    assert [each.too_long for each in buffer.feed(head + bytes(10))] == [True]
    assert list(buffer.feed(bytes(tls_records.MAX_MESSAGE - 9))) == []
    assert [each.body for each in buffer.feed(message(20, b"done"))] == [b"done"]


# -- messages


def extension(number: int, body: bytes) -> bytes:
    return number.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def vector(size: int, body: bytes) -> bytes:
    return len(body).to_bytes(size, "big") + body


def test_what_a_vehicle_says_in_its_hello() -> None:
    trusted = vector(2, b"\x02" + vector(2, b"name") + b"\x01" + b"k" * 20 + b"\x00")
    extensions = (
        extension(0, vector(2, b"\x00" + vector(2, b"secc.local")))
        + extension(3, trusted)
        + extension(5, b"\x01\x00\x00\x00\x00")
        + extension(10, vector(2, b"\x00\x17\x00\x19"))
        + extension(13, vector(2, b"\x06\x03\x08\x08"))
        + extension(16, vector(2, vector(1, b"iso")))
        + extension(43, vector(1, b"\x03\x04\x03\x03"))
        + extension(47, vector(2, vector(2, b"authority")))
        + extension(0xFAFA, b"?")
    )
    suites = vector(2, b"\xc0\x25\xc0\x23\xfa\xfa")
    body = b"\x03\x03" + b"r" * 32 + vector(1, b"id") + suites + b"\x01\x00" + vector(2, extensions)
    hello = tls_messages.client_hello(body)
    assert hello.info == {
        "version": "TLS 1.2",
        "versions": ["TLS 1.3", "TLS 1.2"],
        "suites": [
            "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
            "0xfafa",
        ],
        "sni": "secc.local",
        "groups": ["secp256r1", "secp521r1"],
        "extensions": [
            "server_name",
            "trusted_ca_keys",
            "status_request",
            "supported_groups",
            "signature_algorithms",
            "application_layer_protocol_negotiation",
            "supported_versions",
            "certificate_authorities",
            "extension 64250",
        ],
        "signature_algorithms": ["ecdsa_secp521r1_sha512", "ed448"],
        "authorities": [b"authority"],
        "random": "72" * 32,
        "session_id": "6964",
        "trusted_ca_keys": [
            {"kind": "x509_name", "value": b"name".hex()},
            {"kind": "key_sha1_hash", "value": "6b" * 20},
            {"kind": "pre_agreed", "value": ""},
        ],
        "alpn": ["iso"],
    }


def test_certificate_requests_and_stapled_responses() -> None:
    old = b"\x01\x40" + vector(2, b"\x04\x03") + vector(2, vector(2, b"CN=Root"))
    assert tls_messages.certificate_request(old, tls13=False) == {
        "authorities": [b"CN=Root"],
        "signature_algorithms": ["ecdsa_secp256r1_sha256"],
    }
    new = b"\x00" + vector(2, extension(13, vector(2, b"\x06\x03")))
    assert tls_messages.certificate_request(new, tls13=True)["signature_algorithms"] == [
        "ecdsa_secp521r1_sha512"
    ]
    assert tls_messages.certificate_status(b"\x01" + vector(3, b"ocsp")) == [b"ocsp"]
    assert tls_messages.certificate_status(b"\x02" + vector(3, vector(3, b"leaf") + vector(3, b""))) == [
        b"leaf",
        b"",
    ]
    entries = vector(3, b"leaf") + vector(2, extension(5, b"\x01" + vector(3, b"ocsp")))
    entries += vector(3, b"sub") + vector(2, b"")
    body = b"\x00" + vector(3, entries)
    assert tls_messages.certificate(body, tls13=True) == ([b"leaf", b"sub"], [b"ocsp", b""])


# -- key logs


def test_key_log_lines_as_they_come_in_practice() -> None:
    text = (
        "# SSL/TLS secrets log file\r\n"
        f"CLIENT_RANDOM {RANDOM.upper()} {MASTER.upper()}\r\n"
        "nonsense\n"
        f"CLIENT_RANDOM {RANDOM} {MASTER[:-2]}\n"
        f"  CLIENT_HANDSHAKE_TRAFFIC_SECRET {'01' * 32}\t{'02' * 32}  \n"
        f"EXPORTER_SECRET {'01' * 32} {'02' * 32}\n"
        f"SERVER_TRAFFIC_SECRET_0 {'01' * 32} {'03' * 48}"
    )
    log = KeyLog.parse(text)
    assert dict(log.secrets(bytes.fromhex(RANDOM))) == {"CLIENT_RANDOM": bytes.fromhex(MASTER)}
    assert dict(log.secrets(b"\x01" * 32)) == {
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET": b"\x02" * 32,
        "SERVER_TRAFFIC_SECRET_0": b"\x03" * 48,
    }
    assert log.generation == 3
    assert log.secrets(b"other") == {}
    assert KeyLog.parse(text.encode()).generation == 3


@given(st.lists(st.integers(1, 100), max_size=8))
def test_a_key_log_that_grows_in_pieces(cuts: list[int]) -> None:
    text = "".join(f"CLIENT_RANDOM {number:02x}{RANDOM[2:]} {MASTER}\n" for number in range(4))
    log, at = KeyLog(), 0
    for size in cuts:
        log.add(text[at : at + size])
        at += size
    log.add(text[at:])
    assert len(log) == 4


def test_lines_without_an_end_each() -> None:
    log = KeyLog()
    for number in range(4):
        assert log.add(f"CLIENT_RANDOM {number:02x}{RANDOM[2:]} {MASTER}") == 1
    assert len(log) == 4


def test_a_key_log_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keylogs, "MAX_SESSIONS", 10)
    log = KeyLog.parse("".join(f"CLIENT_RANDOM {number:064x} {MASTER}\n" for number in range(50)))
    assert len(log) == 10
    assert next(log.recent(1)) == (49).to_bytes(32, "big")
    for number in range(100):
        log.add(f"CLIENT_TRAFFIC_SECRET_{number} {49:064x} {'00' * 32}\n")
    assert len(log.secrets((49).to_bytes(32, "big"))) == keylogs.MAX_LABELS
    log.add("C" * 100_000)
    assert len(log._unfinished) <= 1024
