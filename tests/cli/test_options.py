"""One name of an option is one thing, over all commands."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.tree import commands

# Options of the same name that say something else of their command. Each is one kind of thing all the same.
OWN_WORDS = {
    "--avatar": "whose frames are sent, scored or shown",
    "--avatars": "how many there are, or may be",
    "--calibration": "settings say what an empty name means",
    "--clip": "one, or all where none is named",
    "--data": "what of a folder is used",
    "--false-alarms-per-hour": "a setting is where a client does not say",
    "--figure": "what is drawn",
    "--json": "one object, except from what goes on",
    "--layout": "of the data, or of what is shown",
    "--limit": "of windows, or of alerts",
    "--name": "of a key, or of a token",
    "--out": "what is written",
    "--quick": "what is left out",
    "--recording": "one, or several",
    "--seconds": "of what",
    "--server": "watching needs gRPC",
    "--sessions": "made, or allowed",
    "--speed": "of sending, or of showing",
    "--threads": "settings say how many there are at most",
    "--tls-cert": "the server's, or a client's",
    "--tls-key": "the server's, or a client's",
    "--tokens": "read, or added to",
    "--weights": "settings say what an empty name means",
}
# What an option of that name takes differs.
OTHER_METAVAR = {
    "--out": {"FILE", "FILE.npz", "DIR"},
    "--speed": {"1|max", "0.1|0.25|0.5|1|2|4"},
}
# A switch of its own here, a setting with a --no- form there.
ALSO_A_SETTING = {"--anomaly", "--insecure"}


def options() -> Iterator[tuple[str, tuple[str, ...], Any]]:
    for words, command in commands():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                yield "/".join([*parameter.opts, *parameter.secondary_opts]), words, parameter


def by_name() -> dict[str, list[tuple[tuple[str, ...], Any]]]:
    found = defaultdict(list)
    for name, words, parameter in options():
        found[name].append((words, parameter))
    return found


def kind_of(parameter: Any) -> str:
    """Flag, whole number, number or text; settings take files as text, so that "" stays what it is."""
    annotation = parameter.type_descriptor.annotation
    (inner,) = getattr(annotation, "__args__", None) or (annotation,)
    return {bool: "flag", int: "whole number", float: "number"}.get(inner, "text")


def meaning_of(parameter: Any) -> str:
    """The help without the default, and without when it applies."""
    return re.sub(r"\s*\[default: .*\]|^With(out)? [^:]*: ", "", parameter.help or "").lower()


@pytest.mark.parametrize("name", sorted(by_name()))
def test_an_option_is_the_same_wherever_it_is(name: str) -> None:
    found = by_name()[name]
    assert len({kind_of(parameter) for _, parameter in found}) == 1, found
    metavars = {parameter.metavar for _, parameter in found}
    assert metavars == OTHER_METAVAR.get(name, metavars)
    assert len(metavars) == 1 or name in OTHER_METAVAR, metavars
    meanings = {meaning_of(parameter) for _, parameter in found}
    assert all(meanings)
    assert (len(meanings) > 1) == (name in OWN_WORDS), meanings


def test_a_switch_and_a_setting_share_a_name_only_where_it_is_stated() -> None:
    known = by_name()
    with_negative = {name.split("/")[0] for name in known if "/--no-" in name}
    assert with_negative & set(known) == ALSO_A_SETTING


def test_every_value_has_a_name_in_the_help() -> None:
    for name, words, parameter in options():
        if kind_of(parameter) != "flag":
            assert parameter.metavar, f"{' '.join(words)} {name}"
            assert not parameter.metavar.startswith("<")


def test_exceptions_are_of_options_that_exist() -> None:
    assert set(OWN_WORDS) | set(OTHER_METAVAR) <= set(by_name())
