"""The tokens file: what is read, what is refused, what is written."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.errors import BridgeError, InvalidInput, NotFound
from bridge.service.tokens import Scope, TokenLimits, append_token, load_tokens

DIGEST = hashlib.sha256(b"secret").hexdigest()
ENTRY = f'[[tokens]]\nname = "studio"\nsha256 = "{DIGEST}"\nscopes = ["stream"]\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_entry_is_read_with_its_limits(path: Path) -> None:
    text = ENTRY + "sessions = 2\navatars = 64\nframes_per_second = 29.97\nmessage_bytes = 1000\n"
    (entry,) = load_tokens(written(path, text))
    assert (entry.name, entry.digest.hex(), entry.scopes) == ("studio", DIGEST, frozenset({Scope.STREAM}))
    assert entry.limits == TokenLimits(2, 64, 29.97, 1000)


@pytest.mark.parametrize(
    ("text", "field", "hint"),
    [
        (ENTRY + 'session = "2"\n', "tokens[0].session", "sessions"),
        ("token = 1\n", "token", "tokens"),
        ('[[tokens]]\nname = "a"\nscopes = ["stream"]\n', "tokens[0].sha256", "keys token"),
        (ENTRY.replace("studio", "no spaces"), "tokens[0].name", "A-Z"),
        (ENTRY.replace("studio", "line\\nbreak"), "tokens[0].name", "A-Z"),
        (ENTRY.replace(DIGEST, "the-token-itself"), "tokens[0].sha256", "64 hexadecimal"),
        (ENTRY.replace('["stream"]', '["steam"]'), "tokens[0].scopes", "stream"),
        (ENTRY.replace('["stream"]', "[]"), "tokens[0].scopes", "stream"),
        (ENTRY.replace('["stream"]', '"stream"'), "tokens[0].scopes", "stream"),
        (ENTRY + "sessions = 0\n", "tokens[0].sessions", "1 to"),
        (ENTRY + "avatars = true\n", "tokens[0].avatars", "1 to"),
        (ENTRY + "frames_per_second = -1\n", "tokens[0].frames_per_second", "above 0"),
        (ENTRY + "frames_per_second = nan\n", "tokens[0].frames_per_second", "above 0"),
        (ENTRY + "message_bytes = 9999999\n", "tokens[0].message_bytes", "4194304"),
        (ENTRY + ENTRY, "tokens[1].name", "once"),
        (ENTRY + ENTRY.replace("studio", "other"), "tokens[1].sha256", "once"),
        ("tokens = 3\n", "tokens", "[[tokens]]"),
        ("not toml", "tokens", "[[tokens]]"),
        ("", "tokens", "keys token"),
    ],
)
def test_wrong_file_is_refused_by_name_of_the_key(path: Path, text: str, field: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_tokens(written(path, text))
    assert caught.value.field == field
    assert hint in caught.value.expected
    assert "the-token-itself" not in str(caught.value)
    assert str(path) in caught.value.problem


def test_missing_file_is_named(path: Path) -> None:
    with pytest.raises(NotFound, match=r"tokens\.toml"):
        load_tokens(path)


def test_file_that_is_no_text_is_named(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="no text"):
        load_tokens(path)


def test_file_that_others_read_is_used_with_a_warning(path: Path) -> None:
    written(path, ENTRY)
    with capture_logs() as quiet:
        load_tokens(path)
    path.chmod(0o640)
    with capture_logs() as loud:
        load_tokens(path)
    assert quiet == []
    assert [(line["event"], line["mode"]) for line in loud] == [("file_readable_by_others", "0640")]


def test_made_token_is_long_its_hash_is_in_the_file_and_the_file_is_private(path: Path) -> None:
    before = os.umask(0)
    try:
        token, entry = append_token(path, "studio", [Scope.STREAM, "watch"], TokenLimits(sessions=3))
    finally:
        os.umask(before)
    assert len(token) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text(encoding="utf-8")
    assert load_tokens(path) == (entry,)
    assert entry.digest == hashlib.sha256(token.encode()).digest()
    assert token not in repr(entry) and entry.digest.hex() not in repr(entry)


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "# the end"])
def test_what_is_in_the_file_stays(path: Path, end: str) -> None:
    text = "# ours\n" + ENTRY + end
    written(path, text)
    append_token(path, "second", [Scope.ADMIN])
    assert path.read_text(encoding="utf-8").startswith(text)
    assert [entry.name for entry in load_tokens(path)] == ["studio", "second"]


@pytest.mark.parametrize(
    ("name", "scopes", "limits"),
    [
        ("studio", ["stream"], None),
        ("a b", ["stream"], None),
        ('x"\n[[tokens]]', ["stream"], None),
        ("second", [], None),
        ("second", ["all"], None),
        ("second", ["stream"], TokenLimits(sessions=0)),
    ],
)
def test_wrong_token_is_not_added(path: Path, name: str, scopes: list[str], limits: TokenLimits | None) -> None:
    written(path, ENTRY)
    with pytest.raises(BridgeError):
        append_token(path, name, scopes, limits)
    assert path.read_text(encoding="utf-8") == ENTRY
    assert list(path.parent.iterdir()) == [path]


def test_token_is_not_added_to_a_file_with_faults(path: Path) -> None:
    written(path, "unknown = 1\n")
    with pytest.raises(InvalidInput, match="unknown"):
        append_token(path, "second", ["stream"])
    assert path.read_text(encoding="utf-8") == "unknown = 1\n"


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere"):
        append_token(tmp_path / "nowhere" / "tokens.toml", "a", ["stream"])
