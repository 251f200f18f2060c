"""From many sessions' windows to few batches: who may ask for how much, what runs when, and the threads it runs on."""

from bridge.engine.batcher import Batch, Batcher
from bridge.engine.costs import CostModel
from bridge.engine.dispatcher import Dispatcher
from bridge.engine.load import Allowance, LoadController
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
    "Allowance",
    "Batch",
    "Batcher",
    "Completed",
    "CostModel",
    "Dispatcher",
    "DropReason",
    "Dropped",
    "Engine",
    "EngineInfo",
    "EngineRequest",
    "Failed",
    "LoadController",
    "Outcome",
    "RequestKey",
]
