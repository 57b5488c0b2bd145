"""A charging station for tests: the real OCPP client and certificate store on a loop of their own, and no V2G
side."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from bench.charger.backend import CsmsLink, HashData, IdToken
from bench.charger.defects import _registry
from bench.charger.ocpp import OcppBackend, create_backend
from bench.charger.store import CertificateStore, write_store
from bench.charger.variables import DeviceModel
from bench.csms.hashdata import ocsp_request_data
from bench.pki import Credential, Pki


class StubCharger:
    """What the client uses of a charger."""

    def __init__(self, store: CertificateStore) -> None:
        self.profile = SimpleNamespace(
            vendor="Plugbench", model="Stub", serial="STUB-1", firmware="1", evse_id="DE*PBX*E00001"
        )
        self.store = store
        self.variables = DeviceModel()
        self.meter = SimpleNamespace(
            energy_wh=5000.0, power_w=11000.0, voltage_v=400.0, current_a=27.5, soc_percent=50
        )
        self.backend: Any = None
        self.commanded: list[str] = []

    async def remote_start(self, token: IdToken) -> bool:
        self.commanded.append(f"start {token.id_token}")
        self.backend.authorized(token)
        return True

    async def remote_stop(self) -> bool:
        self.commanded.append("stop")
        self.backend.charging_stopped("Remote")
        return True

    async def reset(self, *, immediate: bool) -> None:
        self.commanded.append(f"reset {immediate}")


class Station:
    """The client in a thread; `do` runs a coroutine function's result there, `tell` a plain function."""

    def __init__(
        self,
        folder: Path,
        pki: Pki,
        url: str,
        *,
        password: str | None = None,
        defects: tuple[str, ...] = (),
        settings: dict[str, object] | None = None,
        csms_roots: bool = True,
    ) -> None:
        write_store(
            folder,
            secc=pki.secc,
            client=pki.charger_tls,
            v2g_roots=[pki.v2g_root.certificate],
            mo_roots=[pki.mo_root.certificate],
            csms_roots=[pki.csms_root.certificate] if csms_roots else [],
        )
        self.charger = StubCharger(CertificateStore(folder))
        for name, value in (settings or {}).items():
            self.charger.variables.put(*name.split("."), cast(Any, value))
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.client: OcppBackend = create_backend(cast(Any, self.charger), CsmsLink(url, "CS01", password))
        self.charger.backend = self.client
        import bench.charger.defects.ocpp  # noqa: F401  registers

        for name in defects:
            _registry[name].apply(cast(Any, self.charger))
        self.do(self.client.start())

    def do(self, work: Coroutine[Any, Any, Any], timeout_s: float = 10.0) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def tell(self, function: Any, *arguments: Any) -> Any:
        async def run() -> Any:
            return function(*arguments)

        return self.do(run())

    def authorize(self, contract: Credential, *, central: bool = False) -> Any:
        chain = contract.pem_chain().decode()
        hashed = None if central else hash_data_of(contract)
        return self.do(
            self.client.authorize_contract(
                contract.emaid, chain_pem=chain if central else None, hash_data=hashed
            )
        )

    def close(self) -> None:
        self.do(self.client.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def hash_data_of(contract: Credential) -> list[HashData]:
    """What a charger sends after local validation: leaf and sub-CAs with their issuers."""
    chain = [*contract.chain, contract.root]
    made = [ocsp_request_data(each, issuer) for each, issuer in pairwise(chain)]
    return [
        HashData(
            cast(Any, each["hashAlgorithm"]),
            each["issuerNameHash"],
            each["issuerKeyHash"],
            each["serialNumber"],
            each["responderURL"],
        )
        for each in made
    ]
