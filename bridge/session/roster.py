"""The avatars of one session: who is there, with which settings, and who gets forecasts when not all can."""

from __future__ import annotations

from itertools import islice

from bridge import limits
from bridge.anomaly.monitor import AnomalyMonitor, AvatarName
from bridge.engine import EngineInfo
from bridge.errors import BridgeError, ResourceExhausted
from bridge.session.avatar import Avatar
from bridge.session.grant import Grant
from bridge.session.places import Places
from bridge.wire.values import AvatarConfig, SessionConfig

SWEEP_S = 5.0
"""How often silent avatars are looked for."""


class Roster:
    """Avatars by name, in the order in which they came. Belongs to the thread that receives frames.

    Args:
        session_id: of the session.
        config: its settings.
        info: what the engine serves.
        grant: limits of the caller. places: those of the server.
        idle_s: an avatar that is silent for so long is forgotten.
        now_s: seconds of the clock that all times here are of.
        monitor: judges the avatars' motion; None where nobody does.
    """

    def __init__(
        self,
        session_id: str,
        config: SessionConfig,
        info: EngineInfo,
        *,
        grant: Grant,
        places: Places,
        idle_s: float,
        now_s: float,
        monitor: AnomalyMonitor | None = None,
    ) -> None:
        self._session_id = session_id
        self._config = config
        self._info = info
        self._grant = grant
        self._places = places
        self._idle_s = idle_s
        self._swept_s = now_s
        self._monitor = monitor if config.anomaly.enabled else None
        self._avatars: dict[str, Avatar] = {}
        self._configs: dict[str, SessionConfig] = {}
        self._served: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._avatars)

    @property
    def nbytes(self) -> int:
        """Memory held for frames and futures, bytes; may be asked from any thread."""
        return sum(avatar.nbytes for avatar in list(self._avatars.values()))

    def __getitem__(self, avatar_id: str) -> Avatar:
        return self._avatars[avatar_id]

    def avatar(self, avatar_id: str, now_s: float) -> Avatar:
        """Return the avatar of a frame that came in now; the first frame makes it.

        Raises:
            ResourceExhausted: if there is no place for another one.
        """
        avatar = self._avatars.get(avatar_id) or self._welcome(avatar_id, now_s)
        avatar.last_seen_s = now_s
        return avatar

    def configure(self, own: AvatarConfig) -> SessionConfig:
        """Put settings of one avatar in force, whether it is there already or not; return them whole.

        Raises:
            InvalidInput: if a field is wrong; names it, as ``avatar_config.<name>``.
            ResourceExhausted: if too many avatars have settings of their own.
        """
        config = own.within(self._config)
        config.require_reply_fits(joints=self._info.layout.joints, rate_hz=self._info.rate_hz, called="avatar_config")
        if own.avatar_id not in self._configs and len(self._configs) >= limits.MAX_AVATARS_PER_SESSION:
            self._forget_settings_of_the_absent()
        if own.avatar_id not in self._configs and len(self._configs) >= limits.MAX_AVATARS_PER_SESSION:
            raise ResourceExhausted(
                f"{len(self._configs)} avatars have settings of their own",
                field="avatar_config.avatar_id",
                expected=f"at most {limits.MAX_AVATARS_PER_SESSION} avatars a session",
            )
        self._configs[own.avatar_id] = config
        if (avatar := self._avatars.get(own.avatar_id)) is not None:
            avatar.configure(config)
            if avatar.watch is not None and self._monitor is not None:
                self._monitor.configure(avatar.watch, config.anomaly.false_alarms_per_hour)
        return config

    def is_served(self, avatar: Avatar, avatars_share: float) -> bool:
        """Whether an avatar is served when only this share of all can be: those are that came first."""
        if avatars_share >= 1.0:
            return True
        count = max(1, int(avatars_share * len(self._avatars)))
        if count != len(self._served):
            self._served = frozenset(islice(self._avatars, count))
        return avatar.avatar_id in self._served

    def sweep(self, now_s: float, *, at_once: bool = False) -> None:
        """Forget avatars that are silent, if it is time to look for them."""
        if not at_once and now_s - self._swept_s < SWEEP_S:
            return
        self._swept_s = now_s
        silent = [a.avatar_id for a in self._avatars.values() if now_s - a.last_seen_s >= self._idle_s]
        for avatar_id in silent:
            self._unwatch(self._avatars.pop(avatar_id))
        self._give_back(len(silent))

    def close(self) -> None:
        """Give every place back."""
        for avatar in self._avatars.values():
            self._unwatch(avatar)
        self._give_back(len(self._avatars))

    def _unwatch(self, avatar: Avatar) -> None:
        if avatar.watch is not None and self._monitor is not None:
            self._monitor.close(avatar.watch)

    def _forget_settings_of_the_absent(self) -> None:
        """Settings may come before their avatar; when there are too many, those of avatars that are not here go."""
        self._configs = {name: config for name, config in self._configs.items() if name in self._avatars}

    def _welcome(self, avatar_id: str, now_s: float) -> Avatar:
        if len(self._avatars) >= limits.MAX_AVATARS_PER_SESSION:
            self.sweep(now_s, at_once=True)
        if len(self._avatars) >= limits.MAX_AVATARS_PER_SESSION:
            raise ResourceExhausted(
                f"{avatar_id!r} would be one avatar too many",
                field="frame.avatar_id",
                expected=f"at most {limits.MAX_AVATARS_PER_SESSION} avatars a session",
            )
        self._places.take()
        try:
            self._grant.add_avatar()
        except BridgeError:
            self._places.free(1)
            raise
        config = self._configs.get(avatar_id, self._config)
        watch = None
        if self._monitor is not None:
            watch = self._monitor.open(
                AvatarName(config.client_name, avatar_id, self._session_id),
                false_alarms_per_hour=config.anomaly.false_alarms_per_hour,
                visibility_threshold=config.visibility_threshold,
            )
        avatar = Avatar(avatar_id, self._session_id, config, self._info, watch)
        self._avatars[avatar_id] = avatar
        return avatar

    def _give_back(self, count: int) -> None:
        if count:
            self._served = frozenset()
            self._places.free(count)
            self._grant.remove_avatars(count)
