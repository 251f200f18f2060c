from __future__ import annotations

import stat
from pathlib import Path

from bridge.curve_keys import read_key_pair, read_public_key
from bridge.service.access import AccessControl
from bridge.service.curve import CurveServer, read_allowed
from bridge.service.tokens import Scope, TokenLimits, load_tokens
from tests.cli.helpers import json_of, run


def test_new_keys_serve_and_connect(tmp_path: Path) -> None:
    facts = json_of(run("keys", "new", "--out", tmp_path / "keys", "--name", "studio", "--json"))
    server = CurveServer.load(Path(facts["server_secret_file"]), tmp_path / "keys" / "allowed")
    own = read_key_pair(Path(facts["client_secret_file"]), field="f")
    assert server.keys.public == facts["server_public_key"]
    assert read_public_key(Path(facts["server_public_file"]), field="f") == server.keys.public
    assert (own.public, len(server.allowed or ())) == (facts["client_public_key"], 1)
    for path in tmp_path.rglob("*.key*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_second_client_joins_and_nothing_is_overwritten(tmp_path: Path) -> None:
    first = json_of(run("keys", "new", "--out", tmp_path, "--name", "first", "--json"))
    second = json_of(run("keys", "new", "--out", tmp_path, "--name", "second", "--json"))
    assert (first["server_made"], second["server_made"]) == (True, False)
    assert first["server_public_key"] == second["server_public_key"]
    assert len(read_allowed(tmp_path / "allowed")) == 2
    again = run("keys", "new", "--out", tmp_path, "--name", "first")
    assert again.returncode == 1
    assert "exists" in again.stderr
    assert read_public_key(Path(first["client_public_file"]), field="f") == first["client_public_key"]


def test_name_that_is_none_makes_no_files(tmp_path: Path) -> None:
    for name in ("../escape", "server", "a b"):
        done = run("keys", "new", "--out", tmp_path / "keys", "--name", name)
        assert done.returncode == 1
        assert "name" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_token_is_printed_once_and_lets_in(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    plain = run("keys", "token", "--name", "game", "--tokens", path)
    assert plain.returncode == 0
    token = plain.stdout.strip()
    assert token not in plain.stderr
    options = ("--scope", "stream", "--scope", "watch", "--sessions", 2, "--avatars", 9, "--frames-per-second", 60.5)
    facts = json_of(run("keys", "token", "--name", "studio", "--tokens", path, *options, "--json"))
    assert set(facts["scopes"]) == {"stream", "watch"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    control = AccessControl.load(path)
    assert control.authenticate(token).scopes == {Scope.STREAM}
    assert control.authenticate(facts["token"]).name == "studio"
    assert load_tokens(path)[1].limits == TokenLimits(2, 9, 60.5)


def test_wrong_scope_and_taken_name_are_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    assert run("keys", "token", "--name", "a", "--tokens", path).returncode == 0
    before = path.read_text()
    for arguments in (("--name", "a"), ("--name", "b", "--scope", "everything")):
        done = run("keys", "token", *arguments, "--tokens", path)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert path.read_text() == before
