from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from zmq.auth import create_certificates, load_certificate
from zmq.utils import z85

from bridge.curve_keys import KeyPair, is_key, raw_key, read_key_pair, read_public_key, write_key_pair
from bridge.errors import InvalidInput, NotFound


def written(folder: Path, pair: KeyPair) -> tuple[Path, Path]:
    public_file, secret_file = folder / "a.key", folder / "a.key_secret"
    write_key_pair(pair, public_file, secret_file)
    return public_file, secret_file


def test_pair_comes_back_from_its_files_and_only_its_owner_reads_them(tmp_path: Path) -> None:
    pair = KeyPair.new()
    before = os.umask(0)
    try:
        public_file, secret_file = written(tmp_path / "new" / "folder", pair)
    finally:
        os.umask(before)
    assert read_key_pair(secret_file, field="f") == pair
    assert read_public_key(public_file, field="f") == read_public_key(secret_file, field="f") == pair.public
    assert pair.secret not in public_file.read_text()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (public_file, secret_file)] == [0o600, 0o600]


def test_files_are_those_that_other_zeromq_software_reads_and_writes(tmp_path: Path) -> None:
    pair = KeyPair.new()
    _, secret_file = written(tmp_path, pair)
    assert load_certificate(secret_file) == (pair.public.encode(), pair.secret.encode())
    theirs_public, theirs_secret = create_certificates(tmp_path, "theirs", {"name": "x"})
    theirs = read_key_pair(Path(theirs_secret), field="f")
    assert load_certificate(theirs_public)[0] == theirs.public.encode()


@pytest.mark.parametrize("there", ["a.key", "a.key_secret"])
def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("precious")
    with pytest.raises(InvalidInput, match=there):
        written(tmp_path, KeyPair.new())
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"


@pytest.mark.parametrize("content", ["", "public-key = 'short'", 'secret-key = "' + "x" * 40 + '"', "\0"])
def test_file_without_a_public_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.key"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=r"a\.key") as caught:
        read_public_key(path, field="curve.server_public")
    assert caught.value.field == "curve.server_public"
    assert "xxxx" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        read_key_pair(tmp_path / "nowhere", field="f")


def test_keys_bytes_are_those_that_zeromq_reads() -> None:
    for _ in range(20):
        key = KeyPair.new().public
        assert raw_key(key) == z85.decode(key)


@pytest.mark.parametrize("text", ["", "0" * 39, "0" * 41, "#" * 40, "0" * 39 + "~", "0" * 39 + "é", "0" * 39 + " "])
def test_what_is_no_key_has_no_bytes(text: str) -> None:
    assert raw_key(text) is None


def test_key_is_told_from_other_text() -> None:
    assert is_key(KeyPair.new().public)
    assert not is_key("keys/server.key")
    assert not is_key(KeyPair.new().public + "\n")


def test_secret_is_not_shown() -> None:
    pair = KeyPair.new()
    assert pair.secret not in repr(pair)
