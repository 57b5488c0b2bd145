"""The frame parser: what it takes, what it refuses, and that nothing else can come out of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.csms import frames
from bench.csms.frames import Frame, FrameError, FrameType


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "RpcFrameworkError"),
        ("{", "RpcFrameworkError"),
        ("{}", "RpcFrameworkError"),
        ("[]", "RpcFrameworkError"),
        ("[2]", "RpcFrameworkError"),
        ('[2,5,"A",{}]', "RpcFrameworkError"),
        ('[2,"1","A"]', "RpcFrameworkError"),
        ('[2,"1","A",{},1]', "RpcFrameworkError"),
        ('[2,"1","A",[]]', "RpcFrameworkError"),
        ('[2,"1",7,{}]', "RpcFrameworkError"),
        ('[3,"1",null]', "RpcFrameworkError"),
        ('[4,"1","C",5,{}]', "RpcFrameworkError"),
        ('[9,"1",{}]', "MessageTypeNotSupported"),
        ('["2","1",{}]', "MessageTypeNotSupported"),
        ('[true,"1",{}]', "MessageTypeNotSupported"),
        ('[2.0,"1","A",{}]', "MessageTypeNotSupported"),
        ('[2,"1","A",{"x":NaN}]', "RpcFrameworkError"),
        ("[" * 100_000, "RpcFrameworkError"),
        ('[3,"1",' + '{"a":' * 70 + "1" + "}" * 70 + "]", "RpcFrameworkError"),
        ('[2,"1","A",{"x":' + "9" * 5000 + "}]", "RpcFrameworkError"),
    ],
)
def test_refused(raw: str, code: str) -> None:
    with pytest.raises(FrameError) as caught:
        frames.parse(raw)
    assert caught.value.code == code


def test_id_of_a_refused_frame() -> None:
    with pytest.raises(FrameError) as caught:
        frames.parse('[2,"abc","A"]')
    assert caught.value.frame_id == "abc"
    with pytest.raises(FrameError) as caught:
        frames.parse("[2")
    assert caught.value.frame_id == "-1"


def test_every_type() -> None:
    assert frames.parse('[2,"1","Heartbeat",{}]') == Frame(FrameType.CALL, "1", "Heartbeat", {})
    assert frames.parse('[3,"1",{"a":1}]') == Frame(FrameType.CALLRESULT, "1", None, {"a": 1})
    found = frames.parse('[4,"1","NotImplemented","no",{}]')
    assert (found.type, found.code, found.description) == (FrameType.CALLERROR, "NotImplemented", "no")
    assert frames.parse('[5,"1","X","",{}]').type is FrameType.CALLRESULTERROR
    assert frames.parse('[6,"1","NotifyPeriodicEventStream",{}]').type is FrameType.SEND


def test_long_and_empty_ids_are_noted() -> None:
    assert "37 characters" in frames.parse(f'[3,"{"x" * 37}",{{}}]').problems[0]
    assert frames.parse(f'[3,"{"x" * 36}",{{}}]').problems == ()
    assert frames.parse('[3,"",{}]').problems


def test_brackets_in_texts_do_not_nest() -> None:
    text = json.dumps([2, "1", "A", {"x": "[{" * 500 + '"\\'}])
    assert frames.parse(text).payload["x"].startswith("[{")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.text(), JSON, max_size=4)


@given(st.text(max_size=300) | JSON.map(json.dumps) | st.lists(JSON, max_size=6).map(json.dumps))
def test_any_text_is_a_frame_or_a_frame_error(raw: str) -> None:
    try:
        assert isinstance(frames.parse(raw), Frame)
    except FrameError as error:
        assert error.code in ("RpcFrameworkError", "MessageTypeNotSupported")
        assert len(error.frame_id) <= 36


@given(st.text(max_size=36), st.text(max_size=50), OBJECT)
def test_round_trip(frame_id: str, action: str, payload: dict[str, object]) -> None:
    found = frames.parse(frames.call(frame_id, action, payload))
    assert (found.type, found.id, found.action, found.payload) == (FrameType.CALL, frame_id, action, payload)
    assert frames.parse(frames.result(frame_id, payload)).payload == payload
    error = frames.parse(frames.error(frame_id, "GenericError", action * 20, payload))
    assert (error.code, error.payload) == ("GenericError", payload)
    assert len(error.description) <= 255
