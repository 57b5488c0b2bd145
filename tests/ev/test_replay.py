"""Replay: a session's messages become a script, and the script is played against a charger."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from charger_process import charger
from fake_secc import FakeSecc

from bench import cli
from bench.capture.items import Item
from bench.charger.store import write_store
from bench.ev import adapt, script
from bench.ev.captured_profile import profile_of, profile_toml
from bench.ev.credentials import Credentials
from bench.ev.emulator import EvEmulator
from bench.ev.iso2 import flow
from bench.ev.iso2.warm_up import example
from bench.ev.options import SessionOptions
from bench.ev.profile import DIN_NAMESPACE, ISO2_NAMESPACE, EvProfile, load_profile
from bench.ev.replay import Player, Replayed
from bench.ev.script import Script, ScriptError
from bench.pki import Pki
from bench.timeline import Timeline
from bench.v2g import codec, v2gtp
from bench.v2g.messages import din, iso2, sap

FAST = 1000.0


def items_of(timeline: Timeline) -> list[Item]:
    """What a capture of the sessions on a timeline is decoded to."""
    found = []
    for event in timeline.since():
        if event.kind == "v2g":
            exi, schema = bytes.fromhex(event.data["exi"]), event.data["schema"]
            found.append(
                Item(
                    len(found) + 1,
                    event.t_ns,
                    "ev",
                    "secc",
                    "v2g",
                    event.name,
                    schema,
                    exi,
                    codec.decode(schema, exi),
                    connection=event.data["connection"],
                )
            )
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Path:
    folder = tmp_path_factory.mktemp("store")
    write_store(
        folder, secc=pki.secc, v2g_roots=[pki.v2g_root.certificate], mo_roots=[pki.mo_root.certificate]
    )
    return folder


@pytest.fixture(scope="module")
def ready(store: Path) -> Iterator[dict[str, Any]]:
    with charger("--store", store) as sockets:
        yield sockets


Make = Callable[..., EvEmulator]


@pytest.fixture
def car(ready: dict[str, Any], pki: Pki) -> Iterator[Make]:
    """Makes EVs before the simulated charger: `car(profile, **SessionOptions)`."""
    made: list[EvEmulator] = []

    def make(profile: EvProfile | None = None, **options: Any) -> EvEmulator:
        quick = load_profile().with_changes(pace__charge_loop_s=0.002, pace__ongoing_loop_s=0.002)
        made.append(
            EvEmulator(
                None,
                profile or quick,
                Timeline(),
                interface="lo",
                sdp_port=ready["sdp_port"],
                credentials=Credentials.of(pki),
                defaults=SessionOptions(step_limit_s=10, **options),
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def captured(car: Make, **options: Any) -> Script:
    """A session with the simulated charger, as a script."""
    ev = car(**options)
    ev.plug_in().run(0.05)
    return script.from_items(script.pick(script.sessions(items_of(ev.timeline)), None), "own.pcap")


def play(ev: EvEmulator, played: Script, **options: Any) -> Replayed:
    session = ev.plug_in(
        played.energy, options.pop("auth", played.auth), protocol=played.protocol, certificate="none"
    )
    return Player(session, played, speed=FAST, **options).play()


KINDS = {
    "din": {"protocol": "din", "energy": "dc", "auth": "eim", "tls": False},
    "dc": {"energy": "dc", "auth": "eim", "tls": False},
    "ac": {"energy": "ac", "auth": "eim", "tls": False},
    "pnc": {"energy": "dc", "auth": "pnc", "tls": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_is_played_again(car: Make, kind: str) -> None:
    options = KINDS[kind]
    played = captured(car, **options)
    assert (played.energy, played.auth) == (options["energy"], options["auth"])
    ev = car(profile_of(played), tls=options["tls"])
    result = play(ev, played)
    assert result.finished and result.reason is None
    assert result.differences == []
    sent = [event.name for event in ev.timeline.since() if event.kind == "v2g" and event.data["dir"] == "tx"]
    assert list(dict.fromkeys(sent)) == list(dict.fromkeys(step.name for step in played.steps))
    assert sent[-1] == "SessionStopReq"
    assert [each.data for each in ev.timeline.since() if each.kind == "finding"] == []


def test_what_belongs_to_the_moment_is_new(car: Make) -> None:
    """Session id, challenge and signature: a charger that checks them would refuse the captured ones."""
    played = captured(car, **KINDS["pnc"])
    old = next(step.body() for step in played.steps if step.name == "AuthorizationReq")
    ev = car(profile_of(played), tls=True)
    result = play(ev, played)
    assert result.finished
    new = next(each for each in ev.session.history if each.name == "AuthorizationReq")  # type: ignore[union-attr]
    assert new.request.GenChallenge != old.GenChallenge
    old_ids = {item.session_id for item in items_of(ev.timeline)}
    assert len(old_ids - {"", bytes(8).hex()}) == 1
    assert "AuthorizationReq: GenChallenge" in result.adapted


def test_a_contract_session_without_a_contract(car: Make) -> None:
    played = captured(car, **KINDS["pnc"])
    ev = car(profile_of(played), tls=False)
    result = play(ev, played, auth="eim")
    assert result.finished and result.differences == []
    assert "PaymentDetailsReq: replayed with external payment" in result.skipped
    assert "PaymentServiceSelectionReq: SelectedPaymentOption ExternalPayment" in result.adapted


def test_loops_are_bounded_on_demand(car: Make) -> None:
    played = captured(car, **KINDS["dc"])
    ev = car(profile_of(played), tls=False)
    result = play(ev, played, loops=2)
    names = [each.name for each in ev.session.history]  # type: ignore[union-attr]
    assert result.finished and names.count("CurrentDemandReq") == 2


def test_a_capture_that_was_cut_off_ends_in_order(car: Make) -> None:
    played = captured(car, **KINDS["dc"])
    loop = next(n for n, step in enumerate(played.steps) if step.name == "CurrentDemandReq")
    cut = dataclasses.replace(
        played, steps=(*played.steps[:loop], dataclasses.replace(played.steps[loop], answer=""))
    )
    result = play(car(profile_of(played), tls=False), cut)
    assert result.finished and result.reason is None and result.differences == []
    assert result.added[-2:] == ["PowerDeliveryReq", "SessionStopReq"]


# --- another charger than the captured one ------------------------------------------------------------------
@pytest.fixture
def fake_play(secc: FakeSecc, timeline: Timeline, car: Make) -> Iterator[Callable[..., Replayed]]:
    """Plays a script of the simulated charger against the fake one."""
    made: list[EvEmulator] = []

    def run(kind: str = "dc", **options: Any) -> Replayed:
        played = captured(car, **KINDS[kind])
        limits = ("ongoing_limit_s", "precharge_limit_s", "cable_check_limit_s")
        profile = profile_of(played).with_changes(**{f"pace__{each}": 0.3 for each in limits})
        made.append(
            EvEmulator(
                None,
                profile,
                timeline,
                defaults=SessionOptions(address=secc.address, auth="eim", tls=False, step_limit_s=10),
            )
        )
        return play(made[-1], played, **options)

    yield run
    for each in made:
        each.close()


def test_a_refusal_is_a_difference_and_the_end(
    secc: FakeSecc, fake_play: Callable[..., Replayed], timeline: Timeline
) -> None:
    good = secc.on_ChargeParameterDiscoveryReq

    def refuse(request: Any, fake: FakeSecc) -> Any:
        answer = good(request)
        answer.ResponseCode = iso2.responseCode.FAILED_WrongChargeParameter
        return answer

    secc.answers["ChargeParameterDiscoveryReq"] = refuse
    result = fake_play()
    assert result.finished and "FAILED_WrongChargeParameter" in (result.reason or "")
    [found] = result.differences
    assert found.expected == "ChargeParameterDiscoveryRes OK"
    assert found.actual == "ChargeParameterDiscoveryRes FAILED_WrongChargeParameter"
    assert secc.names()[-2:] == ["ChargeParameterDiscoveryReq", "SessionStopReq"]
    [event] = [each for each in timeline.since() if each.kind == "finding"]
    assert event.data["message"] == found.text and event.data["step"] == found.step


def test_a_captured_refusal_is_no_difference(secc: FakeSecc, fake_play: Callable[..., Replayed]) -> None:
    """The captured charger refused and the car went on to SessionStop: so does the replay."""

    def refuse(request: Any, fake: FakeSecc) -> Any:
        return iso2.PaymentServiceSelectionRes(ResponseCode=iso2.responseCode.FAILED)

    secc.answers["PaymentServiceSelectionReq"] = refuse
    original = script.from_items

    def spoilt(items: Any, source: str = "") -> Script:
        made = original(items, source)
        kept = next(n for n, step in enumerate(made.steps) if step.name == "PaymentServiceSelectionReq")
        steps = [*made.steps[: kept + 1], made.steps[-1]]
        steps[kept] = dataclasses.replace(steps[kept], response_code="FAILED")
        return dataclasses.replace(made, steps=tuple(steps))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "from_items", spoilt)
        result = fake_play()
    assert result.finished and result.reason is None and result.differences == []
    assert secc.names()[-2:] == ["PaymentServiceSelectionReq", "SessionStopReq"]


def test_a_slower_charger_is_waited_for(secc: FakeSecc, fake_play: Callable[..., Replayed]) -> None:
    waiting = [5]

    def slow(request: Any, fake: FakeSecc) -> Any:
        answer = fake.on_AuthorizationReq(request)
        if waiting[0]:
            waiting[0] -= 1
            answer.EVSEProcessing = iso2.EVSEProcessing.Ongoing
        return answer

    secc.answers["AuthorizationReq"] = slow
    result = fake_play()
    assert result.finished and result.differences == []
    assert len(secc.sent("AuthorizationReq")) == 6
    assert any(each.startswith("AuthorizationReq") for each in result.added)


def test_a_charger_that_never_gets_ready_is_given_up(
    secc: FakeSecc, fake_play: Callable[..., Replayed]
) -> None:
    def never(request: Any, fake: FakeSecc) -> Any:
        return iso2.AuthorizationRes(
            ResponseCode=iso2.responseCode.OK, EVSEProcessing=iso2.EVSEProcessing.Ongoing
        )

    secc.answers["AuthorizationReq"] = never
    result = fake_play()
    assert "kept AuthorizationReq going" in (result.reason or "")
    assert result.finished and secc.names()[-1] == "SessionStopReq"


def test_a_charger_that_wants_to_stop_is_obeyed(secc: FakeSecc, fake_play: Callable[..., Replayed]) -> None:
    def stopping(request: Any, fake: FakeSecc) -> Any:
        fake.notification = "StopCharging"
        return fake.on_CurrentDemandReq(request)

    secc.answers["CurrentDemandReq"] = stopping
    result = fake_play()
    assert result.finished and result.reason is None
    assert len(secc.sent("CurrentDemandReq")) == 1
    assert str(secc.sent("PowerDeliveryReq")[-1].ChargeProgress) == "Stop"


def test_silence_ends_the_replay(secc: FakeSecc, fake_play: Callable[..., Replayed]) -> None:
    secc.answers["ServiceDiscoveryReq"] = lambda request, fake: None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.ev.protocols.Protocol.message_timeout_s", lambda self, name: 0.2)
        result = fake_play()
    assert not result.finished and "ServiceDiscoveryReq" in (result.reason or "")


def test_an_answer_of_another_kind_ends_the_replay(
    secc: FakeSecc, fake_play: Callable[..., Replayed]
) -> None:
    secc.answers["ServiceDiscoveryReq"] = lambda request, fake: iso2.SessionStopRes(
        ResponseCode=iso2.responseCode.OK
    )
    result = fake_play()
    assert result.reason == "ServiceDiscoveryReq did not succeed: SessionStopRes"
    assert result.differences[0].actual == "SessionStopRes OK"


def test_what_the_car_did_wrong_is_done_again(secc: FakeSecc, fake_play: Callable[..., Replayed]) -> None:
    """An EVCCID of nine bytes, where the schema allows six."""
    original = script.from_items
    header = iso2.MessageHeader(SessionID=bytes(8))
    body = iso2.Body(BodyElement=iso2.SessionSetupReq(EVCCID=bytes(range(9))))
    wrong = codec.encode(iso2.V2G_Message(Header=header, Body=body), deviations=True)

    def spoilt(items: Any, source: str = "") -> Script:
        made = original(items, source)
        setup = dataclasses.replace(made.steps[1], exi=wrong)
        return dataclasses.replace(made, steps=(made.steps[0], setup, *made.steps[2:]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "from_items", spoilt)
        result = fake_play()
    assert result.finished
    assert [each.EVCCID for each in secc.sent("SessionSetupReq")] == [bytes(range(9))]


@pytest.mark.parametrize("name", [name for name in flow.ROWS if name != flow.FIRST])
@pytest.mark.parametrize("variant", [0, 1])
def test_whatever_the_charger_answers_ends_in_a_result(
    secc: FakeSecc, fake_play: Callable[..., Replayed], name: str, variant: int
) -> None:
    """The least answer that the schema allows, with whatever values that has."""
    kind = getattr(iso2, flow.response_name(name))
    secc.answers[name] = lambda request, fake: example(kind, variant)
    result = fake_play("ac" if name == "ChargingStatusReq" else "dc")
    assert isinstance(result, Replayed) and (result.finished or result.reason)


def test_an_answer_outside_the_schema_ends_the_replay(
    secc: FakeSecc, fake_play: Callable[..., Replayed]
) -> None:
    header = iso2.MessageHeader(SessionID=secc.session_id)
    answer = iso2.SessionSetupRes(ResponseCode=iso2.responseCode.OK, EVSEID="x")
    body = iso2.Body(BodyElement=answer)
    exi = codec.encode(iso2.V2G_Message(Header=header, Body=body), deviations=True)
    secc.answers["SessionSetupReq"] = lambda request, fake: v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, exi)
    result = fake_play()
    assert "SessionSetupReq did not succeed: SessionSetupRes: " in (result.reason or "")


def test_a_capture_that_begins_after_the_negotiation(car: Make) -> None:
    played = captured(car, **KINDS["dc"])
    cut = dataclasses.replace(played, steps=played.steps[1:])
    result = play(car(profile_of(played), tls=False), cut)
    assert result.finished and result.reason is None and result.differences == []
    assert result.added[0] == "supportedAppProtocolReq"


# --- the script itself --------------------------------------------------------------------------------------
def test_a_script_survives_its_file(car: Make, tmp_path: Path) -> None:
    played = captured(car, **KINDS["dc"])
    path = tmp_path / "script.jsonl"
    script.write(played, path)
    assert script.read(path) == played
    edited = []
    for text in path.read_text().splitlines():
        line = json.loads(text)
        line.pop("exi", None)
        if line.get("name") == "SessionSetupReq":
            old = played.steps[1].body().EVCCID.hex()
            line["xml"] = line["xml"].replace(old.upper(), "0A0B0C0D0E0F").replace(old, "0a0b0c0d0e0f")
        edited.append(json.dumps(line))
    path.write_text("\n".join(edited))
    again = script.read(path)
    assert again.steps[1].body().EVCCID.hex() == "0a0b0c0d0e0f"
    assert again.steps[2:] == played.steps[2:]


HEAD = {"plugbench_script": 1, "protocol": "iso2", "energy": "dc", "auth": "eim", "tls": False}


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], "first line"),
        (["{"], "line 1"),
        ([json.dumps({})], "first line"),
        ([json.dumps(HEAD | {"protocol": "iso20"})], "protocol is one of"),
        ([json.dumps(HEAD)], "no request"),
        ([json.dumps(HEAD), "[]"], "line 2"),
        ([json.dumps(HEAD), json.dumps({"name": "X", "schema": "iso2", "exi": "zz"})], "line 2"),
        ([json.dumps(HEAD), json.dumps({"name": "X", "schema": "iso2", "exi": "80"})], "line 2"),
        ([json.dumps(HEAD), json.dumps({"name": "X", "schema": "iso20-dc", "exi": "80"})], "schema is"),
        ([json.dumps(HEAD), json.dumps({"name": "X", "schema": "iso2", "xml": "<a/>"})], "line 2"),
    ],
)
def test_a_wrong_script_is_one_line(tmp_path: Path, lines: list[str], text: str) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(ScriptError, match=text) as caught:
        script.read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_captures_without_a_session() -> None:
    with pytest.raises(ScriptError, match="no request"):
        script.pick([], None)
    offer = codec.encode(
        sap.supportedAppProtocolReq(
            AppProtocol=[
                sap.AppProtocol(
                    ProtocolNamespace=DIN_NAMESPACE,
                    VersionNumberMajor=2,
                    VersionNumberMinor=0,
                    SchemaID=1,
                    Priority=1,
                )
            ]
        ),
        "sap",
    )
    item = Item(1, 0, "a", "b", "v2g", script.SAP, "sap", offer, codec.decode("sap", offer), connection=1)
    with pytest.raises(ScriptError, match="nothing but"):
        script.from_items([item])
    with pytest.raises(ScriptError, match="15118-20"):
        script.from_items([item, item._replace(name="SessionSetupReq", schema="iso20-common")])
    with pytest.raises(ScriptError, match="holds 1"):
        script.pick(script.sessions([item]), 2)


def test_the_profile_of_a_captured_car(car: Make) -> None:
    played = captured(car, **KINDS["dc"])
    original, made = load_profile(), profile_of(played)
    assert made.evccid == original.evccid and made.dc is not None and original.dc is not None
    assert made.dc.max_current_a == original.dc.max_current_a
    assert made.dc.max_power_kw == original.dc.max_power_kw
    assert made.battery.capacity_kwh == original.battery.capacity_kwh
    assert made.soc_percent == original.soc_percent and made.ac is None
    assert made.protocols == original.protocols
    assert abs(made.new_battery().voltage_v - original.new_battery().voltage_v) < 0.1
    assert "guessed" in profile_toml(played)


# --- adaptation ---------------------------------------------------------------------------------------------
@pytest.fixture
def state(car: Make) -> Any:
    return car().plug_in("dc", "eim", tls=False).state


def test_protocols_that_outrank_the_captured_one_are_not_offered(state: Any) -> None:
    request = sap.supportedAppProtocolReq(
        AppProtocol=[
            sap.AppProtocol(
                ProtocolNamespace=name,
                VersionNumberMajor=2,
                VersionNumberMinor=0,
                SchemaID=n,
                Priority=n,
            )
            for n, name in enumerate((DIN_NAMESPACE, ISO2_NAMESPACE, "urn:lower"), 1)
        ]
    )
    assert adapt.adapt(request, state, None) == [f"{DIN_NAMESPACE} is not offered"]
    assert [each.SchemaID for each in request.AppProtocol] == [2, 3]


def test_services_and_schedules_are_those_of_the_charger(state: Any) -> None:
    selected = [iso2.SelectedService(ServiceID=1), iso2.SelectedService(ServiceID=9)]
    request = iso2.PaymentServiceSelectionReq(
        SelectedPaymentOption=iso2.paymentOption.ExternalPayment,
        SelectedServiceList=iso2.SelectedServiceList(SelectedService=selected),
    )
    state.charge_service_id = 4
    assert len(adapt.adapt(request, state, None)) == 2
    assert [each.ServiceID for each in request.SelectedServiceList.SelectedService] == [4]

    entry = iso2.PMaxScheduleEntry(
        TimeInterval=iso2.RelativeTimeInterval(start=0), PMax=iso2.PhysicalValue.of(7000.0, "W")
    )
    state.schedule = iso2.SAScheduleTuple(
        SAScheduleTupleID=3, PMaxSchedule=iso2.PMaxSchedule(PMaxScheduleEntry=[entry])
    )
    state.schedule_id = 3
    wanted = iso2.ProfileEntry(
        ChargingProfileEntryStart=0, ChargingProfileEntryMaxPower=iso2.PhysicalValue.of(11000.0, "W")
    )
    power = iso2.PowerDeliveryReq(
        ChargeProgress=iso2.chargeProgress.Start,
        SAScheduleTupleID=1,
        ChargingProfile=iso2.ChargingProfile(ProfileEntry=[wanted]),
    )
    assert adapt.adapt(power, state, None) == ["SAScheduleTupleID 3", "ChargingProfile limited to 7000 W"]
    assert wanted.ChargingProfileEntryMaxPower.value == 7000


def test_din_profiles_have_plain_figures(state: Any) -> None:
    entry = din.PMaxScheduleEntry(TimeInterval=din.RelativeTimeInterval(start=0), PMax=4140)
    schedule = din.PMaxSchedule(PMaxScheduleID=1, PMaxScheduleEntry=[entry])
    state.schedule = din.SAScheduleTuple(SAScheduleTupleID=1, PMaxSchedule=schedule)
    wanted = din.ProfileEntry(ChargingProfileEntryStart=0, ChargingProfileEntryMaxPower=20_000)
    power = din.PowerDeliveryReq(
        ReadyToChargeState=True,
        ChargingProfile=din.ChargingProfile(SAScheduleTupleID=1, ProfileEntry=[wanted]),
    )
    assert adapt.adapt(power, state, None) == ["ChargingProfile limited to 4140 W"]
    assert wanted.ChargingProfileEntryMaxPower == 4140


# --- the command --------------------------------------------------------------------------------------------
def test_the_command_keeps_and_plays_a_script(
    car: Make, ready: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.jsonl"
    script.write(captured(car, **KINDS["din"]), path)
    assert cli.main(["ev", "replay", str(path), "--write", str(tmp_path / "kept")]) == 0
    assert load_profile(tmp_path / "kept" / "profile.toml").protocols[0].namespace == DIN_NAMESPACE
    kept = str(tmp_path / "kept" / "script.jsonl")
    where = ["--interface", "lo", "--sdp-port", str(ready["sdp_port"]), "--speed", "1000"]
    assert cli.main(["ev", "replay", kept, *where, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["result"] == "as captured" and summary["protocol"] == "din" and summary["session_stop"]
    assert cli.main(["ev", "replay", kept, *where]) == 0
    assert "result: as captured" in capsys.readouterr().out


def test_the_command_when_nobody_answers(
    car: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.jsonl"
    script.write(captured(car, **KINDS["din"]), path)
    where = ["--interface", "lo", "--sdp-port", "1", "--sdp-attempts", "1", "--json"]
    assert cli.main(["ev", "replay", str(path), *where]) == 4
    assert json.loads(capsys.readouterr().out)["result"] == "not reached"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["x.jsonl"], "--interface"),
        (["x.jsonl", "--interface", "lo", "--speed", "0"], "--speed"),
        (["x.jsonl", "--interface", "lo", "--loops", "0"], "--loops"),
        (["/nonexistent.jsonl", "--interface", "lo"], "nonexistent"),
        (["/nonexistent.pcap", "--interface", "lo"], "nonexistent"),
        (["/nonexistent.pcap", "--keylog", "/nowhere", "--interface", "lo"], "nowhere"),
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], text: str) -> None:
    assert cli.main(["ev", "replay", *arguments]) == 2
    said = capsys.readouterr()
    assert text in said.err and said.err.count("\n") == 1 and said.out == ""


def test_a_contract_session_needs_certificates(
    car: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.jsonl"
    script.write(captured(car, **KINDS["pnc"]), path)
    assert cli.main(["ev", "replay", str(path), "--interface", "lo"]) == 2
    assert "--pki" in capsys.readouterr().err
