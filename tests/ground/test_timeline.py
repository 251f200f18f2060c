from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.geometry import hip_middle, track_heading
from bridge.resampling import CONNECTED_PERIODS
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from bridge.timeline import CONFIRMING_FRAMES, AddOutcome, Frame, Timeline, Window
from tests.ground.motion import LinearMotion, row_times_us, steady_times_us, undetected
from tests.support import TINY_LAYOUT

CONTEXT = 31
RATE_HZ = 30.0
LAYOUTS = st.sampled_from([TINY_LAYOUT, MEDIAPIPE_POSE_33])
SEEDS = st.integers(0, 2**32 - 1)
YEAR_US = 365 * 86_400 * 1_000_000


def timeline(layout: Layout = TINY_LAYOUT, **changes: float) -> Timeline:
    return Timeline(layout, context_frames=CONTEXT, rate_hz=RATE_HZ, **changes)


def window_after(frames: Iterable[Frame], layout: Layout = TINY_LAYOUT) -> Window:
    line = timeline(layout)
    for frame in frames:
        line.add(frame)
    window = line.window()
    assert window is not None
    return window


def assert_same(one: Window, two: Window) -> None:
    for name in ("pose_m", "observed", "bridged"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert (one.root_m is None) == (two.root_m is None)
    if one.root_m is not None and two.root_m is not None:
        assert np.array_equal(one.root_m, two.root_m)
    assert (one.sequence, one.timestamp_us) == (two.sequence, two.timestamp_us)
    if one.initial_heading_rad is None or two.initial_heading_rad is None:
        assert one.initial_heading_rad is two.initial_heading_rad
    else:
        assert one.initial_heading_rad == pytest.approx(two.initial_heading_rad, abs=1e-6)


def jittered_times_us(
    rng: np.random.Generator, rate_hz: float, duration_s: float, longest_gap_us: int = 0
) -> list[int]:
    """Times of capture with jitter of up to 40 % of a period, and a gap now and then."""
    times = np.array(steady_times_us(duration_s, rate_hz))
    times += rng.integers(-int(0.4e6 / rate_hz), int(0.4e6 / rate_hz), len(times))
    kept = [int(times[0])]
    for time_us in times[1:-1].tolist():
        skippable = longest_gap_us - 2.5e6 / rate_hz
        if time_us - kept[-1] > skippable or rng.random() < 0.8:
            kept.append(time_us)
    return [*kept, int(times[-1])]


@settings(max_examples=80)
@given(layout=LAYOUTS, seed=SEEDS, rate_hz=st.floats(24, 120), gaps=st.booleans(), lose=st.floats(0, 0.5))
def test_linear_motion_is_reproduced_exactly_at_any_rate_with_jitter_gaps_and_lost_landmarks(
    layout: Layout, seed: int, rate_hz: float, gaps: bool, lose: float
) -> None:
    rng = np.random.default_rng(seed)
    motion = LinearMotion.random(layout, seed)
    times = jittered_times_us(rng, rate_hz, 2.0, 190_000 if gaps else 0)
    line = timeline(layout)
    for sequence, time_us in enumerate(times):
        # The newest frame and what lies before the window are whole: nothing has to be held.
        whole = sequence == len(times) - 1 or time_us < times[-1] - 1_000_000
        unseen = () if whole else tuple(np.flatnonzero(rng.random(layout.joints) < lose).tolist())
        line.add(motion.frame(time_us, sequence=sequence, unseen=unseen, root=True))
        if sequence % 3 == 0:
            line.add(undetected(time_us + 1))
    window = line.window()
    assert window is not None
    assert window.root_m is not None
    assert np.abs(window.pose_m - motion.expected_m(window, RATE_HZ)).max() < 2e-5
    rows_us = row_times_us(window, RATE_HZ)
    true_root_m = motion.root_m(rows_us) + hip_middle(motion.pose_m(rows_us), layout)
    assert np.abs(window.root_m - true_root_m).max() < 2e-5
    assert window.timestamp_us == times[-1]
    assert window.sequence == len(times) - 1
    if lose == 0 and np.diff(times).max() <= CONNECTED_PERIODS * 1e6 / RATE_HZ:
        assert window.observed.all()
        assert not window.bridged.any()


@settings(max_examples=60)
@given(layout=LAYOUTS, seed=SEEDS, rate_hz=st.floats(24, 300), lose=st.floats(0, 0.9))
def test_order_of_arrival_and_doubled_frames_do_not_change_the_window(
    layout: Layout, seed: int, rate_hz: float, lose: float
) -> None:
    rng = np.random.default_rng(seed)
    motion = LinearMotion.random(layout, seed)
    frames: list[Frame] = []
    for sequence, time_us in enumerate(jittered_times_us(rng, rate_hz, 1.2, 150_000)):
        unseen = tuple(np.flatnonzero(rng.random(layout.joints) < lose).tolist())
        frames.append(motion.frame(time_us, sequence=sequence, unseen=unseen, root=True))
        if rng.random() < 0.1:
            frames.append(undetected(time_us + 7))
    ordered = timeline(layout)
    for frame in frames:
        ordered.add(frame)
    shuffled = timeline(layout)
    doubled = [*frames, *frames[::3]]
    for index in rng.permutation(len(doubled)).tolist():
        shuffled.add(doubled[index])
    one, two = ordered.window(), shuffled.window()
    assert (one is None) == (two is None)
    if one is not None and two is not None:
        assert_same(one, two)


@settings(max_examples=25)
@given(seed=SEEDS, rate_hz=st.floats(24, 120))
def test_late_frames_of_a_long_stream_end_in_the_same_window(seed: int, rate_hz: float) -> None:
    rng = np.random.default_rng(seed)
    motion = LinearMotion.random(TINY_LAYOUT, seed)
    frames = [motion.frame(time_us, sequence=n) for n, time_us in enumerate(jittered_times_us(rng, rate_hz, 4.0))]
    arrival_us = np.array([frame.timestamp_us for frame in frames]) + rng.integers(0, 500_000, len(frames))
    late = [frames[index] for index in np.argsort(arrival_us, kind="stable")]
    assert_same(window_after(frames), window_after(late))


def test_window_ends_exactly_at_the_newest_detected_frame() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 1)
    times = [*steady_times_us(1.5, 60), 2_507_123]
    window = window_after([*(motion.frame(t, sequence=t) for t in times), undetected(2_520_000), undetected(2_540_000)])
    assert window.timestamp_us == window.sequence == 2_507_123
    true_m = motion.pose_m(2_507_123)
    assert np.allclose(window.pose_m[-1], true_m - hip_middle(true_m, TINY_LAYOUT), atol=1e-6)
    assert window.pose_m.dtype == np.float32
    assert window.layout_id == TINY_LAYOUT.id


def test_no_window_until_a_second_is_there_and_the_missing_time_is_told() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 2)
    line = timeline()
    assert line.frames_until_window() == CONTEXT
    for count, time_us in enumerate(steady_times_us(1.0, RATE_HZ), start=1):
        assert line.window() is None
        assert line.missing_ms() > 0
        line.add(motion.frame(time_us))
        assert line.frames_until_window() == CONTEXT - count
    assert line.window() is not None
    assert line.missing_ms() == 0


@pytest.mark.parametrize("gap_ms", [150, 200])
@pytest.mark.parametrize("silent", [True, False])
def test_short_gap_is_bridged_and_marked(gap_ms: int, silent: bool) -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 3)
    first = steady_times_us(1.0, RATE_HZ)
    resumed_us = first[-1] + gap_ms * 1000
    frames = [motion.frame(t) for t in first]
    if not silent:
        frames += [undetected(t) for t in range(first[-1] + 33_333, resumed_us, 33_333)]
    frames += [motion.frame(t) for t in steady_times_us(0.3, RATE_HZ, resumed_us)]
    line = timeline()
    outcomes = [line.add(frame) for frame in frames]
    assert AddOutcome.RESTARTED not in outcomes
    assert (AddOutcome.UNDETECTED in outcomes) is not silent
    window = line.window()
    assert window is not None
    rows_us = row_times_us(window, RATE_HZ)
    margin_us = 0.25e6 / RATE_HZ + 2
    deep = (rows_us > first[-1] + margin_us) & (rows_us < resumed_us - margin_us)
    outside = (rows_us < first[-1] + 2) | (rows_us > resumed_us - 2)
    assert window.bridged[deep].all() and deep.any()
    assert not window.observed[deep].any()
    assert not window.bridged[outside].any()
    assert window.observed[outside].all()
    assert np.abs(window.pose_m - motion.expected_m(window, RATE_HZ)).max() < 2e-5


@pytest.mark.parametrize("gap_ms", [201, 250, 5_000, 3_000_000])
def test_long_gap_restarts_the_window(gap_ms: int) -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 4)
    first = steady_times_us(1.5, RATE_HZ)
    line = timeline()
    for time_us in first:
        line.add(motion.frame(time_us))
    assert line.window() is not None
    resumed = steady_times_us(1.0, RATE_HZ, first[-1] + gap_ms * 1000)
    assert line.add(motion.frame(resumed[0])) is AddOutcome.RESTARTED
    assert line.window() is None
    for time_us in resumed[1:]:
        assert line.window() is None
        assert line.add(motion.frame(time_us)) is AddOutcome.APPENDED
    window = line.window()
    assert window is not None
    assert window.observed.all()
    assert not window.bridged.any()


def test_late_frame_that_fills_a_long_gap_makes_the_window_whole() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 5)
    times = steady_times_us(1.0, RATE_HZ)
    line = timeline()
    for time_us in times:
        line.add(motion.frame(time_us))
    assert line.add(motion.frame(times[-1] + 250_000)) is AddOutcome.RESTARTED
    assert line.window() is None
    assert line.add(motion.frame(times[-1] + 120_000)) is AddOutcome.INSERTED_LATE
    window = line.window()
    assert window is not None
    assert np.abs(window.pose_m - motion.expected_m(window, RATE_HZ)).max() < 2e-5


def test_doubled_frame_is_counted_and_the_first_one_counts() -> None:
    motion, other = LinearMotion.random(TINY_LAYOUT, 6), LinearMotion.random(TINY_LAYOUT, 7)
    line = timeline()
    for time_us in steady_times_us(1.0, RATE_HZ):
        assert line.add(motion.frame(time_us)) is AddOutcome.APPENDED
        assert line.add(other.frame(time_us)) is AddOutcome.DUPLICATE
    window = line.window()
    assert window is not None
    assert line.duplicates == CONTEXT
    assert np.abs(window.pose_m - motion.expected_m(window, RATE_HZ)).max() < 2e-5


@pytest.mark.parametrize(("rate_hz", "duration_s"), [(240, 30.0), (1000, 8.0), (3001, 8.0)])
def test_memory_is_bounded_at_any_frame_rate_and_motion_stays_exact(rate_hz: int, duration_s: float) -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 8)
    line = timeline()
    largest, held = 0, []
    for time_us in steady_times_us(duration_s, rate_hz):
        line.add(motion.frame(time_us))
        largest = max(largest, len(line))
        held.append(line.nbytes)
    assert largest <= line.capacity_frames
    assert line.capacity_frames < 1.6 * 240
    assert held[-1] == max(held) == held[2 * len(held) // 3]
    assert held[-1] < 2 * line.capacity_frames * 200
    window = line.window()
    assert window is not None
    assert np.abs(window.pose_m - motion.expected_m(window, RATE_HZ)).max() < 1e-4


def test_a_flood_of_refused_and_undetected_frames_holds_no_memory() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 9)
    line = timeline()
    line.add(motion.frame(10_000_000))
    before = line.nbytes
    for count in range(2_000):
        line.add(undetected(10_000_001 + count * 1_000))
        with pytest.raises(InvalidInput):
            line.add(motion.frame(10_000_000 + YEAR_US - count * 1_000_000))
    assert (len(line), line.nbytes) == (1, before)


@pytest.mark.parametrize("jump_us", [YEAR_US, 3_601_000_000, -2_000_000, -9_000_000])
def test_frame_with_an_impossible_time_is_refused_and_changes_nothing(jump_us: int) -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 10)
    line = timeline()
    times = steady_times_us(1.5, RATE_HZ, 10_000_000)
    for time_us in times:
        line.add(motion.frame(time_us))
    before = line.window()
    with pytest.raises(InvalidInput) as caught:
        line.add(motion.frame(times[-1] + jump_us))
    assert caught.value.field == "frame.timestamp_us"
    after = line.window()
    assert before is not None and after is not None
    assert_same(before, after)
    assert line.add(motion.frame(times[-1] + 33_333)) is AddOutcome.APPENDED


@pytest.mark.parametrize("jump_us", [YEAR_US, -9_000_000])
def test_frames_that_agree_on_a_new_clock_restart_the_timeline(jump_us: int) -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 11)
    line = timeline()
    times = steady_times_us(1.5, RATE_HZ, 10_000_000)
    for time_us in times:
        line.add(motion.frame(time_us))
    after = [times[-1] + jump_us + round(index * 1e6 / RATE_HZ) for index in range(CONTEXT)]
    for time_us in after[: CONFIRMING_FRAMES - 1]:
        with pytest.raises(InvalidInput):
            line.add(motion.frame(time_us))
    assert line.add(motion.frame(after[CONFIRMING_FRAMES - 1])) is AddOutcome.RESTARTED
    assert len(line) == CONFIRMING_FRAMES, "the frames that were refused count now"
    for time_us in after[CONFIRMING_FRAMES:]:
        assert line.window() is None
        assert line.add(motion.frame(time_us)) is AddOutcome.APPENDED
    window = line.window()
    assert window is not None
    assert window.timestamp_us == after[-1]


def test_new_clock_confirmed_by_undetected_frames_restarts_with_the_first_detected_one() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 12)
    line = timeline()
    line.add(motion.frame(1_000_000))
    for index in range(CONFIRMING_FRAMES - 1):
        with pytest.raises(InvalidInput):
            line.add(undetected(YEAR_US + index * 33_333))
    assert line.add(undetected(YEAR_US + 4 * 33_333)) is AddOutcome.UNDETECTED
    assert line.add(motion.frame(YEAR_US + 5 * 33_333)) is AddOutcome.RESTARTED


def test_strays_that_disagree_or_are_interrupted_never_restart_the_clock() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 13)
    line = timeline()
    now_us = 1_000_000
    for index in range(40):
        line.add(motion.frame(now_us := now_us + 33_333))
        for stray in range(CONFIRMING_FRAMES - 1):
            with pytest.raises(InvalidInput):
                line.add(motion.frame(YEAR_US + index * 1_000_000 + stray * 33_333))
    window = line.window()
    assert window is not None
    assert window.timestamp_us == now_us
    for index in range(20):
        with pytest.raises(InvalidInput):
            line.add(motion.frame(YEAR_US * (index + 1)))


@settings(max_examples=60)
@given(layout=LAYOUTS, seed=SEEDS, lost=st.sets(st.integers(0, 6), min_size=1, max_size=6))
def test_landmarks_never_seen_stand_where_a_typical_body_has_them_and_are_marked(
    layout: Layout, seed: int, lost: set[int]
) -> None:
    heading_rad = np.random.default_rng(seed).uniform(-3, 3)
    cos, sin = np.cos(heading_rad), np.sin(heading_rad)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    still = np.zeros((layout.joints, 3))
    motion = LinearMotion(layout, layout.template * 0.3 @ turn + 2.0, still, np.zeros(3))
    # Any landmarks, hips and shoulders among them.
    important = (*layout.hips, *layout.shoulders, 0, 5, 6)
    unseen = tuple(sorted({important[index] for index in lost}))
    window = window_after((motion.frame(t, unseen=unseen) for t in steady_times_us(1.2, RATE_HZ)), layout)
    assert not window.observed[:, unseen].any()
    assert np.delete(window.observed, unseen, axis=1).all()
    assert np.abs(hip_middle(window.pose_m, layout)).max() < 1e-6
    seen = [index for index in range(layout.joints) if index not in unseen]
    if len(seen) > 1:
        assert np.abs(window.pose_m - motion.expected_m(window, RATE_HZ)).max() < 0.05
    assert np.isfinite(window.pose_m).all()


@settings(max_examples=60)
@given(layout=LAYOUTS, seed=SEEDS, lose=st.floats(0.3, 0.99))
def test_window_is_finite_and_hip_centred_however_much_is_lost(layout: Layout, seed: int, lose: float) -> None:
    rng = np.random.default_rng(seed)
    motion = LinearMotion.random(layout, seed)
    line = timeline(layout)
    for time_us in steady_times_us(2.0, 60):
        frame = motion.frame(time_us, unseen=tuple(np.flatnonzero(rng.random(layout.joints) < lose).tolist()))
        assert frame.landmarks is not None
        if rng.random() < 0.5:
            frame.landmarks[frame.landmarks[:, 3] == 0] = np.nan
        line.add(frame)
        window = line.window()
        if window is not None:
            assert np.isfinite(window.pose_m).all()
            assert np.abs(hip_middle(window.pose_m, layout)).max() < 1e-5


def test_hips_lost_for_a_while_take_the_body_along() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 14)
    times = steady_times_us(1.2, RATE_HZ)
    frames = [motion.frame(t, unseen=TINY_LAYOUT.hips if 15 < n < 20 else (), root=True) for n, t in enumerate(times)]
    window = window_after(frames)
    assert window.root_m is not None
    assert np.abs(window.pose_m - motion.expected_m(window, RATE_HZ)).max() < 2e-5
    rows_us = row_times_us(window, RATE_HZ)
    assert np.allclose(
        window.root_m, motion.root_m(rows_us) + hip_middle(motion.pose_m(rows_us), TINY_LAYOUT), atol=1e-5
    )
    others = [index for index in range(TINY_LAYOUT.joints) if index not in TINY_LAYOUT.hips]
    assert window.observed[:, others].all()
    assert (~window.observed[:, TINY_LAYOUT.hips[0]]).sum() == 4


def test_landmark_lost_at_the_end_is_held_relative_to_the_hips() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 15)
    times = steady_times_us(1.2, RATE_HZ)
    window = window_after(motion.frame(t, unseen=(0,) if t > times[-6] else ()) for t in times)
    expected_m = motion.expected_m(window, RATE_HZ)
    assert window.observed[:-5, 0].all()
    assert not window.observed[-5:, 0].any()
    assert np.allclose(window.pose_m[-5:, 0], expected_m[-6, 0], atol=1e-5)
    assert np.allclose(window.pose_m[:, 1:], expected_m[:, 1:], atol=1e-5)


def test_visibility_below_the_threshold_counts_as_unseen() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 16)
    line = timeline(visibility_threshold=0.5)
    for time_us in steady_times_us(1.0, RATE_HZ):
        frame = motion.frame(time_us)
        assert frame.landmarks is not None
        frame.landmarks[0, 3], frame.landmarks[1, 3] = 0.49, 0.51
        line.add(frame)
    window = line.window()
    assert window is not None
    assert not window.observed[:, 0].any()
    assert window.observed[:, 1].all()


def test_frame_whose_landmarks_are_all_unseen_is_an_undetected_frame() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 17)
    assert timeline().add(motion.frame(1_000_000, unseen=tuple(range(7)))) is AddOutcome.UNDETECTED


def test_roots_are_given_only_when_every_frame_has_one() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 18)
    times = steady_times_us(1.0, RATE_HZ)
    assert window_after(motion.frame(t, root=True) for t in times).root_m is not None
    assert window_after(motion.frame(t, root=t != times[9]) for t in times).root_m is None


def test_heading_from_before_the_window_is_remembered_and_forgotten_with_a_long_gap() -> None:
    layout = TINY_LAYOUT

    def turning(time_us: int) -> Frame:
        angle = (time_us - 1_000_000) * 1e-6 * 2.0
        cos, sin = np.cos(angle), np.sin(angle)
        pose_m = layout.template * 0.33 @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        return Frame("a", 0, time_us, np.c_[pose_m, np.ones(layout.joints)].astype(np.float32))

    line = timeline()
    times = steady_times_us(8.0, RATE_HZ)
    for time_us in times:
        line.add(turning(time_us))
    window = line.window()
    assert window is not None and window.initial_heading_rad is not None
    # 16 radians are more than two turns: only a heading followed from the start knows of them.
    assert track_heading(window.pose_m, layout, window.initial_heading_rad)[-1] == pytest.approx(16.0, abs=1e-3)
    for time_us in steady_times_us(2.0, RATE_HZ, times[-1] + 300_000):
        line.add(turning(time_us))
    again = line.window()
    assert again is not None
    assert again.initial_heading_rad is None or abs(again.initial_heading_rad) < np.pi + 2.0


@pytest.mark.parametrize(
    ("landmarks", "root_m", "field"),
    [
        (np.zeros((33, 4), np.float32), None, "frame.landmarks"),
        (np.zeros((7, 3), np.float32), None, "frame.landmarks"),
        (np.ones((7, 4), np.float32), np.array([0, np.nan, 0], np.float32), "frame.root"),
        (np.ones((7, 4), np.float32), np.zeros(2, np.float32), "frame.root"),
    ],
)
def test_frame_of_the_wrong_shape_is_refused_naming_the_field(
    landmarks: NDArray[np.float32], root_m: NDArray[np.float32] | None, field: str
) -> None:
    line = timeline()
    with pytest.raises(InvalidInput) as caught:
        line.add(Frame("a", 0, 1_000_000, landmarks, root_m))
    assert caught.value.field == field
    assert len(line) == 0


@pytest.mark.parametrize("changes", [{"rate_hz": 0.0}, {"max_gap_ms": -1.0}, {"visibility_threshold": 1.5}])
def test_settings_out_of_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        Timeline(TINY_LAYOUT, context_frames=CONTEXT, **changes)
    with pytest.raises(InvalidInput):
        Timeline(TINY_LAYOUT, context_frames=0)
