"""A server's status as a test wants it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class FakeStatus:
    """Answers what it is told to."""

    sessions: dict[str, int] = field(default_factory=dict)
    avatar_count: int = 0
    waiting_count: int = 0
    load: float = 0.0
    is_ready: bool = True
    is_draining: bool = False
    has_alerts: bool = False

    def sessions_by_transport(self) -> dict[str, int]:
        return dict(self.sessions)

    def avatars(self) -> int:
        return self.avatar_count

    def waiting(self) -> int:
        return self.waiting_count

    def utilisation(self) -> float:
        return self.load

    def ready(self) -> bool:
        return self.is_ready

    def draining(self) -> bool:
        return self.is_draining

    def alerts_on(self) -> bool:
        return self.has_alerts
