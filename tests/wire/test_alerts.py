from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import limits
from bridge.errors import InternalError, InvalidInput, MalformedMessage
from bridge.wire.alerts import (
    Alert,
    AlertPage,
    AlertSnapshot,
    AlertState,
    ClearReason,
    JointContribution,
    NoVerdict,
    Severity,
    Verdict,
    alert_from_json,
    alert_to_json,
)
from bridge.wire.codec import (
    AlertQuery,
    alert_from_message,
    alert_page_from_message,
    alert_page_to_message,
    alert_query_from_message,
    alert_query_to_message,
    alert_snapshot_from_message,
    alert_snapshot_to_message,
    alert_to_message,
    parse_message,
    verdict_from_message,
    verdict_to_message,
)
from bridge.wire.generated.posebridge.v1 import anomaly_pb2

NAMES = st.from_regex(limits.NAME_PATTERN, fullmatch=True)
CURSORS = st.integers(0, 2**63 - 1)
TIMES_US = st.integers(1, limits.MAX_TIMESTAMP_US)
SINGLES = st.floats(0.0, 1e6, width=32)
P_VALUES = st.floats(0.0, 1.0, exclude_min=True, allow_subnormal=False)
JOINTS = st.builds(JointContribution, st.integers(0, limits.MAX_LANDMARKS), st.text(max_size=20), SINGLES)
ALERTS = st.builds(
    Alert,
    id=st.text(min_size=1, max_size=40),
    revision=st.integers(1, 2**32 - 1),
    state=st.sampled_from(AlertState),
    client_name=NAMES,
    avatar_id=NAMES,
    session_id=st.text(max_size=20),
    started_us=TIMES_US,
    raised_us=TIMES_US,
    p_value=P_VALUES,
    score=SINGLES,
    threshold=SINGLES,
    false_alarms_per_hour=SINGLES,
    severity=st.sampled_from(Severity),
    joints=st.lists(JOINTS, max_size=8).map(tuple),
    ended_us=st.none() | TIMES_US,
    cleared_because=st.none() | st.sampled_from(ClearReason),
    acknowledged_by=st.text(max_size=64),
    acknowledged_unix_us=st.none() | TIMES_US,
    note=st.text(max_size=limits.MAX_NOTE_CHARACTERS),
    recorded_unix_us=TIMES_US,
    cursor=CURSORS,
)

ALERT = Alert(
    id="a-1",
    revision=2,
    state=AlertState.CLEARED,
    client_name="game",
    avatar_id="player1",
    session_id="s-1",
    started_us=1_000,
    raised_us=2_000,
    p_value=1e-60,
    score=12.5,
    threshold=10.0,
    false_alarms_per_hour=1.0,
    severity=Severity.HIGH,
    joints=(JointContribution(3, "left_hip", 0.5),),
    ended_us=3_000,
    cleared_because=ClearReason.STREAM_ENDED,
)


def over_the_wire(message: anomaly_pb2.Alert) -> anomaly_pb2.Alert:
    return parse_message(anomaly_pb2.Alert, message.SerializeToString())


# -- alerts


@given(ALERTS)
def test_an_alert_survives_the_wire_and_json_as_it_is(alert: Alert) -> None:
    assert alert_from_message(over_the_wire(alert_to_message(alert))) == alert
    assert alert_from_json(alert_to_json(alert)) == alert


def test_an_alert_that_is_on_has_no_end_and_nobody_who_saw_it() -> None:
    on = dataclasses.replace(ALERT, state=AlertState.RAISED, ended_us=None, cleared_because=None)
    message = alert_to_message(on)
    absent = ("ended_us", "acknowledged_by", "acknowledged_unix_us", "note")
    assert not any(message.HasField(name) for name in absent)
    assert alert_from_message(message).active


def test_a_p_value_far_below_what_single_precision_holds_is_carried() -> None:
    assert alert_from_message(over_the_wire(alert_to_message(ALERT))).p_value == 1e-60


@pytest.mark.parametrize(
    ("field", "damage"),
    [
        ("alert.id", lambda m: m.ClearField("id")),
        ("alert.id", lambda m: m.ClearField("revision")),
        ("alert.state", lambda m: m.ClearField("state")),
        ("alert.state", lambda m: m.MergeFromString(b"\x20\x63")),  # field 4, a state 99 of the future
        ("alert.severity", lambda m: m.ClearField("severity")),
        ("alert.cleared_because", lambda m: m.MergeFromString(b"\x88\x01\x63")),
        ("alert.p_value", lambda m: setattr(m, "p_value", 0.0)),
        ("alert.p_value", lambda m: setattr(m, "p_value", 1.5)),
        ("alert.p_value", lambda m: setattr(m, "p_value", math.nan)),
        ("alert.score", lambda m: setattr(m, "score", math.inf)),
        ("alert.threshold", lambda m: setattr(m, "threshold", -1.0)),
        ("alert.false_alarms_per_hour", lambda m: setattr(m, "false_alarms_per_hour", math.nan)),
        ("alert.joints[0].share", lambda m: setattr(m.joints[0], "share", math.nan)),
    ],
)
def test_an_alert_that_does_not_make_sense_is_refused_by_field(
    field: str, damage: Callable[[anomaly_pb2.Alert], None]
) -> None:
    message = alert_to_message(ALERT)
    damage(message)
    with pytest.raises(MalformedMessage) as caught:
        alert_from_message(message)
    assert caught.value.field == field
    assert caught.value.expected


# -- verdicts


@given(
    sequence=st.integers(0, limits.MAX_SEQUENCE),
    timestamp_us=TIMES_US,
    p_value=st.none() | st.floats(float(np.finfo(np.float32).tiny), 1.0, width=32),
    reason=st.sampled_from(NoVerdict),
    evidence=SINGLES,
    alert_id=st.text(max_size=40),
)
def test_a_verdict_survives_the_wire_as_it_is(
    sequence: int, timestamp_us: int, p_value: float | None, reason: NoVerdict, evidence: float, alert_id: str
) -> None:
    sent = Verdict(sequence, timestamp_us, p_value, None if p_value is not None else reason, evidence, alert_id)
    data = verdict_to_message(sent).SerializeToString()
    assert verdict_from_message(parse_message(anomaly_pb2.Verdict, data)) == sent


def test_a_verdicts_p_value_never_becomes_zero() -> None:
    back = verdict_from_message(verdict_to_message(Verdict(1, 2, 1e-60)))
    assert back.p_value is not None
    assert 0.0 < back.p_value < 1e-37


@pytest.mark.parametrize(
    ("field", "damage"),
    [
        ("forecast.anomaly.no_verdict", lambda m: m.ClearField("p_value")),
        ("forecast.anomaly.no_verdict", lambda m: setattr(m, "no_verdict", anomaly_pb2.NO_VERDICT_OFF)),
        ("forecast.anomaly.p_value", lambda m: setattr(m, "p_value", 0.0)),
        ("forecast.anomaly.p_value", lambda m: setattr(m, "p_value", math.nan)),
        ("forecast.anomaly.evidence", lambda m: setattr(m, "evidence", math.inf)),
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused_by_field(
    field: str, damage: Callable[[anomaly_pb2.Verdict], None]
) -> None:
    message = verdict_to_message(Verdict(1, 2, 0.5, evidence=0.25))
    damage(message)
    with pytest.raises(MalformedMessage) as caught:
        verdict_from_message(message, field="forecast.anomaly")
    assert caught.value.field == field


# -- questions and answers


@given(
    st.builds(
        AlertQuery,
        after_cursor=st.none() | CURSORS,
        limit=st.integers(1, limits.MAX_ALERTS_PER_ANSWER),
        client_name=st.just("") | NAMES,
        avatar_id=st.just("") | NAMES,
        active_only=st.booleans(),
    )
)
def test_a_question_survives_the_wire_as_it_is(query: AlertQuery) -> None:
    assert alert_query_from_message(alert_query_to_message(query)) == query


def test_an_empty_question_asks_for_the_newest_hundred_of_all() -> None:
    assert alert_query_from_message(anomaly_pb2.ListAlertsRequest()) == AlertQuery()
    older = anomaly_pb2.ListAlertsRequest(before_cursor=7)
    assert alert_query_from_message(older) == AlertQuery(before_cursor=7)


@pytest.mark.parametrize(
    ("field", "given_values"),
    [
        ("limit", {"limit": 0}),
        ("limit", {"limit": limits.MAX_ALERTS_PER_ANSWER + 1}),
        ("after_cursor", {"after_cursor": 2**63}),
        ("before_cursor", {"before_cursor": 2**64 - 1}),
        ("before_cursor", {"after_cursor": 1, "before_cursor": 1}),
        ("client_name", {"client_name": "no/name"}),
        ("avatar_id", {"avatar_id": "x" * 65}),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_field(field: str, given_values: dict[str, int]) -> None:
    with pytest.raises(InvalidInput) as caught:
        alert_query_from_message(anomaly_pb2.ListAlertsRequest(**given_values))  # type: ignore[arg-type]
    assert caught.value.field == field
    assert caught.value.expected


def test_a_page_survives_the_wire_as_it_is() -> None:
    page = AlertPage((ALERT, dataclasses.replace(ALERT, id="a-2")), last_cursor=9, forgotten_cursor=3)
    assert alert_page_from_message(alert_page_to_message(page)) == page


# -- snapshots


def snapshot(frames: int = 5, joints: int = 7, scores: int = 3, samples: int = 2, steps: int = 4) -> AlertSnapshot:
    draw = np.random.default_rng(frames * 7 + samples)
    observed_m = draw.normal(size=(frames, joints, 4)).astype(np.float32)
    observed_m[0, 0, :3] = np.nan
    p_values = draw.uniform(size=frames).astype(np.float32)
    p_values[0] = np.nan
    return AlertSnapshot(
        layout_id="test.tiny.7",
        timestamps_us=np.arange(1, frames + 1) * 33_333,
        observed_m=observed_m,
        p_values=p_values,
        scores=np.where(draw.uniform(size=(frames, scores)) < 0.2, np.nan, 1.5).astype(np.float32),
        score_names=tuple(f"score{number}" for number in range(scores)),
        samples_m=draw.normal(size=(samples, steps, joints, 3)).astype(np.float16).astype(np.float32),
        samples_from_us=12_345,
        step_us=33_333,
    )


def same(one: AlertSnapshot, other: AlertSnapshot) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one)]
    return all(
        np.shape(a) == np.shape(b) and (np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else a == b)
        for a, b in pairs
    )


@given(frames=st.integers(1, 6), scores=st.integers(0, 4), samples=st.integers(1, 3), steps=st.integers(1, 5))
def test_a_snapshot_survives_the_wire_with_what_is_missing(frames: int, scores: int, samples: int, steps: int) -> None:
    sent = snapshot(frames, 7, scores, samples, steps)
    data = alert_snapshot_to_message(ALERT, sent).SerializeToString()
    alert, back = alert_snapshot_from_message(parse_message(anomaly_pb2.GetAlertSnapshotResponse, data))
    assert alert == ALERT
    assert back is not None and same(sent, back)


def test_a_snapshot_without_samples_has_none_after_the_wire_either() -> None:
    sent = dataclasses.replace(snapshot(), samples_m=np.zeros((0, 0, 7, 3), np.float32))
    back = alert_snapshot_from_message(alert_snapshot_to_message(ALERT, sent))[1]
    assert back is not None and same(sent, back)


def test_an_alert_whose_snapshot_was_not_stored_comes_alone() -> None:
    assert alert_snapshot_from_message(alert_snapshot_to_message(ALERT, None)) == (ALERT, None)


def test_an_infinite_number_in_a_snapshot_is_a_fault_of_the_server() -> None:
    broken = snapshot()
    broken.scores[1, 1] = np.inf
    with pytest.raises(InternalError):
        alert_snapshot_to_message(ALERT, broken)


@pytest.mark.parametrize("name", ["observed", "p_values", "scores", "samples"])
def test_a_snapshot_whose_shapes_contradict_each_other_is_refused(name: str) -> None:
    message = alert_snapshot_to_message(ALERT, snapshot())
    tensor = getattr(message, name)
    tensor.shape[:] = [int(np.prod(tensor.shape))]
    if name == "p_values":
        message.timestamps_us.append(1)
        message.ClearField("observed")
    with pytest.raises(MalformedMessage) as caught:
        alert_snapshot_from_message(message)
    assert caught.value.field.startswith("snapshot.")
