from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from bridge.client import Client, ConnectionState, connect
from bridge.errors import DeadlineExceeded, FailedPrecondition, InvalidInput, NotFound, Unavailable, VersionMismatch
from bridge.wire.values import AvatarConfig, Forecast
from tests.client.helpers import CONFIG, frame, frames, wait_until
from tests.service_fixtures import PATIENCE_S, RunningServer
from tests.support import free_port


def dead_address(transport: str) -> str:
    return f"tcp://127.0.0.1:{free_port()}" if transport == "zmq" else f"127.0.0.1:{free_port()}"


def test_frames_in_forecasts_out(address: str) -> None:
    with connect(address, config=CONFIG) as client:
        assert client.session is not None and client.session.context_frames == 8
        for sent in frames(range(9)):
            client.send(sent)
        newest: Forecast | None = None
        for forecast in client.forecasts(PATIENCE_S):
            newest = forecast
            if forecast.based_on_sequence == 8:
                break
        assert newest is not None
        assert newest is client.latest("a")
        sent_last = frame(8)
        assert sent_last.landmarks is not None
        assert newest.based_on_timestamp_us == sent_last.timestamp_us
        held = sent_last.landmarks[:, :3] - sent_last.landmarks[[3, 4], :3].mean(axis=0)
        np.testing.assert_allclose(newest.futures_m[0, -1], held, atol=2e-3)
        stats = client.stats()
        assert (stats.state, stats.sessions, stats.frames_sent) == (ConnectionState.CONNECTED, 1, 9)
        assert stats.forecasts >= 1 and len(stats.latencies_ms) == stats.forecasts


def test_several_avatars_share_a_session(address: str) -> None:
    with connect(address, config=CONFIG) as client:
        for index in range(10):
            for avatar_id in ("left", "right"):
                client.send(frame(index, avatar_id))
        wait_until(lambda: client.latest("left") is not None and client.latest("right") is not None, "both forecasts")
        assert client.latest("nobody") is None


def test_a_frame_that_the_server_refuses_is_reported_and_the_session_goes_on(address: str) -> None:
    with connect(address, config=CONFIG) as client:
        for sent in frames(range(9)):
            client.send(sent)
        client.send(dataclasses.replace(frame(9), timestamp_us=frame(9).timestamp_us + 366 * 86_400 * 1_000_000))
        wait_until(lambda: client.stats().frame_faults > 0, "a fault")
        (fault,) = client.frame_faults()
        assert (fault.avatar_id, fault.sequence) == ("a", 9)
        assert isinstance(fault.error, InvalidInput) and fault.error.field == "frame.timestamp_us"
        client.send(frame(10))
        wait_until(lambda: (f := client.latest("a")) is not None and f.based_on_sequence == 10, "a forecast after it")
        assert client.stats().sessions == 1


def test_wrong_protocol_version_is_typed_and_names_both(address: str) -> None:
    with pytest.raises(VersionMismatch, match=r"version 7.*speaks 1"):
        connect(address, config=dataclasses.replace(CONFIG, protocol_version=7))


def test_layout_that_the_server_has_no_weights_for_is_typed(address: str) -> None:
    with pytest.raises(NotFound, match="mediapipe"):
        connect(address, config=dataclasses.replace(CONFIG, layout_id="mediapipe.pose.33"))


def test_more_futures_than_samples_is_typed(address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        connect(address, config=dataclasses.replace(CONFIG, futures=9, samples=4))
    assert refused.value.field == "config.futures"


def test_a_refused_client_says_so_on_every_call(address: str) -> None:
    with Client(address, dataclasses.replace(CONFIG, layout_id="unknown.layout")) as client:
        wait_until(lambda: client.stats().state is ConnectionState.REFUSED, "refusal")
        with pytest.raises(NotFound):
            client.send(frame(0))
        with pytest.raises(NotFound):
            next(client.forecasts(PATIENCE_S))


def test_one_forecast_from_one_window(address: str) -> None:
    with connect(address, config=CONFIG) as client:
        forecast = client.forecast(frames(range(9), "b"))
        assert (forecast.avatar_id, forecast.based_on_sequence) == ("b", 8)
        with pytest.raises(FailedPrecondition):
            client.forecast(frames(range(2)))


def test_model_info_tells_what_runs(address: str) -> None:
    with connect(address, config=CONFIG) as client:
        info = client.model_info()
        assert (info.layout_id, info.context_frames, info.device) == (CONFIG.layout_id, 8, "cpu")


def test_with_no_server_nothing_blocks_and_waiting_is_typed(transport: str) -> None:
    address = dead_address(transport)
    with Client(address, CONFIG) as client:
        before_s = time.thread_time()
        for sent in frames(range(2000)):
            client.send(sent)
        assert time.thread_time() - before_s < PATIENCE_S
        assert client.latest("a") is None
        with pytest.raises(DeadlineExceeded):
            next(client.forecasts(0.05))
        with pytest.raises(Unavailable):
            client.wait_connected(0.05)
        with pytest.raises((Unavailable, DeadlineExceeded)):
            client.model_info(1.0)
        assert client.stats().frames_sent == 0
        wait_until(lambda: client.stats().last_error is not None, "a failed attempt")
    with pytest.raises(Unavailable):
        connect(address, config=CONFIG, timeout_s=0.2)


def test_close_ends_loops_and_can_be_repeated(address: str) -> None:
    client = connect(address, config=CONFIG)
    client.close()
    client.close()
    assert list(client.forecasts(PATIENCE_S)) == []
    with pytest.raises(FailedPrecondition):
        client.send(frame(0))


def test_a_draining_server_is_left_and_the_client_keeps_trying(server: RunningServer, address: str) -> None:
    with connect(address, config=CONFIG) as client:
        for sent in frames(range(9)):
            client.send(sent)
        wait_until(lambda: client.latest("a") is not None, "a forecast")
        server.stop(grace_ms=200)
        wait_until(lambda: client.stats().state is ConnectionState.CONNECTING, "the end of the session")
        client.send(frame(9))
        assert client.latest("a") is not None


def test_an_avatar_has_settings_of_its_own_also_after_a_reconnect(server: RunningServer, address: str) -> None:
    with connect(address, config=CONFIG) as client:
        client.configure(AvatarConfig("large", samples=6, futures=3))
        for index in range(9):
            for name in ("large", "usual"):
                client.send(frame(index, name))
        wait_until(lambda: client.latest("large") is not None and client.latest("usual") is not None, "forecasts")
        large, usual = client.latest("large"), client.latest("usual")
        assert large is not None and usual is not None
        assert (large.samples, len(large.probabilities)) == (6, 3)
        assert (usual.samples, len(usual.probabilities)) == (CONFIG.samples, CONFIG.futures)
        (session,) = server.sessions
        session.drain(0)  # as a server that is about to stop does
        wait_until(lambda: client.stats().sessions == 2, "a second session")
        last = large.based_on_sequence
        client.send(frame(9, "large"))
        wait_until(lambda: (again := client.latest("large")) is not None and again.based_on_sequence > last, "another")
        again = client.latest("large")
        assert again is not None and again.samples == 6
        assert client.frame_faults() == ()


def test_wrong_settings_of_an_avatar_are_typed_at_once(address: str) -> None:
    with connect(address, config=CONFIG) as client, pytest.raises(InvalidInput) as caught:
        client.configure(AvatarConfig("a", samples=0))
    assert caught.value.field == "avatar_config.samples"


def test_a_frame_of_wrong_types_is_refused_before_it_is_sent(address: str) -> None:
    with connect(address, config=CONFIG) as client:
        right = frame(0)
        assert right.landmarks is not None
        wrong = dataclasses.replace(right, landmarks=right.landmarks.tolist())
        for call in (lambda: client.send(wrong), lambda: client.forecast([wrong])):
            with pytest.raises(InvalidInput, match=r"frame.landmarks: is a list; expected a numpy array"):
                call()
        assert client.send(dataclasses.replace(right, landmarks=right.landmarks.astype(np.float64)))
        assert client.stats().frame_faults == 0
