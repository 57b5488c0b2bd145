"""Every deviation has exactly its effect on the wire, and stands on the timeline."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from fake_secc import FakeSecc

from bench.ev import faults
from bench.ev.emulator import EvEmulator
from bench.ev.errors import ChargerGarbage, ChargerTimeout, PlanMistake, SessionEnded
from bench.pki import Pki
from bench.timeline import Timeline
from bench.v2g import codec, signature, v2gtp
from bench.v2g.messages import iso2


def noted(timeline: Timeline, name: str) -> list[str | None]:
    return [
        each.data["deviation"]
        for each in timeline.since()
        if each.kind == "v2g" and each.name == name and each.data["dir"] == "tx"
    ]


def authorization(ev: EvEmulator, *which: faults.Fault) -> Any:
    session = ev.plug_in("dc", "pnc").deviate("AuthorizationReq", *which)
    return session.through("AuthorizationReq")


def test_change_is_signed(ev: EvEmulator, secc: FakeSecc, pki: Pki, timeline: Timeline) -> None:
    authorization(ev, faults.change(GenChallenge=bytes(16)))
    body, header = secc.requests[-1], secc.headers[-1]
    assert body.GenChallenge == bytes(16)
    assert signature.verify(header.Signature, [body], pki.contract.certificate.public_key()).ok  # type: ignore[arg-type]
    assert noted(timeline, "AuthorizationReq") == ["changed GenChallenge=" + "00" * 16]


def test_change_after_signing_breaks_the_digest(ev: EvEmulator, secc: FakeSecc, pki: Pki) -> None:
    authorization(ev, faults.change_after_signing(GenChallenge=bytes(16)))
    body, header = secc.requests[-1], secc.headers[-1]
    key = pki.contract.certificate.public_key()
    assert not signature.verify(header.Signature, [body], key).ok  # type: ignore[arg-type]


def test_bad_signature_flips_one_bit(ev: EvEmulator, secc: FakeSecc, pki: Pki) -> None:
    authorization(ev, faults.bad_signature())
    body, header = secc.requests[-1], secc.headers[-1]
    check = signature.verify(header.Signature, [body], pki.contract.certificate.public_key())  # type: ignore[arg-type]
    assert not check.ok and all(each.ok for each in check.references)


def test_unsigned(ev: EvEmulator, secc: FakeSecc) -> None:
    authorization(ev, faults.unsigned())
    assert secc.headers[-1].Signature is None
    assert secc.requests[-1].GenChallenge == secc.challenge


def test_header_session_id(ev: EvEmulator, secc: FakeSecc) -> None:
    authorization(ev, faults.header(SessionID=b"\xde\xad" * 4))
    assert secc.headers[-1].SessionID == b"\xde\xad" * 4


def test_replace_and_nested_change(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "pnc")
    session.deviate("PaymentDetailsReq", faults.change({"ContractSignatureCertChain.Certificate": b"no DER"}))
    session.through("PaymentDetailsReq")
    assert secc.requests[-1].ContractSignatureCertChain.Certificate == b"no DER"
    session = ev.plug_in("dc", "eim").deviate(
        "AuthorizationReq", faults.replace(iso2.ServiceDetailReq(ServiceID=1))
    )
    session.until("AuthorizationReq").send_next()
    assert secc.names()[-1] == "ServiceDetailReq"


def test_values_outside_the_schema(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "pnc").deviate("PaymentDetailsReq", faults.change(eMAID="X"))
    session.through("PaymentDetailsReq")
    message = codec.decode("iso2", secc.payloads[-1])
    assert message.Body.BodyElement.eMAID == "X"


def test_an_edit_that_breaks_the_schema_without_a_deviation_is_refused(ev: EvEmulator) -> None:
    session = ev.plug_in("dc", "pnc").until("PaymentDetailsReq")
    session.pending.eMAID = "X"
    with pytest.raises(PlanMistake, match="deviate"):
        session.send_next()


def exi_of(ev: EvEmulator, secc: FakeSecc, fault: faults.Fault) -> tuple[bytes, bytes]:
    """The SessionSetupReq payload without and with `fault`."""
    ev.plug_in("dc", "eim").through("SessionSetupReq")
    clean = secc.payloads[-1]
    session = ev.plug_in("dc", "eim").deviate("SessionSetupReq", fault).until("SessionSetupReq")
    with contextlib.suppress(SessionEnded):
        session.send_next()
    return clean, secc.payloads[-1]


def test_exi_faults(ev: EvEmulator, secc: FakeSecc) -> None:
    clean, spoilt = exi_of(ev, secc, faults.truncate(5))
    assert spoilt == clean[:5]
    clean, spoilt = exi_of(ev, secc, faults.raw(b"\x80\x01\x02"))
    assert spoilt == b"\x80\x01\x02"
    clean, spoilt = exi_of(ev, secc, faults.trailing(b"\xaa\xbb"))
    assert spoilt == clean + b"\xaa\xbb"
    clean, spoilt = exi_of(ev, secc, faults.flip_bits(-1, 12))
    assert spoilt[-1] == clean[-1] ^ 0x01 and spoilt[1] == clean[1] ^ 0x08
    _, spoilt = exi_of(ev, secc, faults.random_exi(77))
    assert len(spoilt) == 77


def test_split_arrives_in_pieces(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim").deviate("SessionSetupReq", faults.split(2)).until("SessionSetupReq")
    before = len(secc.reads)
    assert session.send_next().ResponseCode.startswith("OK")
    pieces = secc.reads[before:]
    assert len(pieces) == 2 and abs(len(pieces[0]) - len(pieces[1])) <= 1


def test_frame_faults(ev: EvEmulator, secc: FakeSecc) -> None:
    for fault, wanted in (
        (faults.wrong_header(), b"\x02\xfe\x80\x01"),
        (faults.wrong_header(inverse=0), b"\x01\x00\x80\x01"),
        (faults.wrong_header(payload_type=0x8005), b"\x01\xfe\x80\x05"),
        (faults.raw(b"garbage on the line", framed=False), b"garb"),
    ):
        session = ev.plug_in("dc", "eim", receive_patience_s=0.1)
        session.deviate("SessionSetupReq", fault).until("SessionSetupReq")
        before = len(secc.reads)
        with contextlib.suppress(SessionEnded):
            session.send_next()
        assert b"".join(secc.reads[before:])[:4] == wanted


def test_truncated_under_a_full_header_waits_for_the_rest(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim", receive_patience_s=0.1)
    session.deviate("SessionSetupReq", faults.truncate(3, keep_header=True)).until("SessionSetupReq")
    before = len(secc.reads)
    with pytest.raises(ChargerTimeout):
        session.send_next()
    data = b"".join(secc.reads[before:])
    assert len(data) == v2gtp.HEADER_LENGTH + 3 and int.from_bytes(data[4:8], "big") > 3


def test_delay_drop_repeat(ev: EvEmulator, secc: FakeSecc, timeline: Timeline) -> None:
    session = ev.plug_in("dc", "eim").deviate("SessionSetupReq", faults.delay(0.08)).until("SessionSetupReq")
    started = time.monotonic()
    session.send_next()
    assert time.monotonic() - started >= 0.08

    session = ev.plug_in("dc", "eim", receive_patience_s=0.05).deviate("ServiceDiscoveryReq", faults.drop())
    before = len(secc.requests)
    with pytest.raises(ChargerTimeout):
        session.through("ServiceDiscoveryReq")
    assert secc.names()[before:] == ["supportedAppProtocolReq", "SessionSetupReq"]

    session = ev.plug_in("dc", "eim").deviate("ServiceDiscoveryReq", faults.repeat(3))
    session.through("ServiceDiscoveryReq")
    assert secc.names()[-3:] == ["ServiceDiscoveryReq"] * 3
    assert len(session.extra_responses) == 2
    session.until("CableCheckReq")  # the extra answers do not get in the way
    assert "sent 3 times" in noted(timeline, "ServiceDiscoveryReq")


def test_only_the_nth_sending(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim")
    session.deviate("CurrentDemandReq", faults.change({"DC_EVStatus.EVRESSSOC": 99}), when=3)
    session.run(0.05)
    socs = [each.DC_EVStatus.EVRESSSOC for each in secc.sent("CurrentDemandReq")]
    assert socs[2] == 99 and socs.count(99) == 1


def test_close_after(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim").deviate("SessionSetupReq", faults.close_after())
    with pytest.raises(SessionEnded):
        session.through("SessionSetupReq")


def test_misspelt_fields_are_refused(ev: EvEmulator) -> None:
    with pytest.raises(PlanMistake, match="GenChalenge"):
        authorization(ev, faults.change(GenChalenge=bytes(16)))
    with pytest.raises(PlanMistake, match="not signed"):
        ev.plug_in("dc", "eim").deviate("SessionSetupReq", faults.bad_signature()).through("SessionSetupReq")


def test_one_fault_does_not_outlive_its_session(ev: EvEmulator, secc: FakeSecc) -> None:
    session = ev.plug_in("dc", "eim").deviate("SessionSetupReq", faults.raw(b"\x00"))
    with pytest.raises((SessionEnded, ChargerGarbage)):
        session.until("ServiceDiscoveryReq")
    assert ev.plug_in("dc", "eim").run(0.01).ended == "finished"
