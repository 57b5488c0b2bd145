"""Own TLS decryption against OpenSSL: every suite, resumption, retry, key update, and what goes wrong."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tls_pairs import NO_ENCRYPT_THEN_MAC, Identity, Pair, identity, of_kind, plain, problems, read

from bench.capture import tls_decrypt, tls_protection
from bench.capture.keylog import KeyLog
from bench.capture.tls_decrypt import Direction, TlsSession
from bench.capture.tls_names import suite_numbers
from bench.pki import Pki
from bench.v2g import tls, tls_bridge
from bench.v2g.tls12.client import client_context as tls12_client
from bench.v2g.tls12.server import server_context as tls12_server

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CBC = ["AES128-SHA", "AES256-SHA", "AES128-SHA256", "AES256-SHA384"]
ECDSA_12 = [f"ECDHE-ECDSA-{each}" for each in CBC] + [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-CCM",
    "ECDHE-ECDSA-AES256-CCM8",
]
RSA_12 = ["AES256-SHA256", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"]
SUITES_13 = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
]
bridge = pytest.mark.skipif(not tls_bridge.available(), reason="OpenSSL cannot be reached below ssl here")


@pytest.fixture(scope="module")
def ids(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    folder = tmp_path_factory.mktemp("identities")
    return {
        "secc": identity(folder, "SECC", curve=ec.SECP256R1()),
        "secc521": identity(folder, "SECC521", curve=ec.SECP521R1()),
        "vehicle": identity(folder, "Vehicle", curve=ec.SECP521R1()),
        "rsa": identity(folder, "RSA"),
    }


def assert_whole(pair: Pair, *, session: TlsSession | None = None) -> list[tls_decrypt.TlsEvent]:
    """The transcript is read without a problem, and what was said is what is read."""
    events = read(pair.wire.flights, KeyLog.parse(pair.wire.keylog), session=session)
    assert problems(events) == []
    assert plain(events, "c2s") == pair.said["c2s"]
    assert plain(events, "s2c") == pair.said["s2c"]
    return events


@pytest.mark.parametrize("options", [0, NO_ENCRYPT_THEN_MAC], ids=["encrypt-then-mac", "mac-then-encrypt"])
@pytest.mark.parametrize("cipher", ECDSA_12 + RSA_12)
def test_tls12(tmp_path: Path, ids: dict[str, Identity], cipher: str, options: int) -> None:
    server = ids["rsa"] if cipher in RSA_12 else ids["secc"]
    pair = Pair(tmp_path, server, ciphers=cipher, options=options, server_name="secc.local")
    events = assert_whole(pair.handshake().talk().close())
    [hello], [answer] = of_kind(events, "client_hello"), of_kind(events, "server_hello")
    assert hello.info["sni"] == "secc.local"
    assert answer.info["version"] == "TLS 1.2"
    assert answer.info["suite"] in hello.info["suites"]
    assert of_kind(events, "certificate")[0].info["chain"] == [server.der]
    names = [each.info["name"] for each in of_kind(events, "handshake")]
    assert names.count("finished") == 2
    alerts = of_kind(events, "alert")
    assert {each.info["description"] for each in alerts} == {"close_notify"}
    assert all(each.info["encrypted"] for each in alerts)


@bridge
@pytest.mark.parametrize("suite", SUITES_13)
def test_tls13_mutual(tmp_path: Path, ids: dict[str, Identity], suite: str) -> None:
    pair = Pair(tmp_path, ids["secc521"], client=ids["vehicle"], version=TLS13, suites13=suite)
    events = assert_whole(pair.handshake().talk().close())
    [answer] = of_kind(events, "server_hello")
    assert (answer.info["version"], answer.info["suite"]) == ("TLS 1.3", suite)
    chains = [(each.direction, each.info["chain"]) for each in of_kind(events, "certificate")]
    assert chains == [("s2c", [ids["secc521"].der]), ("c2s", [ids["vehicle"].der])]
    [request] = of_kind(events, "certificate_request")
    assert "ecdsa_secp521r1_sha512" in request.info["signature_algorithms"]
    names = [each.info["name"] for each in of_kind(events, "handshake")]
    assert names.count("finished") == 2
    assert "new_session_ticket" in names


def test_tls12_mutual(tmp_path: Path, ids: dict[str, Identity]) -> None:
    pair = Pair(tmp_path, ids["secc"], client=ids["vehicle"])
    events = assert_whole(pair.handshake().talk())
    [request] = of_kind(events, "certificate_request")
    assert "ecdsa_secp521r1_sha512" in request.info["signature_algorithms"]
    assert [each.direction for each in of_kind(events, "certificate")] == ["s2c", "c2s"]


def test_hello_retry_request(tmp_path: Path, ids: dict[str, Identity]) -> None:
    pair = Pair(tmp_path, ids["secc521"], version=TLS13, server_curve="secp521r1")
    events = assert_whole(pair.handshake().talk())
    answers = of_kind(events, "server_hello")
    assert [each.info["hello_retry_request"] for each in answers] == [True, False]
    assert answers[1].info["group"] == "secp521r1"
    assert len(of_kind(events, "client_hello")) == 2


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_resumption(tmp_path: Path, ids: dict[str, Identity], version: ssl.TLSVersion) -> None:
    first = Pair(tmp_path, ids["secc"], version=version, server_name="a").handshake().talk().close()
    assert_whole(first)
    second = Pair(
        tmp_path, ids["secc"], contexts=first.contexts, session=first.client.session, server_name="a"
    )
    events = assert_whole(second.handshake().talk())
    assert second.client.session_reused
    assert of_kind(events, "certificate") == []


@bridge
def test_key_update(tmp_path: Path, ids: dict[str, Identity]) -> None:
    pair = Pair(tmp_path, ids["secc"], version=TLS13).handshake().talk()
    pair.key_update("c2s", request=True)
    pair.talk()
    pair.key_update("s2c", request=False)
    pair.talk()
    names = [each.info.get("name") for each in assert_whole(pair)]
    assert names.count("key_update") == 3


def test_static_ecdh(tmp_path: Path) -> None:
    """OpenSSL has no static ECDH any more: the bench's own two ends speak it."""
    _, suite = tls.ISO2_SUITES
    assert suite == "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256"
    secc = Pki.create().secc
    client = tls12_client([], suites=[suite], keylog=tmp_path / "tls.keylog")
    ways: dict[Direction, tuple[ssl.MemoryBIO, ssl.MemoryBIO]] = {
        "c2s": (ssl.MemoryBIO(), ssl.MemoryBIO()),
        "s2c": (ssl.MemoryBIO(), ssl.MemoryBIO()),
    }
    near = client.wrap_bio(ways["s2c"][1], ways["c2s"][0])
    far = tls12_server(secc.chain, secc.private_key).wrap_bio(
        ways["c2s"][1], ways["s2c"][0], server_side=True
    )
    flights: list[tuple[Direction, bytes]] = []

    def move() -> None:
        for direction, (out, into) in ways.items():
            if data := out.read():
                flights.append((direction, data))
                into.write(data)

    open_sides = [near, far]
    while open_sides:
        for side in tuple(open_sides):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
                open_sides.remove(side)
            move()
    near.write(b"request" * 5000)
    far.write(b"response")
    move()
    events = read(flights, KeyLog.parse((tmp_path / "tls.keylog").read_text()))
    assert problems(events) == []
    assert of_kind(events, "server_hello")[0].info["suite"] == suite
    assert of_kind(events, "certificate")[0].info["chain"] == [
        each.public_bytes(serialization.Encoding.DER) for each in secc.chain
    ]
    assert plain(events, "c2s") == b"request" * 5000
    assert plain(events, "s2c") == b"response"


def test_the_pseudorandom_function_with_the_published_vector() -> None:
    """The P_SHA256 vector that was sent round the TLS working group's list for RFC 5246."""
    secret, seed = (
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
    )
    made = tls_protection.prf(secret, b"test label", seed, 100, "sha256")
    assert made.hex().startswith("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")
    assert len(made) == 100


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_cut_into_segments_does_not_matter(
    tmp_path: Path, ids: dict[str, Identity], version: ssl.TLSVersion, size: int
) -> None:
    pair = Pair(tmp_path, ids["secc"], client=ids["vehicle"], version=version).handshake()
    pair.say("c2s", b"x" * 3000)
    keylog = KeyLog.parse(pair.wire.keylog)
    cut = [
        (direction, data[at : at + size])
        for direction, data in pair.wire.flights
        for at in range(0, len(data), size)
    ]
    whole, pieces = read(pair.wire.flights, keylog), read(cut, keylog)
    bare = [[(each.kind, each.direction, each.data, each.info) for each in run] for run in (whole, pieces)]
    assert bare[0] == bare[1]


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_secrets_that_come_late(tmp_path: Path, ids: dict[str, Identity], version: ssl.TLSVersion) -> None:
    pair = Pair(tmp_path, ids["secc"], client=ids["vehicle"], version=version).handshake().talk()
    keylog = KeyLog()
    session = TlsSession(keylog)
    early = [
        event
        for number, (direction, data) in enumerate(pair.wire.flights)
        for event in session.feed(direction, data, number, number * 1000)
    ]
    assert of_kind(early, "application_data") == of_kind(early, "problem") == []
    assert session.waiting > 0
    keylog.add(pair.wire.keylog)
    late = session.poll()
    assert session.waiting == 0
    assert plain(late, "c2s") == pair.said["c2s"]
    assert plain(late, "s2c") == pair.said["s2c"]
    assert [each.frame for each in late] == sorted(each.frame for each in late)
    at_once = read(pair.wire.flights, keylog)
    assert [each for each in at_once if each not in early] == late
    assert session.finish() == []


def test_secrets_that_never_come_are_told_once(tmp_path: Path, ids: dict[str, Identity]) -> None:
    pair = Pair(tmp_path, ids["secc"]).handshake().talk()
    events = read(pair.wire.flights, KeyLog())
    random = of_kind(events, "client_hello")[0].info["random"]
    texts = problems(events)
    assert len(texts) == 2  # One a direction.
    assert all(each.startswith(f"no secrets in the key log for client random {random}") for each in texts)


def test_the_backlog_is_bounded(
    tmp_path: Path, ids: dict[str, Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_decrypt, "MAX_BACKLOG_BYTES", 60_000)
    pair = Pair(tmp_path, ids["secc"], version=TLS13).handshake().talk().talk()
    keylog = KeyLog()
    session = TlsSession(keylog)
    events = [each for flight in pair.wire.flights for each in session.feed(*flight, 0, 0)]
    assert any("the oldest are given up" in each for each in problems(events))
    keylog.add(pair.wire.keylog)
    late = session.poll()
    # The end of what was said is still there, after the records given up.
    assert plain(late, "s2c")
    assert pair.said["s2c"].endswith(plain(late, "s2c"))


@pytest.mark.parametrize(
    ("version", "cipher"),
    [
        (TLS12, "ECDHE-ECDSA-AES128-SHA256"),
        (TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (TLS12, "ECDHE-ECDSA-CHACHA20-POLY1305"),
        (TLS13, ""),
    ],
)
@pytest.mark.parametrize("options", [0, NO_ENCRYPT_THEN_MAC])
def test_a_changed_byte_is_a_problem_and_the_rest_is_read(
    tmp_path: Path, ids: dict[str, Identity], version: ssl.TLSVersion, cipher: str, options: int
) -> None:
    pair = Pair(tmp_path, ids["secc"], version=version, ciphers=cipher, options=options).handshake()
    start = len(pair.wire.flights)
    for number in range(5):
        pair.say("c2s", b"message %d" % number)
    keylog = KeyLog.parse(pair.wire.keylog)
    for position in (-1, 10, 25):
        flights = list(pair.wire.flights)
        direction, data = flights[start + 2]
        changed = bytearray(data)
        changed[position] ^= 1
        flights[start + 2] = (direction, bytes(changed))
        events = read(flights, keylog)
        [problem] = of_kind(events, "problem")
        assert problem.info["text"].startswith("record does not authenticate")
        assert problem.frame == start + 2
        assert [each.data for each in of_kind(events, "application_data")] == [
            b"message 0",
            b"message 1",
            b"message 3",
            b"message 4",
        ]


@pytest.mark.parametrize(
    ("version", "cipher"),
    [
        (TLS12, "ECDHE-ECDSA-AES128-SHA256"),
        (TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (TLS12, "ECDHE-ECDSA-CHACHA20-POLY1305"),
        (TLS13, ""),
    ],
)
@pytest.mark.parametrize(("lost", "keep"), [(1, 0), (1, 7), (3, 0), (3, 7), (10, 20)])
def test_after_lost_bytes_it_goes_on(
    tmp_path: Path, ids: dict[str, Identity], version: ssl.TLSVersion, cipher: str, lost: int, keep: int
) -> None:
    """`lost` records are not captured but for the first `keep` bytes."""
    pair = Pair(tmp_path, ids["secc"], version=version, ciphers=cipher).handshake()
    start = len(pair.wire.flights)
    for number in range(15):
        pair.say("c2s", b"message %d" % number)
    session = TlsSession(KeyLog.parse(pair.wire.keylog))
    events = [each for flight in pair.wire.flights[:start] for each in session.feed(*flight, 0, 0)]
    missing = b"".join(data for _, data in pair.wire.flights[start : start + lost])
    events += session.feed("c2s", missing[:keep], 1, 1)
    events += session.gap("c2s", len(missing) - keep)
    assert f"{len(missing) - keep} bytes of the stream are missing" in problems(events)
    for flight in pair.wire.flights[start + lost :]:
        events += session.feed(*flight, 2, 2)
    events += session.finish()
    texts = [each.data for each in of_kind(events, "application_data")]
    assert texts == [b"message %d" % number for number in range(lost, 15)]


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("gap", [True, False])
def test_a_lost_client_flight_of_the_handshake(
    tmp_path: Path, ids: dict[str, Identity], version: ssl.TLSVersion, gap: bool
) -> None:
    """Without the client's Finished (and its ChangeCipherSpec) the data is still found."""
    pair = Pair(tmp_path, ids["secc"], version=version).handshake().talk()
    session = TlsSession(KeyLog.parse(pair.wire.keylog))
    lost = [number for number, (direction, _) in enumerate(pair.wire.flights) if direction == "c2s"][1]
    events = []
    for number, (direction, data) in enumerate(pair.wire.flights):
        if number == lost:
            events += session.gap(direction, len(data) if gap else 0)
        else:
            events += session.feed(direction, data, number, 0)
    assert plain(events, "c2s") == pair.said["c2s"]
    assert plain(events, "s2c") == pair.said["s2c"]


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_without_the_client_hello_the_secret_that_fits_is_taken(
    tmp_path: Path, ids: dict[str, Identity], version: ssl.TLSVersion
) -> None:
    pair = Pair(tmp_path, ids["secc"], version=version).handshake().talk()
    other = Pair(tmp_path, ids["secc"], version=version).handshake()
    assert other.wire.keylog.count("\n") >= 2
    events = read(pair.wire.flights[1:], KeyLog.parse(pair.wire.keylog))
    assert problems(events) == []
    assert plain(events, "c2s") == pair.said["c2s"]
    assert plain(events, "s2c") == pair.said["s2c"]


def test_a_start_in_the_middle(tmp_path: Path, ids: dict[str, Identity]) -> None:
    """TLS 1.3 is read from anywhere; TLS 1.2 needs the ServerHello, and that is told."""
    pair = Pair(tmp_path, ids["secc"], version=TLS13).handshake().talk()
    start = len(pair.wire.flights)
    pair.said = {"c2s": b"", "s2c": b""}
    pair.talk()
    pair.wire.flights[:start] = []
    assert_whole(pair)

    old = Pair(tmp_path, ids["secc"]).handshake()
    start = len(old.wire.flights)
    old.talk()
    events = read(old.wire.flights[start:], KeyLog.parse(old.wire.keylog))
    assert {each.kind for each in events} == {"problem"}
    assert all("the start of the connection was not captured" in each for each in problems(events))


@pytest.mark.parametrize("start", ["ServerHello", "data"])
def test_which_end_is_the_client_shows_itself(tmp_path: Path, ids: dict[str, Identity], start: str) -> None:
    """Without the first packets the caller may have taken the charger for the client."""
    pair = Pair(tmp_path, ids["secc"], version=TLS13).handshake()
    first = 1 if start == "ServerHello" else len(pair.wire.flights)
    pair.talk()
    swapped: dict[Direction, Direction] = {"c2s": "s2c", "s2c": "c2s"}
    flights = [(swapped[direction], data) for direction, data in pair.wire.flights[first:]]
    events = read(flights, KeyLog.parse(pair.wire.keylog))
    assert problems(events) == []
    assert plain(events, "s2c") == pair.said["c2s"]
    assert plain(events, "c2s") == pair.said["s2c"]


def test_tls12_from_the_server_hello_on_with_the_ends_confused(
    tmp_path: Path, ids: dict[str, Identity]
) -> None:
    pair = Pair(tmp_path, ids["secc"]).handshake().talk()
    swapped: dict[Direction, Direction] = {"c2s": "s2c", "s2c": "c2s"}
    flights = [(swapped[direction], data) for direction, data in pair.wire.flights[1:]]
    events = read(flights, KeyLog.parse(pair.wire.keylog))
    assert problems(events) == []
    assert plain(events, "s2c") == pair.said["c2s"]


def test_only_the_secrets_of_the_data(tmp_path: Path, ids: dict[str, Identity]) -> None:
    pair = Pair(tmp_path, ids["secc"], version=TLS13).handshake().talk()
    lines = [each for each in pair.wire.keylog.splitlines() if "HANDSHAKE" not in each]
    events = read(pair.wire.flights, KeyLog.parse("\n".join(lines)))
    assert plain(events, "c2s") == pair.said["c2s"]
    assert plain(events, "s2c") == pair.said["s2c"]
    assert set(problems(events)) == {
        "the key log has no handshake secrets for this connection, only those of the data"
    }


def test_a_refused_handshake_ends_in_an_alert(tmp_path: Path, ids: dict[str, Identity]) -> None:
    pair = Pair(tmp_path, ids["secc"], client=ids["vehicle"])
    pair.contexts[0].load_cert_chain(ids["secc"].path)
    pair.client = pair.contexts[0].wrap_bio(pair._bios["s2c"], pair._outgoing["c2s"])
    with pytest.raises(ssl.SSLError):
        pair.handshake()
    pair.move()
    [alert] = of_kind(read(pair.wire.flights, KeyLog()), "alert")
    assert (alert.direction, alert.info["level"]) == ("s2c", "fatal")
    assert not alert.info["encrypted"]


def test_the_old_versions_are_named_not_read(tmp_path: Path, ids: dict[str, Identity]) -> None:
    with pytest.warns(DeprecationWarning):
        pair = Pair(tmp_path, ids["secc"], version=ssl.TLSVersion.TLSv1_1, ciphers="ALL").handshake()
    pair.say("c2s", b"hello")
    events = read(pair.wire.flights, KeyLog.parse(pair.wire.keylog))
    [text] = problems(events)
    assert text.startswith("TLS 1.1 with TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA")


def test_suite_names_are_those_of_another_implementation() -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    rows = subprocess.run([tshark, "-G", "values"], capture_output=True, text=True, check=True).stdout
    known = {}
    for row in rows.splitlines():
        columns = row.split("\t")
        if columns[:2] == ["V", "tls.handshake.ciphersuite"]:
            known[int(columns[2], 0)] = columns[3]
    own = suite_numbers()
    assert len(own) > 60
    assert {number: known.get(number) for number in own} == own
