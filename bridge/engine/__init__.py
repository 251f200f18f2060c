"""From many sessions' windows to few batches: the batching policy, the worker thread, and the engine that computes."""

from bridge.engine.batcher import Batch, Batcher
from bridge.engine.dispatcher import Dispatcher
from bridge.engine.protocol import (
    Completed,
    Dropped,
    DropReason,
    Engine,
    EngineInfo,
    EngineRequest,
    Failed,
    Outcome,
    RequestKey,
)

__all__ = [
    "Batch",
    "Batcher",
    "Completed",
    "Dispatcher",
    "DropReason",
    "Dropped",
    "Engine",
    "EngineInfo",
    "EngineRequest",
    "Failed",
    "Outcome",
    "RequestKey",
]
