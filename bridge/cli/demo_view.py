"""The demo's page in the browser: `pose-bridge demo --view`."""

from __future__ import annotations

import contextlib
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from bridge.cli.view_run import LIVE_KEPT_S, open_page
from bridge.skeleton import Layout
from bridge.viewer import History, Page, Playback, Readouts, SessionFeed, require_viser
from bridge.wire.values import SessionConfig


@dataclass(frozen=True, slots=True)
class ShownPage:
    """The page, and what the demo tells it through."""

    page: Page
    feed: SessionFeed

    def stay(self, console: Console) -> None:
        """Leave the page open until Ctrl-C: the demo can be looked back at."""
        console.print(f"The page stays at {self.page.url} until Ctrl-C.", style="dim")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1.0)


@contextmanager
def shown_page(
    layout: Layout, config: SessionConfig, console: Console, *, avatars: int, open_browser: bool
) -> Iterator[ShownPage]:
    """Open the page of a session that begins now.

    Raises:
        FailedPrecondition: if viser is not installed.
    """
    require_viser()
    history, readouts = History(keep_s=LIVE_KEPT_S), Readouts()
    with open_page(
        layout,
        history,
        Playback(live=True),
        readouts,
        host="127.0.0.1",
        port=None,
        horizon_ms=config.horizon_ms,
        avatars=avatars,
        visibility_threshold=config.visibility_threshold,
    ) as page:
        console.print(f"The view: {page.url}", style="dim")
        if open_browser:
            webbrowser.open(page.url)
        yield ShownPage(page, SessionFeed(history, readouts))
