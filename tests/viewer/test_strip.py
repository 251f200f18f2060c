from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bridge.viewer.history import AlertMark
from bridge.viewer.strip import MAX_STRIPS, MOST_SURPRISE, Strip, lines_of, shown_span_us, strips_svg, surprise_of


def test_surprise_is_minus_the_logarithm_within_bounds() -> None:
    assert surprise_of(1.0) == 0.0
    assert surprise_of(0.01) == pytest.approx(2.0)
    assert surprise_of(0.0) == MOST_SURPRISE


def test_a_line_breaks_where_there_is_no_verdict_and_keeps_the_peak_of_a_bin() -> None:
    values: list[tuple[int, float | None]] = [(row * 10_000, 0.5) for row in range(100)]
    values[7] = (70_000, 0.001)
    values += [(row * 10_000, None) for row in range(100, 200)]
    values += [(row * 10_000, 0.1) for row in range(200, 300)]
    lines = lines_of(values, 0, 3_000_000)
    assert len(lines) == 2
    assert max(surprise for _, surprise in lines[0]) == pytest.approx(3.0)
    assert all(0 <= share <= 1 for line in lines for share, _ in line)


def test_a_long_span_is_shown_in_part_around_the_present() -> None:
    assert shown_span_us(0, 50, 20, 60) == (0, 50)
    for now in (0, 30, 70, 100):
        begin, end = shown_span_us(0, 100, now, 60)
        assert end - begin == 60 and 0 <= begin <= now <= end <= 100
    assert shown_span_us(5, 5, 5, 60) == (5, 6)


def test_the_strips_are_well_formed_and_name_what_they_show() -> None:
    alert = AlertMark("x", "a<b", 1_000_000, 1_200_000, None, "high", 0.001)
    gone = AlertMark("y", "a<b", 90_000_000, 91_000_000, 92_000_000, "low", 0.01)
    strips = [Strip("a<b", [(500_000, 0.2), (520_000, 0.02)], [alert, gone], 0.02)]
    strips += [Strip(f"p{number}", [], []) for number in range(MAX_STRIPS + 3)]
    svg = ElementTree.fromstring(strips_svg(strips, 0, 3_000_000, 1_500_000))
    said = [element.text for element in svg.iter() if element.tag == "text"]
    assert "a<b" in said and "high" in said and "low" not in said
    assert "p 0.0200" in said and "no verdict" in said
    assert any("(4 more avatars)" in (text or "") for text in said)
