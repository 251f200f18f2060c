"""The page in a real browser: what is drawn, what moves, what the controls do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.viewer import Page, Playback, Readouts
from tests.viewer.browser import Tab, open_tab
from tests.viewer.motion import LAYOUT, swaying_history

WIDTH, HEIGHT = 1100, 620
SCENE = {"x": 0.0, "y": 0.0, "width": WIDTH - 420.0, "height": float(HEIGHT)}
"""The part of the page that no panel covers."""
CLOSE_NOTES = """[...document.querySelectorAll('button')].filter(
    button => button.className.includes('Notification')).forEach(button => button.click())"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with Page(LAYOUT, swaying_history(), Playback(live=False), Readouts()) as shown:
        yield shown


@pytest.fixture(scope="module")
def tab(page: Page, folder: Path) -> Iterator[Tab]:
    with open_tab(folder, width=WIDTH, height=HEIGHT) as opened:
        opened.open(page.url)
        opened.wait_for("document.querySelector('canvas') && document.body.innerText.includes('Read-outs')")
        time.sleep(1.0)
        opened.value_of(CLOSE_NOTES)
        yield opened


def wait_for(holds: Callable[[], bool], *, patience_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.2)


def dark(pixels: np.ndarray) -> int:
    """Pixels of the body's ink."""
    return int((pixels.max(axis=2) < 0.3).sum())


def coloured(pixels: np.ndarray) -> int:
    """Pixels of futures."""
    return int((pixels.max(axis=2) - pixels.min(axis=2) > 0.3).sum())


def changed(tab: Tab, *, after_s: float = 0.6) -> int:
    """Pixels of the scene that change within a while."""
    before = tab.pixels(SCENE)
    time.sleep(after_s)
    return int((np.abs(tab.pixels(SCENE) - before).max(axis=2) > 0.1).sum())


def test_the_body_and_its_futures_are_drawn_and_move(tab: Tab) -> None:
    wait_for(lambda: dark(tab.pixels(SCENE)) > 100)
    wait_for(lambda: coloured(tab.pixels(SCENE)) > 150)
    wait_for(lambda: changed(tab) > 200)
    print(f"the browser draws {tab.frames_per_second():.0f} times a second, in software")


def test_pause_stops_the_scene_and_play_goes_on(tab: Tab) -> None:
    tab.press("Pause")
    tab.wait_for("[...document.querySelectorAll('button')].some(button => button.innerText.trim() === 'Play')")
    wait_for(lambda: changed(tab) == 0)
    assert changed(tab, after_s=1.0) == 0
    tab.press("Play")
    wait_for(lambda: changed(tab) > 200)


def test_futures_can_be_left_out(tab: Tab) -> None:
    wait_for(lambda: coloured(tab.pixels(SCENE)) > 150)
    tab.tick("Futures")
    wait_for(lambda: coloured(tab.pixels(SCENE)) == 0)
    wait_for(lambda: dark(tab.pixels(SCENE)) > 100)
    tab.tick("Futures")
    wait_for(lambda: coloured(tab.pixels(SCENE)) > 150)


def test_next_goes_to_the_alert_and_shows_it(tab: Tab, page: Page) -> None:
    tab.press("Pause")
    tab.wait_for("[...document.querySelectorAll('button')].some(button => button.innerText.trim() === 'Play')")
    tab.press("next" if page.position_us < 3_200_000 else "previous")
    wait_for(lambda: page.position_us == 3_300_000)
    tab.press("Play")
    wait_for(lambda: 4_000_000 < page.position_us < 4_800_000)
    tab.press("Pause")
    text = tab.text()
    assert "1 alert" in str(tab.value_of("[...document.querySelectorAll('input')].map(box => box.value).join()"))
    assert "avatar1" in text and "high" in text


def test_the_page_says_how_often_it_is_updated(tab: Tab) -> None:
    assert "times a second" in tab.text()


def test_the_console_stayed_without_an_error(tab: Tab) -> None:
    tab.value_of("1")  # what was said until now is read with the answer
    assert tab.complaints == []
