"""Our capture files as Wireshark reads them: nothing malformed, TLS decrypted by the secrets inside.

tshark is a foreign reader: what it says of frames, checksums, sequence numbers and the decryption secrets
block does not come from our own notions of them.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.capture import packet_ring
from bench.capture.frames import Flow
from bench.capture.pcapng import CaptureReader, Packet, PcapngWriter
from bench.capture.sniffer import Sniffer
from bench.pki import Pki
from bench.v2g import tls, v2gtp
from bench.v2g.connection import V2GConnection

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

REQUEST = v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, b"request in the clear")
RESPONSE = v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, bytes(range(256)) * 12)
FLOW = Flow("fe80::1", 50_000, "fe80::2", 61_000)
ERROR = 0x0080_0000
"""Severity "Error" of Wireshark's expert information."""


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def tshark(capture: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["tshark", "-n", "-r", capture, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def complaints(capture: Path) -> str:
    """Frames that tshark calls malformed, wrong in a checksum, or out of their stream's order."""
    wrong = f"_ws.malformed || _ws.expert.severity >= {ERROR} || tcp.analysis.flags"
    checked = ("-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE")
    return tshark(capture, "-Y", f"{wrong} || tcp.checksum.status == 0 || udp.checksum.status == 0", *checked)


def decrypted(capture: Path, stream: int = 0) -> tuple[bytes, bytes]:
    """What tshark decrypts of a TLS stream: from the client, from the server."""
    sides = {"": b"", "\t": b""}
    text = tshark(capture, "-q", "-z", f"follow,tls,raw,{stream}")
    for indent, digits in re.findall(r"^(\t?)((?:[0-9a-f]{2})+)$", text, re.MULTILINE):
        sides[indent] += bytes.fromhex(digits)
    return sides[""], sides["\t"]


def talk(pki: Pki, keylog: Path, carry: Callable[[bytes, bool], None]) -> None:
    """A TLS 1.2 session in memory, with a request and its response; `carry` sees what would be sent."""
    server_context = tls.server_context(pki.secc.pem_chain(), pki.secc.private_key)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.load_verify_locations(cadata=pki.v2g_root.pem_chain().decode())
    client_context.keylog_filename = str(keylog)
    to_server, from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    to_client, from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, from_client)
    server = server_context.wrap_bio(to_server, from_server, server_side=True)

    def pass_on() -> None:
        for source, target, outgoing in ((from_client, to_server, True), (from_server, to_client, False)):
            if data := source.read():
                carry(data, outgoing)
                target.write(data)

    for side in (client, server, client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
        pass_on()
    client.write(REQUEST)
    pass_on()
    assert server.read() == REQUEST
    server.write(RESPONSE)
    pass_on()
    assert client.read(len(RESPONSE)) == RESPONSE


def tapped(pki: Pki, folder: Path) -> Path:
    """A capture by the tap of a TLS session's bytes, with the key log that came beside it."""
    capture, keylog = folder / "tls.pcapng", folder / "tls.keylog"
    with Sniffer("lo", capture, keylog=keylog, method="socket_tap") as running:
        tap = running.tap
        tap.udp(Flow("fe80::1", 50_001, "ff02::1", 15_118), b"\x01\xfe\x90\x00", 1, outgoing=True)
        stamps = iter(range(10, 1_000_000_000, 1_000_000))
        tap.tcp_open(FLOW, next(stamps))
        talk(pki, keylog, lambda data, outgoing: tap.tcp_data(FLOW, data, next(stamps), outgoing=outgoing))
        tap.tcp_close(FLOW, next(stamps))
    assert running.error == ""
    return capture


def test_the_secrets_inside_decrypt_the_session(tmp_path: Path, pki: Pki) -> None:
    capture = tapped(pki, tmp_path)
    (tmp_path / "tls.keylog").unlink()  # only what is in the capture may help
    assert complaints(capture) == ""
    assert decrypted(capture) == (REQUEST, RESPONSE)
    assert "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" in tshark(capture, "-V", "-Y", "tls.handshake.type == 2")


def test_without_the_secrets_nothing_is_decrypted(tmp_path: Path, pki: Pki) -> None:
    """Else the test above would prove nothing."""
    bare = tmp_path / "bare.pcapng"
    with PcapngWriter(bare) as writer:
        writer.add_interface("lo")
        for each in CaptureReader(tapped(pki, tmp_path)):
            if isinstance(each, Packet):
                writer.packet(each.data, each.t_ns)
    assert complaints(bare) == ""
    assert decrypted(bare) == (b"", b"")


def test_clear_payloads_of_the_tap_are_a_clean_stream(tmp_path: Path) -> None:
    capture = tmp_path / "plain.pcapng"
    with Sniffer("lo", capture, method="socket_tap") as running:
        running.tap.tcp_open(FLOW, 1)
        running.tap.tcp_data(FLOW, REQUEST, 2, outgoing=True)
        running.tap.tcp_data(FLOW, RESPONSE, 3, outgoing=False)
        running.tap.tcp_close(FLOW, 4)
    assert complaints(capture) == ""
    sent = tshark(capture, "-Y", f"tcp.srcport == {FLOW.remote_port}", "-T", "fields", "-e", "tcp.payload")
    assert bytes.fromhex(sent) == RESPONSE


def _can_capture() -> bool:
    try:
        packet_ring.open_raw_socket("lo").close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _can_capture(), reason="raw capture on lo is not permitted here")
def test_a_raw_capture_is_decrypted_too(tmp_path: Path, pki: Pki) -> None:
    """The kernel's frames, the EV's own TLS client and its key log."""
    capture, keylog = tmp_path / "raw.pcapng", tmp_path / "tls.keylog"
    context = tls.client_context([pki.v2g_root], keylog=keylog)
    charger = tls.server_context(pki.secc.pem_chain(), pki.secc.private_key)
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        listener.settimeout(10)
        port = listener.getsockname()[1]

        def serve() -> None:
            plain, _ = listener.accept()
            with charger.wrap_socket(plain, server_side=True) as connection:
                assert connection.recv(65_536) == REQUEST
                connection.sendall(RESPONSE)
                connection.recv(1)  # until the car closes

        thread = threading.Thread(target=serve)
        thread.start()
        with Sniffer("lo", capture, keylog=keylog, method="af_packet"):
            with V2GConnection.open("::1", port, "lo", context, timeout_s=5) as connection:
                connection.send(v2gtp.PAYLOAD_V2G_EXI, REQUEST[8:])
                answer = connection.receive(5)
            thread.join(10)
    assert answer is not None
    keylog.unlink()
    streams = set(tshark(capture, "-Y", f"tcp.port == {port}", "-T", "fields", "-e", "tcp.stream").split())
    assert len(streams) == 1
    assert decrypted(capture, int(streams.pop())) == (REQUEST, RESPONSE)
    wrong = f"tcp.port == {port} && (_ws.malformed || _ws.expert.severity >= {ERROR})"
    assert tshark(capture, "-Y", wrong) == ""
