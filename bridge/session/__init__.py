"""One client's avatars and what is on its way to and from them; the same for every transport."""

from bridge.session.avatar import Avatar
from bridge.session.outbox import Item, Outbox, ReadyForecast
from bridge.session.pacer import Pacer
from bridge.session.registry import SessionRegistry
from bridge.session.session import Session
from bridge.session.single import Answer, SingleForecast

__all__ = [
    "Answer",
    "Avatar",
    "Item",
    "Outbox",
    "Pacer",
    "ReadyForecast",
    "Session",
    "SessionRegistry",
    "SingleForecast",
]
