"""Defects of the matching: SLAC on the charger's side, its control pilot, and its logical network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.charger.defects import defect
from bench.charger.defects.slac_tools import incoming, once_a_matching, outgoing, set_limits
from bench.slac import mme
from bench.slac.evse import EvseMatcher
from bench.slac.evse_policy import EvsePolicy, Pairing
from bench.slac.keys import new_nmk, nid_from_nmk
from bench.slac.machine import Action, Input, Pilot
from bench.slac.mme import Frame

if TYPE_CHECKING:
    from bench.charger.model import Charger

LATE_S = 9.0
"""Beyond T_conn_max_comm (8 s)."""
FOREVER_S = 3600.0


# --- CM_SLAC_PARM ---


def _parm(charger: Charger, **fields: Any) -> None:
    good = charger.slac.policy.parm_confirmation
    charger.slac.policy.parm_confirmation = lambda pairing: replace(good(pairing), **fields)  # type: ignore[method-assign]


@defect(
    "slac-forwarding-sta-zero",
    protocol="slac",
    wrong="FORWARDING_STA of CM_SLAC_PARM.CNF is zero instead of the EV's address",
)
def forwarding_sta_zero(charger: Charger) -> None:
    """FB-01."""
    _parm(charger, forwarding_sta=bytes(6))


@defect(
    "slac-sounding-parameters",
    protocol="slac",
    wrong="CM_SLAC_PARM.CNF asks for 8 sounds and gives RESP_TYPE 0",
)
def sounding_parameters(charger: Charger) -> None:
    """FB-01."""
    _parm(charger, num_sounds=8, resp_type=0)


@defect(
    "slac-run-id-cut",
    protocol="slac",
    wrong="only six of the eight bytes of the RunID come back, as of a MAC",
)
def run_id_cut(charger: Charger) -> None:
    """SmartEVSE-3 issue 25."""
    good = charger.slac.policy.parm_confirmation

    def confirmation(pairing: Pairing) -> mme.SlacParmCnf:
        return replace(good(pairing), run_id=pairing.run_id[:6] + bytes(2))

    charger.slac.policy.parm_confirmation = confirmation  # type: ignore[method-assign]


@defect(
    "slac-any-types",
    protocol="slac",
    wrong="CM_SLAC_PARM.REQ is answered whatever its application and security type",
)
def any_types(charger: Charger) -> None:
    """CmSlacParm_005, _006."""
    charger.slac.policy.accepts_parm = lambda request: True  # type: ignore[method-assign]


@defect(
    "slac-ignores-first-request",
    protocol="slac",
    wrong="the first CM_SLAC_PARM.REQ after each plug-in gets no answer",
)
def ignores_first_request(charger: Charger) -> None:
    """CmSlacParm_009."""
    waiting = [True]
    charger.pilot.on_connect.append(lambda: waiting.__setitem__(0, True))
    good = charger.slac.policy.accepts_parm

    def accepts(request: mme.SlacParmReq) -> bool:
        first, waiting[0] = waiting[0], False
        return not first and good(request)

    charger.slac.policy.accepts_parm = accepts  # type: ignore[method-assign]


@defect("slac-wakes-late", protocol="slac", wrong="nothing is answered in the first 9 s after plug-in")
def wakes_late(charger: Charger) -> None:
    """CmSlacParm_008."""
    plugged = [0.0]

    def wrap(matcher: Any) -> None:
        good = matcher.receive

        def receive(what: Input, t: float) -> list[Action]:
            if isinstance(what, Pilot) and matcher.state == "unplugged":
                plugged[0] = t
            asked = isinstance(what, Frame) and isinstance(what.mme, mme.SlacParmReq)
            taken: list[Action] = [] if asked and t < plugged[0] + LATE_S else good(what, t)
            return taken

        matcher.receive = receive

    charger.slac.on_matcher.append(wrap)


@defect("slac-only-in-state-b", protocol="slac", wrong="CM_SLAC_PARM.REQ is answered in pilot state B only")
def only_in_state_b(charger: Charger) -> None:
    """CmSlacParm_002, _003."""
    good = charger.slac.policy.accepts_parm
    charger.slac.policy.accepts_parm = lambda request: charger.pilot.state == "B" and good(request)  # type: ignore[method-assign]


@defect(
    "slac-waits-forever",
    protocol="slac",
    wrong="TT_EVSE_SLAC_init never runs out: no end without a SLAC request",
)
def waits_forever(charger: Charger) -> None:
    """CmSlacParm_004."""
    set_limits(charger, TT_EVSE_SLAC_init=FOREVER_S)


@defect("slac-answers-unplugged", protocol="slac", wrong="CM_SLAC_PARM.REQ is answered in pilot state A, too")
def answers_unplugged(charger: Charger) -> None:
    """CmSlacParm_007."""

    def wrap(matcher: Any) -> None:
        good = matcher.receive

        def receive(what: Input, t: float) -> list[Action]:
            unplugged = isinstance(what, Pilot) and what.state == "A"
            taken: list[Action] = good(what, t)
            return taken + matcher.start(t) if unplugged else taken

        matcher.receive = receive

    charger.slac.on_matcher.append(wrap)


@defect(
    "slac-ignores-unplug", protocol="slac", wrong="a matching under way goes on when the vehicle is unplugged"
)
def ignores_unplug(charger: Charger) -> None:
    """AttenuationCharacterization_019, CmValidate_013, CmSlacMatch_023, _024."""

    def change(what: Input, matcher: EvseMatcher) -> Input | None:
        unplugged = isinstance(what, Pilot) and what.state == "A"
        under_way = any(session.phase != "matched" for session in matcher.sessions())
        return None if unplugged and under_way else what

    incoming(charger, change)


@defect(
    "slac-no-restart",
    protocol="slac",
    wrong="a new CM_SLAC_PARM.REQ in the middle of a matching does not begin anew",
)
def no_restart(charger: Charger) -> None:
    """AttenuationCharacterization_002, FB-03."""
    charger.slac.policy.restarts = lambda **_: False  # type: ignore[method-assign]


# --- attenuation ---


def _attenuation(charger: Charger, change: Callable[[mme.AttenCharInd], mme.AttenCharInd]) -> None:
    good = charger.slac.policy.attenuation

    def attenuation(pairing: Pairing, profiles: Sequence[bytes]) -> mme.AttenCharInd:
        return change(good(pairing, profiles))

    charger.slac.policy.attenuation = attenuation  # type: ignore[method-assign]


@defect("slac-ten-groups", protocol="slac", wrong="CM_ATTEN_CHAR.IND has 10 groups instead of 58")
def ten_groups(charger: Charger) -> None:
    """AttenuationCharacterization_001."""
    _attenuation(charger, lambda indication: replace(indication, num_groups=10, aag=indication.aag[:10]))


@defect(
    "slac-attenuation-ids", protocol="slac", wrong="SOURCE_ID and RESP_ID of CM_ATTEN_CHAR.IND are not zero"
)
def attenuation_ids(charger: Charger) -> None:
    """AttenuationCharacterization_001."""
    _attenuation(charger, lambda each: replace(each, source_id=b"EVSE".ljust(17), resp_id=b"EV".ljust(17)))


@defect(
    "slac-needs-all-sounds",
    protocol="slac",
    wrong="no CM_ATTEN_CHAR.IND when one of the ten sounds is missing",
)
def needs_all_sounds(charger: Charger) -> None:
    """AttenuationCharacterization_003."""

    def change(frame: Frame) -> Frame | None:
        short = isinstance(frame.mme, mme.AttenCharInd) and frame.mme.num_sounds < EvsePolicy.num_sounds
        return None if short else frame

    outgoing(charger, change)


@defect("slac-never-repeats", protocol="slac", wrong="CM_ATTEN_CHAR.IND is not repeated without a response")
def never_repeats(charger: Charger) -> None:
    """AttenuationCharacterization_004, FB-02."""
    charger.slac.policy.attenuation_repetitions = lambda standard: 0  # type: ignore[method-assign]


@defect(
    "slac-repeats-forever",
    protocol="slac",
    wrong="CM_ATTEN_CHAR.IND is repeated more often than C_EV_match_retry",
)
def repeats_forever(charger: Charger) -> None:
    """AttenuationCharacterization_004."""
    charger.slac.policy.attenuation_repetitions = lambda standard: 50  # type: ignore[method-assign]


@defect("slac-any-response", protocol="slac", wrong="every CM_ATTEN_CHAR.RSP counts, whatever is in it")
def any_response(charger: Charger) -> None:
    """AttenuationCharacterization_005 to _011."""
    charger.slac.policy.accepts_response = lambda message, pairing: True  # type: ignore[method-assign]


@defect(
    "slac-no-sequence-timeout",
    protocol="slac",
    wrong="TT_match_sequence never runs out: late messages still count",
)
def no_sequence_timeout(charger: Charger) -> None:
    """AttenuationCharacterization_012, CmValidate_003."""
    set_limits(charger, TT_match_sequence=FOREVER_S)


@defect("slac-any-start", protocol="slac", wrong="every CM_START_ATTEN_CHAR.IND counts, whatever is in it")
def any_start(charger: Charger) -> None:
    """AttenuationCharacterization_013 to _018."""

    def change(what: Input, matcher: EvseMatcher) -> Input | None:
        if isinstance(what, Frame) and isinstance(what.mme, mme.StartAttenCharInd):
            for session in matcher.sessions():
                good = mme.StartAttenCharInd(
                    forwarding_sta=session.pairing.ev_mac, run_id=session.pairing.run_id
                )
                return replace(what, mme=good)
        return what

    incoming(charger, change)


@defect(
    "slac-attenuation-drifts",
    protocol="slac",
    wrong="the attenuation comes out 6 dB higher from matching to matching",
)
def attenuation_drifts(charger: Charger) -> None:
    """AttenuationCharacterization_020."""
    matching = itertools.count()

    def higher(indication: mme.AttenCharInd) -> mme.AttenCharInd:
        drift_db = 6 * (next(matching) % 8)
        return replace(indication, aag=bytes(min(255, each + drift_db) for each in indication.aag))

    _attenuation(charger, higher)


@defect(
    "slac-attenuation-thrice",
    protocol="slac",
    wrong="each CM_START_ATTEN_CHAR.IND gets a CM_ATTEN_CHAR.IND of its own",
)
def attenuation_thrice(charger: Charger) -> None:
    """BX_SLAC_MANYSTART."""
    outgoing(charger, lambda frame: [frame] * 3 if isinstance(frame.mme, mme.AttenCharInd) else frame)


# --- CM_VALIDATE ---


@defect(
    "slac-miscounts-toggles", protocol="slac", wrong="CM_VALIDATE.CNF tells one toggle more than there was"
)
def miscounts_toggles(charger: Charger) -> None:
    """CmValidate_001."""
    good = charger.slac.policy.validation
    charger.slac.policy.validation = lambda toggles: replace(good(toggles), toggle_num=toggles + 1)  # type: ignore[method-assign]


@defect("slac-validate-once", protocol="slac", wrong="the first answer of a validation is never repeated")
def validate_once(charger: Charger) -> None:
    """CmValidate_002 to _004."""
    once_a_matching(
        charger, lambda each: isinstance(each, mme.ValidateCnf) and each.result == mme.VALIDATE_READY
    )


@defect("slac-any-signal-type", protocol="slac", wrong="CM_VALIDATE.REQ counts whatever its signal type")
def any_signal_type(charger: Charger) -> None:
    """CmValidate_004."""
    charger.slac.policy.accepts_validation = lambda message: True  # type: ignore[method-assign]


@defect(
    "slac-any-validation-result",
    protocol="slac",
    wrong="a second CM_VALIDATE.REQ with another result than ready counts as ready",
)
def any_validation_result(charger: Charger) -> None:
    """CmValidate_005 to _008."""

    def change(what: Input, matcher: EvseMatcher) -> Input | None:
        if isinstance(what, Frame) and isinstance(what.mme, mme.ValidateReq) and what.mme.timer:
            return replace(what, mme=replace(what.mme, result=mme.VALIDATE_READY))
        return what

    incoming(charger, change)


@defect(
    "slac-validates-two", protocol="slac", wrong="a second car is told to toggle while the first one does"
)
def validates_two(charger: Charger) -> None:
    """CmValidate_009."""

    def change(frame: Frame) -> Frame:
        if isinstance(frame.mme, mme.ValidateCnf) and frame.mme.result == mme.VALIDATE_NOT_READY:
            return replace(frame, mme=replace(frame.mme, result=mme.VALIDATE_READY))
        return frame

    outgoing(charger, change)


# --- CM_SLAC_MATCH and the network ---


def _match(charger: Charger, **fields: Any) -> None:
    good = charger.slac.policy.match_confirmation
    charger.slac.policy.match_confirmation = lambda *given: replace(good(*given), **fields)  # type: ignore[method-assign]


@defect("slac-match-length", protocol="slac", wrong="MVFLength of CM_SLAC_MATCH.CNF is that of the request")
def match_length(charger: Charger) -> None:
    """CmSlacMatch_001."""
    _match(charger, mvf_length=0x3E)


@defect("slac-match-addresses", protocol="slac", wrong="CM_SLAC_MATCH.CNF has zeros for the EVSE's address")
def match_addresses(charger: Charger) -> None:
    """CmSlacMatch_001."""
    _match(charger, evse_mac=bytes(6))


@defect("slac-nid-of-nothing", protocol="slac", wrong="the NID is not the one that belongs to the NMK")
def nid_of_nothing(charger: Charger) -> None:
    """CmSlacMatch_001."""
    charger.slac.policy.new_network = lambda: (nid_from_nmk(new_nmk()), new_nmk())  # type: ignore[method-assign]


@defect("slac-match-once", protocol="slac", wrong="a repeated CM_SLAC_MATCH.REQ gets no answer")
def match_once(charger: Charger) -> None:
    """CmSlacMatch_003, _004."""
    once_a_matching(charger, lambda each: isinstance(each, mme.SlacMatchCnf))


@defect("slac-session-never-ends", protocol="slac", wrong="TT_EVSE_match_session never runs out")
def session_never_ends(charger: Charger) -> None:
    """CmSlacMatch_005, _006."""
    set_limits(charger, TT_EVSE_match_session=FOREVER_S)


@defect("slac-any-match", protocol="slac", wrong="every CM_SLAC_MATCH.REQ is answered, whatever is in it")
def any_match(charger: Charger) -> None:
    """CmSlacMatch_007 to _022."""
    charger.slac.policy.accepts_match = lambda message, pairing: True  # type: ignore[method-assign]


@defect(
    "slac-wrong-key", protocol="slac", wrong="the key in CM_SLAC_MATCH.CNF is not that of the charger's modem"
)
def wrong_key(charger: Charger) -> None:
    """PLCLinkStatus_001."""
    nmk = new_nmk()
    _match(charger, nmk=nmk, nid=nid_from_nmk(nmk))


@defect("slac-same-network", protocol="slac", wrong="every matching gives the same NMK")
def same_network(charger: Charger) -> None:
    """BX_SLAC_REMATCH."""
    nmk = new_nmk()
    charger.slac.policy.new_network = lambda: (nid_from_nmk(nmk), nmk)  # type: ignore[method-assign]


@defect("slac-stays-in-network", protocol="slac", wrong="the charger keeps its key when the vehicle has left")
def stays_in_network(charger: Charger) -> None:
    """PLCLinkStatus_002, _005."""
    charger.slac.policy.leaves_network = lambda: False  # type: ignore[method-assign]


@defect(
    "slac-matches-when-linked", protocol="slac", wrong="CM_SLAC_PARM.REQ is answered while there is a link"
)
def matches_when_linked(charger: Charger) -> None:
    """PLCLinkStatus_003."""
    charger.slac.policy.matches_when_linked = lambda: True  # type: ignore[method-assign]


@defect(
    "slac-needs-replug", protocol="slac", wrong="after a lost link there is no new matching without a replug"
)
def needs_replug(charger: Charger) -> None:
    """PLCLinkStatus_004 (DC), FB-04."""
    charger.slac.failed = lambda *, linked: None  # type: ignore[method-assign]


# --- CM_AMP_MAP ---


@defect("slac-no-amp-map", protocol="slac", wrong="CM_AMP_MAP.REQ is never answered")
def no_amp_map(charger: Charger) -> None:
    """CmAmpMap_001."""
    charger.slac.policy.accepts_amp_map = lambda message: False  # type: ignore[method-assign]


@defect("slac-amp-map-once", protocol="slac", wrong="a repeated CM_AMP_MAP.REQ gets no answer")
def amp_map_once(charger: Charger) -> None:
    """CmAmpMap_006."""
    once_a_matching(charger, lambda each: isinstance(each, mme.AmpMapCnf))


@defect("slac-any-amp-map", protocol="slac", wrong="a CM_AMP_MAP.REQ without a map is answered with success")
def any_amp_map(charger: Charger) -> None:
    """CmAmpMap_005."""
    charger.slac.policy.accepts_amp_map = lambda message: True  # type: ignore[method-assign]
