"""Management messages: byte-exact against captures of real modems, scapy and tshark; hostile bytes raise
MmeError.
"""

from __future__ import annotations

import collections
import dataclasses
import gzip
import json
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capture.pcapng import CaptureError, CaptureReader, Packet, PcapngWriter
from bench.slac import mme
from bench.slac.keys import new_nmk, nid_from_nmk
from bench.slac.mme import BROADCAST, LOCAL_MODEM, MmeError, UnknownMme, build_frame, parse_frame
from tests.shared import shared_dir

EV, EVSE = bytes.fromhex("020000000e01"), bytes.fromhex("020000005e01")
RUN_ID = bytes(range(0xA1, 0xA9))
SAMPLES: list[mme.Mme] = [
    mme.SlacParmReq(run_id=RUN_ID),
    mme.SlacParmReq(run_id=RUN_ID, security_type=1, cipher_suites=(1, 2)),
    mme.SlacParmCnf(run_id=RUN_ID, forwarding_sta=EV),
    mme.SlacParmCnf(run_id=RUN_ID, forwarding_sta=EV, security_type=1, cipher_suite=2),
    mme.StartAttenCharInd(run_id=RUN_ID, forwarding_sta=EV),
    mme.MnbcSoundInd(run_id=RUN_ID, cnt=9, rnd=bytes(range(16))),
    mme.AttenProfileInd(pev_mac=EV, aag=bytes(range(58))),
    mme.AttenCharInd(source_address=EV, run_id=RUN_ID, aag=bytes(range(58))),
    mme.AttenCharRsp(source_address=EV, run_id=RUN_ID),
    mme.ValidateReq(timer=13, result=1),
    mme.ValidateCnf(toggle_num=2, result=2),
    mme.SlacMatchReq(pev_mac=EV, evse_mac=EVSE, run_id=RUN_ID),
    mme.SlacMatchCnf(pev_mac=EV, evse_mac=EVSE, run_id=RUN_ID, nid=bytes(range(7)), nmk=bytes(range(16))),
    mme.SetKeyReq(my_nonce=0xAAAAAAAA, prn=0x1234, nid=bytes(range(7)), new_key=bytes(range(16))),
    mme.SetKeyCnf(result=1, your_nonce=0x01020304, prn=0x1234, cco_capability=1),
    mme.GetKeyReq(nid=bytes(range(7)), my_nonce=5, prn=0x1234),
    mme.GetKeyCnf(my_nonce=5, your_nonce=6, nid=bytes(range(7)), prn=0x1234, key=bytes(range(16))),
    mme.NwInfoReq(),
    mme.NwInfoCnf(
        num_avlns=1, networks=(mme.AvNetwork(bytes(range(7)), 5, 2, 0, bytes.fromhex("000187aa0002"), 0, 1),)
    ),
    mme.AmpMapReq(amlen=4, amdata=b"\x21\x43"),
    mme.AmpMapCnf(res_type=0),
    mme.VsSwVerReq(),
    mme.VsSwVerCnf(mdevice_id=0x20, mversion=b"MAC-QCA7005-1.1.0.730-01-20140815-CS"),
    mme.VsRsDevReq(),
    mme.VsRsDevCnf(),
    mme.VsLnkStatusReq(),
    mme.VsLnkStatusCnf(link_status=1),
]


@pytest.mark.parametrize("message", SAMPLES, ids=lambda each: each.name)
@pytest.mark.parametrize("vlan", [None, 7])
def test_what_is_built_is_read_back(message: mme.Mme, vlan: int | None) -> None:
    data = build_frame(message, destination=EVSE, source=EV, vlan=vlan)
    assert len(data) >= 60
    frame = parse_frame(data)
    assert frame is not None
    assert (frame.destination, frame.source, frame.vlan, frame.mme) == (EVSE, EV, vlan, message)
    assert parse_frame(data + b"trailing") == frame
    json.dumps(mme.fields(message))
    assert set(mme.fields(message)) == {each.name for each in dataclasses.fields(message)}  # type: ignore[arg-type]


def test_every_known_mme_has_a_sample() -> None:
    assert {type(each) for each in SAMPLES} == set(mme.known_mmes())


@pytest.mark.parametrize("message", SAMPLES, ids=lambda each: each.name)
def test_a_message_cut_short_is_named_with_field_and_offset(message: mme.Mme) -> None:
    data = build_frame(message, destination=EVSE, source=EV)[: 14 + len(mme.encode(message))]
    for length in range(14, len(data)):
        try:
            frame = parse_frame(data[:length])
        except MmeError as error:
            assert "offset" in str(error)
        else:  # only the version text of VS_SW_VER.CNF may be shorter than its place
            assert frame is not None
            assert isinstance(frame.mme, mme.VsSwVerCnf)


def test_fields_are_shown_as_people_write_them() -> None:
    shown = mme.fields(mme.AttenCharInd(source_address=EV, run_id=RUN_ID, aag=bytes([30] * 58)))
    assert shown["source_address"] == "02:00:00:00:0e:01"
    assert shown["run_id"] == "a1a2a3a4a5a6a7a8"
    assert shown["aag"] == [30] * 58


def test_what_is_not_homeplug_is_none() -> None:
    assert parse_frame(b"") is None
    assert parse_frame(EVSE + EV + b"\x08\x00" + bytes(50)) is None
    assert parse_frame(EVSE + EV + b"\x81\x00") is None
    assert parse_frame(EVSE + EV + b"\x81\x00\x00\x01\x08\x00" + bytes(50)) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x01\x14\x00\x00\x00" + bytes(41), id="another type"),
        pytest.param(b"\x00\x64\x60" + bytes(43), id="another version"),
        pytest.param(b"\x01\x64\x60\x11\x00" + bytes(41), id="a fragment"),
        pytest.param(b"\x00\x01\xa0\x00\x11\x22" + bytes(40), id="another vendor"),
    ],
)
def test_the_unknown_is_kept_as_it_is(data: bytes) -> None:
    raw = EVSE + EV + b"\x88\xe1" + data
    frame = parse_frame(raw)
    assert frame is not None
    assert isinstance(frame.mme, UnknownMme)
    assert build_frame(frame.mme, destination=EVSE, source=EV) == raw


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (mme.SlacParmReq(run_id=b"short"), "CM_SLAC_PARM.REQ: run_id: 5 bytes given, 8 needed"),
        (mme.SlacParmCnf(num_sounds=256), "CM_SLAC_PARM.CNF: num_sounds: 256 does not fit 1 bytes"),
        (mme.SlacMatchReq(mvf_length=-1), "CM_SLAC_MATCH.REQ: mvf_length: -1 does not fit 2 bytes"),
    ],
)
def test_a_value_that_does_not_fit_is_named(message: mme.Mme, text: str) -> None:
    with pytest.raises(MmeError) as caught:
        mme.encode(message)
    assert str(caught.value) == text


def test_nid_of_an_nmk() -> None:
    # those of the public network password "HomePlugAV"; real ones are in the captures (below)
    nmk = bytes.fromhex("50d3e4933f855b7040784df815aa8db7")
    assert nid_from_nmk(nmk).hex() == "b0f2e695666b03"
    assert len(new_nmk()) == 16
    with pytest.raises(ValueError, match="16 bytes"):
        nid_from_nmk(b"short")


# --- captures of real cars, chargers and modems ---


def _captures() -> Iterator[Path]:
    shared = shared_dir()
    if shared is None:
        pytest.skip("the shared captures are not here (PLUGBENCH_SHARED)")
    yield from sorted((shared / "captures").glob("*.truth.json.gz"))


def _packets(path: Path) -> Iterator[Packet]:
    try:
        yield from CaptureReader(path).packets()
    except CaptureError:  # one capture is damaged near its end; what is before it counts
        return


def test_all_slac_frames_of_the_captures_rebuild_byte_exact() -> None:
    exact: collections.Counter[str] = collections.Counter()
    networks: set[bool] = set()
    for truth in _captures():
        expected = {each["frame"]: each for each in json.loads(gzip.decompress(truth.read_bytes()))["hpav"]}
        found: set[int] = set()
        for packet in _packets(Path(str(truth).removesuffix(".truth.json.gz"))):
            frame = parse_frame(packet.data) if packet.linktype == 1 else None
            if frame is None:
                continue
            found.add(packet.number)
            built = build_frame(
                frame.mme, destination=frame.destination, source=frame.source, vlan=frame.vlan
            )
            # Behind the message some modems leave what was in their buffer before.
            used = len(packet.data) if isinstance(frame.mme, UnknownMme) else _length(frame)
            assert built[:used] == packet.data[:used], f"{truth.name} frame {packet.number}"
            assert len(built) == max(60, used) or isinstance(frame.mme, UnknownMme)
            # the truth leaves out tagged frames, and the types of vendor MMEs
            if mmtype := expected.get(packet.number, {}).get("mmtype"):
                assert int(mmtype, 16) == frame.mme.mmtype
            exact[frame.mme.name] += 1
            if isinstance(frame.mme, mme.SlacMatchCnf):
                networks.add(frame.mme.nid == nid_from_nmk(frame.mme.nmk))
        assert found >= expected.keys(), truth.name
    # How many there are: parsing less than all would pass the comparison above.
    assert exact["CM_MNBC_SOUND.IND"] >= 627
    assert exact["CM_ATTEN_PROFILE.IND"] >= 627
    assert (
        min(exact[kind] for kind in ("CM_SLAC_PARM.REQ", "CM_START_ATTEN_CHAR.IND", "CM_SET_KEY.REQ")) > 100
    )
    assert min(exact[each] for each in ("CM_SLAC_MATCH.CNF", "CM_ATTEN_CHAR.RSP", "CM_NW_INFO.CNF")) > 30
    assert True in networks


def _length(frame: mme.Frame) -> int:
    return 14 + (4 if frame.vlan is not None else 0) + len(mme.encode(frame.mme))


# --- other implementations ---


def _scapy() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("scapy.contrib.homepluggp")


def test_scapy_builds_the_same_bytes() -> None:
    gp = _scapy()
    from scapy.contrib.homeplugav import HomePlugAV
    from scapy.layers.l2 import Ether

    groups = [gp.HPGP_GROUP(group=value) for value in range(58)]
    ev, evse = mme.mac_text(EV), mme.mac_text(EVSE)
    match = {"EVMAC": ev, "EVSEMAC": evse, "RunID": RUN_ID}
    pairs = [
        (mme.SlacParmReq(run_id=RUN_ID), gp.CM_SLAC_PARM_REQ(RunID=RUN_ID)),
        (
            mme.SlacParmCnf(run_id=RUN_ID, forwarding_sta=EV),
            gp.CM_SLAC_PARM_CNF(
                MSoundTargetMAC="ff:ff:ff:ff:ff:ff",
                NumberMSounds=10,
                TimeOut=6,
                ResponseType=1,
                ForwardingSTA=ev,
                RunID=RUN_ID,
            ),
        ),
        (
            mme.StartAttenCharInd(run_id=RUN_ID, forwarding_sta=EV),
            gp.CM_START_ATTEN_CHAR_IND(
                NumberOfSounds=10, TimeOut=6, ResponseType=1, ForwardingSTA=ev, RunID=RUN_ID
            ),
        ),
        (
            mme.MnbcSoundInd(run_id=RUN_ID, cnt=9, rnd=bytes(range(16))),
            gp.CM_MNBC_SOUND_IND(Countdown=9, RunID=RUN_ID, RandomValue=bytes(range(16))),
        ),
        (
            mme.AttenCharInd(source_address=EV, run_id=RUN_ID, aag=bytes(range(58))),
            gp.CM_ATTEN_CHAR_IND(SourceAdress=ev, RunID=RUN_ID, NumberOfSounds=10, Groups=groups),
        ),
        (
            mme.AttenCharRsp(source_address=EV, run_id=RUN_ID),
            gp.CM_ATTEN_CHAR_RSP(SourceAdress=ev, RunID=RUN_ID),
        ),
        (
            mme.AttenProfileInd(pev_mac=EV, aag=bytes(range(58))),
            gp.CM_ATTENUATION_CHARACTERISTICS_MME(EVMACAddress=ev, Groups=groups),
        ),
        (
            mme.SlacMatchReq(pev_mac=EV, evse_mac=EVSE, run_id=RUN_ID),
            gp.CM_SLAC_MATCH_REQ(VariableField=gp.SLAC_varfield(**match)),
        ),
        (
            mme.SlacMatchCnf(pev_mac=EV, evse_mac=EVSE, run_id=RUN_ID, nid=b"\7" * 7, nmk=b"\3" * 16),
            gp.CM_SLAC_MATCH_CNF(
                VariableField=gp.SLAC_varfield_cnf(**match, NetworkID=b"\7" * 7, NMK=b"\3" * 16)
            ),
        ),
        (
            # scapy has PRN big-endian and no default that is of use
            mme.SetKeyReq(my_nonce=0xAAAAAAAA, nid=b"\7" * 7, new_key=b"\3" * 16),
            gp.CM_SET_KEY_REQ(
                KeyType=1,
                MyNonce=0xAAAAAAAA,
                PID=4,
                NetworkID=b"\7" * 7,
                NewEncKeySelect=1,
                NewKey=b"\3" * 16,
            ),
        ),
        (mme.SetKeyCnf(result=1), gp.CM_SET_KEY_CNF(Result=1, PID=4)),
    ]
    for message, layer in pairs:
        other = bytes(Ether(dst=evse, src=ev, type=0x88E1) / HomePlugAV(version=1) / layer)
        assert build_frame(message, destination=EVSE, source=EV) == other.ljust(60, b"\0"), message.name


def test_tshark_finds_no_fault_in_any_message(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    capture = tmp_path / "mme.pcapng"
    with PcapngWriter(capture) as writer:
        writer.add_interface("slac")
        for number, message in enumerate(SAMPLES):
            writer.packet(build_frame(message, destination=EVSE, source=EV), number + 1)
    out = subprocess.run(
        [
            "tshark",
            "-r",
            str(capture),
            "-T",
            "fields",
            "-e",
            "homeplug_av.mmhdr.mmtype",
            "-e",
            "_ws.malformed",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    assert len(out) == len(SAMPLES)
    assert [line for line in out if "alformed" in line] == []
    for line, message in zip(out, SAMPLES, strict=True):
        if message.mmv:
            assert int(line.split("\t")[0], 16) == message.mmtype


def test_tshark_reads_the_values_of_get_key(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    capture = tmp_path / "key.pcapng"
    message = mme.GetKeyCnf(my_nonce=5, your_nonce=6, nid=b"\7" * 7, eks=1, prn=0x1234, pmn=2, key=b"\3" * 16)
    with PcapngWriter(capture) as writer:
        writer.add_interface("slac")
        writer.packet(build_frame(message, destination=EVSE, source=LOCAL_MODEM), 1)
    names = ["my_nonce", "your_nonce", "nid", "prn", "pmn"]
    fields = [part for name in names for part in ("-e", f"homeplug_av.nw_info.{name}")]
    out = subprocess.run(
        ["tshark", "-r", str(capture), "-T", "fields", *fields, "-e", "homeplug_av.cm_get_key_cnf.key"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    *values, key = out.split()
    assert values == ["0x00000005", "0x00000006", "07" * 7, str(0x1234), "2"]
    assert key == "03" * 16 + "00" * 3  # tshark takes the padding for a part of the key


# --- hostile bytes ---


@given(st.binary(max_size=200))
def test_any_bytes_give_a_frame_none_or_mme_error(data: bytes) -> None:
    try:
        frame = parse_frame(data)
    except MmeError:
        return
    assert frame is None or mme.fields(frame.mme) is not None


@given(
    st.sampled_from([each for each in mme.known_mmes()]),
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x81\x00\x00\x07", b"\x88\xa8\x00\x01\x81\x00\x00\x07"]),
)
def test_any_payload_of_a_known_mme_reads_or_raises_mme_error(
    kind: type[mme.Mme], data: bytes, tag: bytes
) -> None:
    head = mme.encode(kind())[: 6 if kind.mmv == 0 else 5]
    raw = BROADCAST + EV + tag + b"\x88\xe1" + head + data
    try:
        frame = parse_frame(raw)
    except MmeError as error:
        assert kind.name in str(error)
        return
    assert frame is not None
    assert isinstance(frame.mme, kind)
    again = mme.decode(mme.encode(frame.mme))
    assert again == frame.mme
