"""Clients say where they lead and how they stand, and never a token."""

from __future__ import annotations

from bridge.client import AlertsClient, Client, connect, connect_async
from tests.client.helpers import CONFIG, frames, wait_until
from tests.support import free_port


def test_a_client_says_where_it_leads_and_how_it_stands(address: str) -> None:
    with connect(address, config=CONFIG, token="s3cret") as client:
        for frame in frames(range(12)):
            client.send(frame)
        wait_until(lambda: client.stats().forecasts > 0, "a forecast")
        assert repr(client).startswith(f"Client({client.address}, 'test', connected: 12 frames sent, ")
        assert client.address.endswith(address) and "s3cret" not in repr(client)
    assert ", closed: 12 frames sent, " in repr(client)


def test_a_client_without_a_server_says_why() -> None:
    client = Client(f"127.0.0.1:{free_port()}", CONFIG)
    wait_until(lambda: client.stats().last_error is not None, "an attempt")
    assert "'test', connecting: " in repr(client) and "frames sent" not in repr(client)
    client.close()


async def test_an_async_client_says_the_same(address: str) -> None:
    client = await connect_async(address, config=CONFIG)
    assert repr(client) == f"AsyncClient({client.address}, 'test', connected: 0 frames sent, 0 forecasts)"
    await client.close()
    assert ", closed: " in repr(client)


def test_an_alerts_client_says_where_it_leads() -> None:
    alerts = AlertsClient("127.0.0.1:50551", token="s3cret")
    assert repr(alerts) == "AlertsClient(grpc://127.0.0.1:50551)"
    alerts.close()
    assert repr(alerts) == "AlertsClient(grpc://127.0.0.1:50551, closed)"
