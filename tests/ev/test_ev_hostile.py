"""Whatever a charger sends, the EV ends with one of its own errors: no crash, no hang."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from fake_secc import FakeSecc

from bench.ev.emulator import EvEmulator
from bench.ev.errors import SessionEnded
from bench.ev.iso2 import flow
from bench.ev.iso2.warm_up import example
from bench.rules import wire
from bench.timeline import Timeline
from bench.v2g import codec, v2gtp
from bench.v2g.messages import iso2

MakeEv = Callable[..., EvEmulator]


def flipped(answer: Any, fake: FakeSecc, dice: random.Random) -> bytes:
    """The answer in its frame, with some bits of the EXI flipped."""
    body, signature = answer if isinstance(answer, tuple) else (answer, None)
    header = iso2.MessageHeader(SessionID=fake.session_id, Signature=signature)
    exi = bytearray(codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body)), "iso2"))
    for _ in range(dice.randint(1, 4)):
        exi[dice.randrange(len(exi))] ^= 1 << dice.randrange(8)
    return v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, bytes(exi))


SESSION_ROWS = [
    name for name in flow.ROWS if name not in ("CertificateInstallationReq", "CertificateUpdateReq")
]
"""The provisioning messages have their hostile answers in test_ev_provisioning."""


@pytest.mark.parametrize("name", [name for name in SESSION_ROWS if name.startswith(tuple("SPACW"))])
def test_flipped_bits_in_every_answer(secc: FakeSecc, make_ev: MakeEv, name: str) -> None:
    """Thirty sessions for each message, each with other damage."""
    secc.dc = name != "ChargingStatusReq"
    ev = make_ev(secc)
    dice = random.Random(name)
    if name != flow.FIRST:
        handler = getattr(secc, f"on_{name}")
        secc.answers[name] = lambda req, fake: flipped(handler(req), fake, dice)
    for _ in range(30):
        started = time.monotonic()
        session = ev.plug_in(
            "dc" if secc.dc else "ac",
            "pnc",
            receive_patience_s=0.03,
            pace__precharge_limit_s=0.05,
            pace__ongoing_limit_s=0.05,
            pace__cable_check_limit_s=0.05,
        )
        with contextlib.suppress(SessionEnded):
            session.run(0.01)
        assert time.monotonic() - started < 3
        assert session.ended is not None


@pytest.mark.parametrize("name", [name for name in SESSION_ROWS if name != flow.FIRST])
def test_smallest_legal_answers(secc: FakeSecc, make_ev: MakeEv, name: str) -> None:
    """The shortest message that the schema allows, with its lowest values."""
    secc.dc = name != "ChargingStatusReq"
    kind = getattr(iso2, flow.response_name(name))
    secc.answers[name] = lambda req, fake: example(kind)
    session = make_ev(secc).plug_in(
        "dc" if secc.dc else "ac", "pnc", pace__precharge_limit_s=0.05, pace__ongoing_limit_s=0.05
    )
    with contextlib.suppress(SessionEnded):
        session.run(0.01)
    assert session.ended is not None


def test_an_uncommon_encoding_is_told(secc: FakeSecc, make_ev: MakeEv, timeline: Timeline) -> None:
    """An empty value as an end of element is read, and stands on the timeline with name and place."""
    ev = make_ev(secc)

    def answer(req: Any, fake: FakeSecc) -> bytes:
        body = fake.on_ServiceDiscoveryReq(req)
        body.ServiceList = iso2.ServiceList(
            Service=[
                iso2.Service(
                    ServiceID=2,
                    ServiceName="",
                    ServiceCategory=iso2.serviceCategory.Internet,
                    FreeService=True,
                )
            ]
        )
        header = iso2.MessageHeader(SessionID=fake.session_id)
        message = iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body))
        return v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, codec.encode(message, empty_as_end=True))

    secc.answers["ServiceDiscoveryReq"] = answer
    ev.plug_in("dc", "eim").through("ServiceDiscoveryReq")
    (event,) = [e for e in timeline.since() if e.kind == "v2g" and e.name == "ServiceDiscoveryRes"]
    (finding,) = event.data["findings"]
    assert finding["name"] == "empty-as-end" and finding["path"].endswith("ServiceList/Service/ServiceName")
    assert finding["bit"] > 8 and finding["schema"] == "iso2"
    assert "problem" not in event.data
    (warning,) = wire.RULE.check([event])
    assert warning.severity == "warning" and "empty-as-end" in warning.message
