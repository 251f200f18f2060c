"""What ends a command before its end: Ctrl-C, SIGTERM, a terminal that is closed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

_NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_AGAIN_S = 0.01
_STILL_CLEANING = b"pose-bridge: ending what was started; once more ends at once and may leave something behind\n"


class Interruption:
    """Turns signals into `KeyboardInterrupt`, so that whatever was begun is cleaned up on the way out.

    A second signal does not cut that short; a third ends the process at once.
    """

    def __init__(self) -> None:
        self.number = 0
        """The signal that came first; 0 for none."""
        self._insisted = False

    @property
    def exit_code(self) -> int:
        """As shells count it: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + (self.number or signal.SIGINT)

    def watch(self) -> None:
        """Listen from now on, in the main thread. What was to be ignored (``nohup``) stays ignored."""
        for number in _NUMBERS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._came)
        sys.unraisablehook = self._was_lost

    def settle(self) -> None:
        """Let no signal change any more how this process ends: all is done, the interpreter is about to go."""
        for number in _NUMBERS:
            signal.signal(number, signal.SIG_IGN)
        # CPython remembers that an interrupt left code made of text (as dataclasses is), and would end this process by
        # SIGINT in place of its exit code; other such code makes it forget.
        exec("")

    def _was_lost(self, lost: sys.UnraisableHookArgs) -> None:
        """Python swallows what is raised in a destructor or a weak reference's callback: interrupt once more."""
        if isinstance(lost.exc_value, KeyboardInterrupt) and self.number:
            threading.Timer(_AGAIN_S, _interrupt_main, (self.number,)).start()
        else:
            sys.__unraisablehook__(lost)

    def _came(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
        if not _cleaning_up():
            raise KeyboardInterrupt
        if self._insisted:
            os._exit(self.exit_code)
        self._insisted = True
        os.write(2, _STILL_CLEANING)  # print() could be what was interrupted


def _cleaning_up() -> bool:
    """Whether what is interrupted now is itself on the way out of an interrupt."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _interrupt_main(number: int) -> None:
    """Send a signal to the main thread, so that what it waits in ends too."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)
