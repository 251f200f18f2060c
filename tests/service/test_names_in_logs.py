"""What clients call themselves and their avatars never reaches the log as it came."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2
from tests.service_fixtures import (
    CallFailed,
    Connections,
    Player,
    RunningServer,
    ZmqClient,
    config_message,
    frame_message,
)

EVIL = ["line\nbreak", "\x1b[31mred", "nul\0", "{curly}", "\u202egnp.exe", "x" * 100_000, "%s%n", "' OR 1=1 --"]


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in texts(part)]
    return [str(value)]


@pytest.mark.parametrize("evil", EVIL)
def test_evil_names_are_refused_and_not_logged(
    server: RunningServer, transport: str, layout: Layout, connect: Connections, evil: str
) -> None:
    logs: list[Any]
    with capture_logs() as logs:
        client = connect.over(transport, server.endpoints)
        client.send(forecast_pb2.StreamForecastsRequest(config=config_message(layout, client_name=evil)))
        with pytest.raises(CallFailed) as caught:
            client.receive()
        assert caught.value.detail.field == "config.client_name"
        assert len(caught.value.detail.problem) < 300
        player = Player(connect.over(transport, server.endpoints), layout)
        player.client.send(forecast_pb2.StreamForecastsRequest(frame=frame_message(layout, evil, 0)))
        assert player.expect_frame_error().error.field == "frame.avatar_id"
        own = forecast_pb2.AvatarConfig(avatar_id=evil)
        player.client.send(forecast_pb2.StreamForecastsRequest(avatar_config=own))
        assert player.expect_frame_error().error.field == "avatar_config.avatar_id"
        if isinstance(client, ZmqClient):
            client.send_envelope(envelope_pb2.ClientEnvelope(token=evil))
            with pytest.raises(CallFailed):
                client.receive_envelope()
        client.close()
        player.client.close()
        server.wait_for_sessions(0)
    for line in logs:
        for text in texts(line):
            assert evil not in text
            assert text.isprintable()
            assert len(text) < 500
