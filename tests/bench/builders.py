"""A published network small enough to run in milliseconds."""

from __future__ import annotations

from bridge.bench import PaperNet, PaperSizes

TINY = PaperSizes(dim=8, hidden=12, layers=2, couplings=3, width=10, context_frames=4, horizon_frames=5, samples=3)


def tiny_net(seed: int = 0) -> PaperNet:
    return PaperNet(TINY, seed=seed).eval()
