"""Says something to a server, whatever it may be, and hears all that it answers: typed, well-formed and in time."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import zmq
from google.protobuf.message import DecodeError

from bridge import limits
from bridge.errors import BridgeError
from bridge.service import Endpoints
from bridge.skeleton import Layout
from bridge.wire.codec import forecast_from_message, frame_from_message, parse_message
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2, pose_pb2
from tests.service.fuzzing import ALERT_KINDS, Kitchen
from tests.service_fixtures import PATIENCE_S, SERVICE, CallFailed, GrpcClient

NEVER = (forecast_pb2.ERROR_CODE_UNSPECIFIED, forecast_pb2.ERROR_CODE_INTERNAL, forecast_pb2.ERROR_CODE_UNAVAILABLE)
"""Codes that no message may bring about in a healthy server."""
LONGEST_WORDS = 2000
"""An error says what was wrong; it does not repeat all of it."""
_SENTINEL = "sentinel"

# -- what an answer looks like


def check_detail(detail: forecast_pb2.ErrorDetail) -> None:
    """Fail unless an error is typed and says something."""
    assert detail.code in forecast_pb2.ErrorCode.values() and detail.code not in NEVER, detail
    assert detail.problem and detail.expected, detail
    assert len(detail.field) + len(detail.problem) + len(detail.expected) <= LONGEST_WORDS


def check_response(response: forecast_pb2.StreamForecastsResponse) -> str:
    """Fail unless a message of the stream is right in itself; return its kind."""
    payload = response.WhichOneof("payload")
    if payload == "forecast":
        forecast_from_message(response.forecast)
    elif payload == "frame_error":
        check_detail(response.frame_error.error)
    elif payload == "avatar_accepted":
        settings = response.avatar_accepted
        fields = [field.name for field in settings.DESCRIPTOR.fields if field.has_presence]
        fields.remove("false_alarms_per_hour")  # in force only where motion is watched
        assert all(settings.HasField(name) for name in fields)
    else:
        assert payload in ("accepted", "clock_pong"), response
    assert payload is not None
    return payload


def wanted_of_stream(data: bytes, layout: Layout) -> set[str]:
    """Kinds of answers of which one must come to these bytes in an open session; empty if silence is right too."""
    try:
        request = parse_message(forecast_pb2.StreamForecastsRequest, data)
    except BridgeError:
        return {"frame_error"}
    return _wanted_of_request(request, layout)


def _wanted_of_request(request: forecast_pb2.StreamForecastsRequest, layout: Layout) -> set[str]:
    payload = request.WhichOneof("payload")
    if payload == "frame":
        return set() if _fits(request.frame, layout) else {"frame_error"}
    if payload == "frames":
        few = len(request.frames.frames) <= limits.MAX_FRAMES_PER_MESSAGE
        return set() if few and all(_fits(frame, layout) for frame in request.frames.frames) else {"frame_error"}
    if payload == "avatar_config":
        return {"avatar_accepted", "frame_error"}
    return {"clock_pong"} if payload == "clock_ping" else {"frame_error"}


def _fits(frame: pose_pb2.PoseFrame, layout: Layout) -> bool:
    try:
        frame_from_message(frame, layout)
    except BridgeError:
        return False
    return True


def _sentinel(number: int) -> forecast_pb2.StreamForecastsRequest:
    """A frame that is refused: errors come in order, so its own says that all before it was looked at."""
    return forecast_pb2.StreamForecastsRequest(frame=pose_pb2.PoseFrame(avatar_id=_SENTINEL, sequence=number))


def _is_sentinel(response: forecast_pb2.StreamForecastsResponse, number: int) -> bool:
    error = response.frame_error
    return response.HasField("frame_error") and (error.avatar_id, error.sequence) == (_SENTINEL, number)


def _require_one(kinds: set[str], wanted: set[str], data: bytes) -> None:
    assert not wanted or kinds & wanted, f"answered by {kinds or 'nothing'} instead of {wanted}: {data.hex()[:4000]}"


# -- gRPC


class GrpcStream:
    """One session over gRPC, from its config on."""

    def __init__(self, endpoints: Endpoints, layout: Layout, kitchen: Kitchen) -> None:
        self._layout = layout
        self._client = GrpcClient(endpoints)
        self._number = 0
        self.heard: Counter[str] = Counter()
        self._client.send(forecast_pb2.StreamForecastsRequest(config=kitchen.config()))
        assert self._client.receive().HasField("accepted")
        self._client.send(kitchen.full_windows())

    def say(self, data: bytes) -> None:
        """Send bytes, hear every answer to them, and fail unless they are as they must be."""
        self._number += 1
        self._client.send_bytes(data)
        self._client.send(_sentinel(self._number))
        kinds = set()
        while True:
            try:
                response = self._client.receive()
            except queue.Empty:
                raise AssertionError(f"no answer: {data.hex()[:4000]}") from None
            except CallFailed as error:
                raise AssertionError(f"the stream ended with {error.status} {error}: {data.hex()[:4000]}") from error
            if _is_sentinel(response, self._number):
                break
            kinds.add(check_response(response))
        _require_one(kinds, wanted_of_stream(data, self._layout), data)
        self.heard.update(kinds or {"nothing"})

    def close(self) -> None:
        self._client.close()


class GrpcCalls:
    """Calls over one channel, none of which has a session for long."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.heard: Counter[str] = Counter()
        self._channel = grpc.insecure_channel(endpoints.grpc, options=[("grpc.max_send_message_length", -1)])

    def begin(self, data: bytes) -> None:
        """Open a stream with these bytes as its first message: it is accepted, or refused with a typed error."""
        call = self._channel.stream_stream(f"{SERVICE}/StreamForecasts")(iter((data,)), timeout=PATIENCE_S)
        with self._typed_failure(data):
            first = next(call, None)
            assert first is not None, data.hex()
            assert check_response(forecast_pb2.StreamForecastsResponse.FromString(first)) == "accepted"
            assert parse_message(forecast_pb2.StreamForecastsRequest, data).HasField("config")
            assert next(call, None) is None  # nothing more was sent, so it ends in good order
            self.heard["answer"] += 1

    def ask(self, method: str, data: bytes) -> None:
        """Make a unary call: it is answered, or refused with a typed error."""
        call = self._channel.unary_unary(f"{SERVICE}/{method}")
        with self._typed_failure(data):
            answer = call(data, timeout=PATIENCE_S)
            if method == "Forecast":
                forecast_from_message(forecast_pb2.ForecastResponse.FromString(answer).forecast)
            else:
                assert forecast_pb2.GetModelInfoResponse.FromString(answer).layout_id
            self.heard["answer"] += 1

    def close(self) -> None:
        self._channel.close()

    @contextmanager
    def _typed_failure(self, data: bytes) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            details = [value for key, value in error.trailing_metadata() or () if key == "posebridge-error-bin"]
            assert details, f"{error.code()} without a typed error ({error.details()}): {data.hex()[:4000]}"
            assert error.code() not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
            detail = forecast_pb2.ErrorDetail.FromString(details[0])
            check_detail(detail)
            self.heard[forecast_pb2.ErrorCode.Name(detail.code)] += 1


# -- ZeroMQ


class ZmqTalk:
    """One DEALER socket, with or without a session behind it: whichever it has been brought to."""

    def __init__(self, endpoints: Endpoints, layout: Layout) -> None:
        self._layout = layout
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(endpoints.zmq)
        self._number = 1 << 40  # as request ids, these are nobody else's
        self.heard: Counter[str] = Counter()
        self.has_session = False

    def open(self, kitchen: Kitchen) -> None:
        """Have a session, whose windows are full."""
        for request in (forecast_pb2.StreamForecastsRequest(config=kitchen.config()), kitchen.full_windows()):
            self._socket.send(envelope_pb2.ClientEnvelope(stream=request).SerializeToString())
        self._settle((), lambda _: None)
        assert self.has_session

    def say(self, *parts: bytes) -> None:
        """Send a message, hear every answer to it, and fail unless they are as they must be."""
        wanted = self._wanted(parts)
        request_id = self._request_id(parts)
        kinds: set[str] = set()

        def note(answer: envelope_pb2.ServerEnvelope) -> None:
            kinds.add(self._checked(answer, request_id))

        self._socket.send_multipart(parts)
        before = time.monotonic()
        self._settle(parts, note)
        while wanted and not kinds & wanted:  # an engine's answer may be behind the sentinel's
            assert time.monotonic() - before < PATIENCE_S, f"no {wanted} but {kinds}: {_hex(parts)}"
            note(self._receive(parts))
        self.heard.update(kinds or {"nothing"})

    def close(self) -> None:
        self._context.destroy(linger=0)

    def _settle(self, parts: tuple[bytes, ...], note: Callable[[envelope_pb2.ServerEnvelope], None]) -> None:
        """Send what is answered in order, and note what comes before the answers; tells whether there is a session."""
        self._number += 1
        sentinel = envelope_pb2.ClientEnvelope(stream=_sentinel(self._number))
        beat = envelope_pb2.ClientEnvelope(request_id=self._number, heartbeat=envelope_pb2.Heartbeat())
        self._socket.send(sentinel.SerializeToString())
        self._socket.send(beat.SerializeToString())
        before: list[envelope_pb2.ServerEnvelope] = []
        beaten = in_session = without_session = False
        while not (beaten and (in_session or without_session)):
            answer = self._receive(parts)
            if answer.request_id == self._number:
                assert answer.HasField("heartbeat"), answer
                beaten = True
                # Where there is no session the sentinel's refusal is the last of its kind.
                refusals = [each for each in before if _refuses_a_frame(each)]
                if refusals:
                    before.remove(refusals[-1])
                    without_session = True
            elif _is_sentinel(answer.stream, self._number):
                in_session = True
            else:
                before.append(answer)
        self.has_session = in_session
        for answer in before:
            note(answer)

    def _receive(self, parts: tuple[bytes, ...]) -> envelope_pb2.ServerEnvelope:
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0 and self._socket.poll(round(left_s * 1000)), f"no answer: {_hex(parts)}"
            answer = envelope_pb2.ServerEnvelope.FromString(self._socket.recv())
            if answer.HasField("heartbeat") and answer.request_id == 0:
                continue  # the server asks whether we are still there
            return answer

    def _checked(self, answer: envelope_pb2.ServerEnvelope, request_id: int) -> str:
        payload = answer.WhichOneof("payload")
        assert answer.request_id in (0, request_id), answer
        if payload == "stream":
            return check_response(answer.stream)
        if payload == "error":
            check_detail(answer.error.error)
        elif payload == "forecast":
            forecast_from_message(answer.forecast.forecast)
            return "call answered"  # "forecast" is one of the session's
        else:
            assert payload in ("get_model_info", *ALERT_KINDS, "heartbeat"), answer
        assert payload is not None
        return payload

    def _wanted(self, parts: tuple[bytes, ...]) -> set[str]:
        """Kinds of answers of which one must come; an error is a ``frame_error`` where there is a session."""
        refusal = {"frame_error" if self.has_session else "error"}
        try:
            (data,) = parts
            envelope = parse_message(envelope_pb2.ClientEnvelope, data)
        except (ValueError, BridgeError):
            return refusal
        payload = envelope.WhichOneof("payload")
        if payload == "stream" and self.has_session:
            return _wanted_of_request(envelope.stream, self._layout)
        if payload == "stream":
            return {"accepted", "error"} if envelope.stream.HasField("config") else {"error"}
        if payload == "forecast":
            return {"call answered", "error"}
        if payload in ("get_model_info", *ALERT_KINDS):
            return {payload, "error"}
        if payload == "heartbeat":
            return {"heartbeat"} if envelope.request_id else set()  # with no number it is like the server's own
        return set() if payload == "goodbye" else refusal

    @staticmethod
    def _request_id(parts: tuple[bytes, ...]) -> int:
        try:
            return envelope_pb2.ClientEnvelope.FromString(parts[0]).request_id
        except DecodeError:
            return 0


def _refuses_a_frame(answer: envelope_pb2.ServerEnvelope) -> bool:
    return answer.HasField("error") and answer.error.session_ended and answer.error.error.field == "config"


def _hex(parts: tuple[bytes, ...]) -> str:
    return " | ".join(part.hex()[:4000] for part in parts)
