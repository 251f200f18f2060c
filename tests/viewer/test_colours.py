from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bridge.viewer import colours


def test_a_future_that_goes_on_keeps_its_colour() -> None:
    keeper = colours.ColourKeeper()
    assert keeper.places_of((10, 11, 12)) == (0, 1, 2)
    assert keeper.places_of((12, 10, 13)) == (2, 0, 1)
    assert keeper.places_of((13, 14)) == (1, 0)


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=16, unique=True), min_size=1, max_size=12))
def test_no_two_futures_of_a_forecast_share_a_place_and_a_kept_one_never_moves(forecasts: list[list[int]]) -> None:
    keeper = colours.ColourKeeper()
    before: dict[int, int] = {}
    for mode_ids in forecasts:
        places = dict(zip(mode_ids, keeper.places_of(mode_ids), strict=True))
        assert len(set(places.values())) == len(mode_ids)
        assert all(places[mode] == before[mode] for mode in mode_ids if mode in before)
        before = places


def test_fading_goes_from_the_colour_to_the_paper() -> None:
    rgb = np.array([[0, 114, 178]], np.uint8)
    assert tuple(colours.faded(rgb, 1.0)[0]) == (0, 114, 178)
    assert tuple(colours.faded(rgb, 0.0)[0]) == colours.PAPER
    half = colours.faded(rgb, np.array([0.5]))[0]
    assert (half > rgb[0]).all() and (half < colours.PAPER).all()


def test_lines_are_sent_as_linear_light() -> None:
    assert colours.linear(np.array([0, 255, 188], np.uint8)).tolist() == [0, 255, 128]


def test_colours_are_told_apart_by_people_who_see_no_red_or_no_green() -> None:
    """Simulated with the matrices of Machado, Oliveira and Fernandes 2009 (severity 1) on linear light."""
    protan = np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    )
    deutan = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    light = colours.linear(np.array([*colours.FUTURES, colours.INK, colours.ALARM], np.uint8)).astype(float)
    for matrix in (np.eye(3), protan, deutan):
        seen = np.clip(light @ matrix.T / 255, 0, 1) ** (1 / 2.2)
        for one, other in itertools.combinations(seen, 2):
            assert np.linalg.norm(one - other) > 0.15


def test_css_is_hexadecimal() -> None:
    assert colours.css((0, 114, 178)) == "#0072b2"
