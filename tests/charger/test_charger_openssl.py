"""The charger's TLS port as openssl's own client sees it: a TLS stack that is not Python's to configure."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509

from bench.charger.profile import ChargerProfile
from bench.charger.service import Options, Service
from bench.charger.store import write_store
from bench.pki import Pki

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

SUITE = "ECDHE-ECDSA-AES128-SHA256"
ANY = "ALL:@SECLEVEL=0"
"""So that an old version or suite is refused by the charger and not by the client itself."""

Client = Callable[..., Awaitable[tuple[int, str]]]


def with_client(tmp_path: Path, pki: Pki, work: Callable[[Client], Awaitable[None]]) -> None:
    """Run `work` with a function that runs `openssl s_client` against a charger with this PKI."""
    write_store(tmp_path / "store", secc=pki.secc, v2g_roots=[pki.v2g_root.certificate])
    root = tmp_path / "root.pem"
    root.write_bytes(pki.v2g_root.pem_chain())

    async def inside() -> None:
        service = Service(
            Options(interface="lo", profile=ChargerProfile(), store=tmp_path / "store", sdp_port=0)
        )

        async def client(*arguments: str) -> tuple[int, str]:
            assert service.ready is not None
            target = ("-connect", f"[::1]:{service.ready.tls_port}", "-CAfile", str(root))
            process = await asyncio.create_subprocess_exec(
                *("openssl", "s_client", *target, "-verify_return_error", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            async with asyncio.timeout(20):
                said, _ = await process.communicate()
            assert process.returncode is not None
            return process.returncode, said.decode(errors="replace")

        try:
            await service.start()
            await work(client)
        finally:
            await service.close()

    asyncio.run(inside())


def test_chain_and_suite(tmp_path: Path, pki: Pki) -> None:
    """TLS 1.2 with the suite of the standard; leaf and sub-CAs are sent, the root is not ([V2G2-871])."""

    async def work(client: Client) -> None:
        status, said = await client("-tls1_2", "-cipher", SUITE, "-showcerts")
        assert status == 0, said
        assert re.search(rf"Cipher\s*(:|is) {SUITE}", said), said
        assert "Protocol  : TLSv1.2" in said
        assert "Verify return code: 0 (ok)" in said
        pems = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", said, re.DOTALL)
        assert [x509.load_pem_x509_certificate(each.encode()) for each in pems] == list(pki.secc.chain)

    with_client(tmp_path, pki, work)


@pytest.mark.parametrize(
    ("arguments", "alert"),
    [
        (("-tls1_1", "-cipher", ANY), "alert protocol version"),
        (("-tls1", "-cipher", ANY), "alert protocol version"),
        (("-tls1_3",), "alert protocol version"),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"), "alert handshake failure"),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"), "alert handshake failure"),
        (("-tls1_2", "-cipher", SUITE, "-groups", "P-521"), "alert handshake failure"),
    ],
    ids=["tls1.1", "tls1.0", "tls1.3", "aes256-gcm", "aes128-sha1", "p-521"],
)
def test_what_the_standard_does_not_permit_is_refused(
    tmp_path: Path, pki: Pki, arguments: tuple[str, ...], alert: str
) -> None:
    """The charger itself refuses, by an alert; and the next car is served."""

    async def work(client: Client) -> None:
        status, said = await client(*arguments)
        assert status != 0, said
        assert alert in said
        status, said = await client("-tls1_2", "-cipher", SUITE)
        assert status == 0, said

    with_client(tmp_path, pki, work)
