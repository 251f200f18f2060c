from __future__ import annotations

import asyncio
import dataclasses

import pytest

from bridge.client import AsyncClient, connect_async
from bridge.errors import DeadlineExceeded, FailedPrecondition, Unavailable, VersionMismatch
from tests.client.helpers import CONFIG, frame, frames
from tests.client.test_client import dead_address
from tests.service_fixtures import PATIENCE_S


async def test_frames_in_forecasts_out(address: str) -> None:
    async with await connect_async(address, config=CONFIG) as client:
        for sent in frames(range(9)):
            client.send(sent)
        async for forecast in client.forecasts(PATIENCE_S):
            if forecast.based_on_sequence == 8:
                break
        assert client.latest("a") is forecast
        assert (await client.model_info()).layout_id == CONFIG.layout_id
        assert (await client.forecast(frames(range(9), "b"))).avatar_id == "b"


async def test_sending_goes_on_while_another_task_reads(address: str) -> None:
    async with await connect_async(address, config=CONFIG) as client:

        async def read() -> int:
            async for forecast in client.forecasts(PATIENCE_S):
                if forecast.based_on_sequence >= 20:
                    return forecast.based_on_sequence
            raise AssertionError("the loop ended")

        reader = asyncio.create_task(read())
        for index in range(21):
            client.send(frame(index))
            await asyncio.sleep(0.005)
        assert await reader == 20


async def test_errors_are_the_same_as_the_sync_clients(address: str, transport: str) -> None:
    with pytest.raises(VersionMismatch):
        await connect_async(address, config=dataclasses.replace(CONFIG, protocol_version=7))
    async with AsyncClient(dead_address(transport), CONFIG) as client:
        with pytest.raises(DeadlineExceeded):
            await anext(aiter(client.forecasts(0.05)))
        with pytest.raises(Unavailable):
            await client.wait_connected(0.05)


async def test_close_ends_a_waiting_loop(address: str) -> None:
    client = await connect_async(address, config=CONFIG)

    async def read() -> list[object]:
        return [forecast async for forecast in client.forecasts()]

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    await client.close()
    assert await asyncio.wait_for(reader, PATIENCE_S) == []
    with pytest.raises(FailedPrecondition):
        client.send(frame(0))
