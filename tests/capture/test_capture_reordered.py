"""Packets captured in another order than they were sent in, at the ends of a connection and within."""

from __future__ import annotations

import struct

import pytest
from capture_lab import (
    Talk,
    decoded,
    ethernet,
    exi_messages,
    messages_of,
    problems_of,
    session,
    v2gtp,
)

MESSAGES = exi_messages()
REQUEST, RESPONSE = v2gtp(MESSAGES[0][1]), v2gtp(MESSAGES[1][1])


def test_the_syn_after_its_answer() -> None:
    frames = session()
    frames[0], frames[1] = frames[1], frames[0]
    items = decoded(frames)
    assert messages_of(items) == MESSAGES
    assert {item.connection for item in items} == {1}


def test_the_answer_to_the_syn_behind_the_first_responses() -> None:
    """What the car has acknowledged tells that bytes are missing before the response that came first."""
    talk = Talk()
    syn, answer, ack = talk.open()
    first, second, third, fourth = (
        talk.segment(index % 2, v2gtp(exi)) for index, (_, exi) in enumerate(MESSAGES[:4])
    )
    items = decoded([syn, ack, first, fourth, second, answer, third, *talk.close()])
    assert messages_of(items) == MESSAGES[:4]
    assert problems_of(items) == []


@pytest.mark.parametrize("where", [1, 2])
def test_a_fin_before_the_last_bytes(where: int) -> None:
    """One direction ends behind its FIN, also when the other has ended as well meanwhile."""
    talk = Talk()
    opening = talk.open()
    request = talk.segment(0, REQUEST)
    early, late = talk.segment(1, RESPONSE[:-3]), talk.segment(1, RESPONSE[-3:])
    ending = [talk.segment(1, flags=0x11), talk.segment(0, flags=0x11)]
    ending.insert(where, late)
    items = decoded([*opening, request, early, *ending, talk.segment(1, flags=0x10)])
    assert messages_of(items) == MESSAGES[:2]
    assert problems_of(items) == []
    assert [item.name for item in items if item.layer == "tcp"] == ["connect", "close", "close"]


def test_bytes_before_a_fin_that_never_come_are_told() -> None:
    talk = Talk()
    frames = [*talk.open(), talk.segment(0, REQUEST), talk.segment(1, RESPONSE[:-3])]
    talk.segment(1, RESPONSE[-3:])
    last = [talk.segment(1, flags=0x11), talk.segment(0, flags=0x01)]
    items = decoded([*frames, *last])
    assert [(item.layer, item.problem) for item in items if item.problem] == [
        (
            "v2g",
            f"a message of {len(RESPONSE) - 8} bytes, type 0x8001, of which {len(RESPONSE) - 11} are there",
        )
    ]


def test_directions_that_wait_for_each_other() -> None:
    """The latest response first: its hole is filled by a response which itself waits for a request."""
    talk = Talk()
    opening = talk.open()
    talked = [talk.segment(index % 2, v2gtp(exi)) for index, (_, exi) in enumerate(MESSAGES)]
    order = [0, 5, 1, 4, 2, 3, 6, 7]
    items = decoded([*opening, *(talked[index] for index in order), *talk.close()])
    assert messages_of(items) == MESSAGES
    assert problems_of(items) == []


def test_each_hole_has_patience_of_its_own() -> None:
    """For as long as packets keep changing places something waits all the time, yet nothing for long."""
    messages = MESSAGES[:2] + MESSAGES[2:4] * 40
    talk = Talk()
    opening = talk.open()
    talked = [talk.segment(index % 2, v2gtp(exi)) for index, (_, exi) in enumerate(messages)]
    # 0 3 2 5 4 7 6 ... 1: every response before its request, and the first response last of a few.
    order = [0, 3, 2, 1]
    order += [at for first in range(4, len(talked) - 2, 4) for at in (first + 3, first, first + 2, first + 1)]
    order += [at for at in range(len(talked)) if at not in order]
    items = decoded([*opening, *(talked[index] for index in order), *talk.close()])
    assert messages_of(items) == messages
    assert problems_of(items) == []


@pytest.mark.parametrize("count", range(1, 8))
def test_slac_under_many_tags(count: int) -> None:
    tags = [0x88A8, *[0x8100] * (count - 1)]
    frame = ethernet(struct.pack("<BHH", 1, 0x6064, 0) + bytes(60), 0x88E1, tags=tags)
    items = decoded([frame])
    assert [(item.layer, item.name, item.problem) for item in items] == [("slac", "CM_SLAC_PARM.REQ", "")]
