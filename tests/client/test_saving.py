"""A saving client, and both sides' clocks, with a real server."""

from __future__ import annotations

import dataclasses
import time

import pytest

from bridge.client import FrameSaver, connect
from tests.client.helpers import CONFIG, frame, frames, wait_until
from tests.service_fixtures import PATIENCE_S
from tests.support import TINY_LAYOUT

SAVING_CONFIG = dataclasses.replace(CONFIG, horizon_ms=1000)


def test_a_saving_client_gets_forecasts_that_say_how_much_was_filled_in(address: str) -> None:
    saver = FrameSaver(every_nth=3, max_silence_ms=400, layout=TINY_LAYOUT)
    with connect(address, config=SAVING_CONFIG, saver=saver) as client:
        assert client.session is not None and client.session.config.frame_saving == saver.frame_saving
        context = client.session.context_frames
        assert all(client.send(sent) for sent in frames(range(context)))
        first = next(client.forecasts(PATIENCE_S))
        assert (first.based_on_sequence, first.filled_share) == (context - 1, 0.0)
        sent_sequences = []
        for index in range(context, context + 12):
            if client.send(frame(index)):
                sent_sequences.append(index)
                newest = next(client.forecasts(PATIENCE_S))
                assert newest.based_on_sequence == index
        # Three frames after the last of the first window, and so on.
        assert sent_sequences == [context + 2 + 3 * k for k in range(4)]
        assert newest.filled_share == pytest.approx(5 / 8)  # of eight rows 0, 3 and 6 before the newest were sent
        assert newest.bridged_share == 0.0
        stats = client.stats()
        assert (stats.frames_sent, stats.frames_saved) == (context + 4, 8)
        assert stats.bytes_saved > 8 * 16 * TINY_LAYOUT.joints
        assert stats.frame_faults == 0


def test_a_silence_that_a_timeline_would_not_bridge_is_filled_in(address: str) -> None:
    saver = FrameSaver(threshold_m=50.0, max_silence_ms=500, layout=TINY_LAYOUT)
    with connect(address, config=SAVING_CONFIG, saver=saver) as client:
        assert client.session is not None
        context = client.session.context_frames
        for sent in frames(range(context)):
            client.send(sent)
        next(client.forecasts(PATIENCE_S))
        index = context
        while not client.send(frame(index)):
            index += 1
        assert index - (context - 1) == 14  # 467 ms: one more would be 500 ms and a bit
        newest = next(client.forecasts(PATIENCE_S))
        assert newest.based_on_sequence == index
        assert newest.filled_share == pytest.approx(7 / 8)


def test_client_and_server_agree_on_how_their_clocks_stand(address: str) -> None:
    behind_us = 10**12
    with connect(address, config=CONFIG, clock_us=lambda: time.monotonic_ns() // 1000 + behind_us) as client:
        for sent in frames(range(20)):
            client.send(sent)
        wait_until(lambda: client.stats().capture_offset_us is not None, "the server's view")
        stats = client.stats()
        assert stats.clock_offset_us is not None and stats.round_trip_ms is not None
        # Server and client live on one machine: their clocks are the same but for what was added.
        assert stats.clock_offset_us == pytest.approx(-behind_us, abs=PATIENCE_S * 1e6)
        assert stats.frame_faults == 0
