"""Models are fetched from a server on the loopback that does what Google's storage does, or fails to."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bridge.capture import cached_model, check_model, find_model, model_url
from bridge.errors import BridgeError, CheckpointError, InvalidInput, NotFound, Unavailable
from tests.capture.support import model
from tests.support import free_port

CONTENT = b"a model " * 50_000
PATH = "/pose_landmarker_full/float16/1/pose_landmarker_full.task"


@dataclass
class Storage:
    """What the server has and how it misbehaves."""

    content: bytes = CONTENT
    md5: bytes | None = field(default_factory=lambda: hashlib.md5(CONTENT).digest())
    stored_length: int | None = None
    cut_after: int | None = None
    status: int | None = None
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    state = Storage()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if state.status is not None or self.path != PATH:
                self.send_error(state.status or 404)
                return
            if begin >= len(state.content):
                self.send_error(416)
                return
            rest = state.content[begin:]
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(rest)))
            if state.stored_length is not None:
                self.send_header("x-goog-stored-content-length", str(state.stored_length))
            self.send_header("x-goog-hash", "crc32c=AAAAAA==")
            if state.md5 is not None:
                self.send_header("x-goog-hash", f"md5={base64.b64encode(state.md5).decode()}")
            self.end_headers()
            self.wfile.write(rest if state.cut_after is None else rest[: state.cut_after])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("POSE_BRIDGE_MODEL", raising=False)
    yield state
    server.shutdown()
    server.server_close()


def no_check(path: Path) -> None:
    assert path.is_file()


def fetch(storage: Storage, check: Callable[[Path], None] = no_check) -> Path:
    return find_model("full", check=check, base_url=storage.url)


def left_over(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_model_is_fetched_once_and_found_again(storage: Storage) -> None:
    told: list[tuple[int, int | None]] = []
    path = find_model(check=no_check, base_url=storage.url, progress=lambda had, total: told.append((had, total)))
    assert path == cached_model("full")
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [had for had, _ in told] == sorted(had for had, _ in told)
    assert fetch(storage) == path
    assert storage.ranges == [None]
    assert left_over(path) == [path.name]


def test_a_real_model_is_loaded_before_it_is_put_in_place(storage: Storage) -> None:
    storage.content = model("lite").read_bytes()
    storage.md5 = hashlib.md5(storage.content).digest()
    assert fetch(storage, check_model).read_bytes() == storage.content


def test_what_does_not_load_is_removed(storage: Storage) -> None:
    model("lite")
    with pytest.raises(CheckpointError, match=r"is no usable model.*by hand"):
        fetch(storage, check_model)
    assert left_over(cached_model("full")) == []


def test_another_hash_is_refused_and_nothing_is_kept(storage: Storage) -> None:
    storage.md5 = hashlib.md5(b"something else").digest()
    with pytest.raises(CheckpointError, match="came damaged: the hash is not the one that the server names"):
        fetch(storage)
    assert left_over(cached_model("full")) == []


def test_more_than_what_is_stored_is_refused_and_nothing_is_kept(storage: Storage) -> None:
    storage.stored_length = len(CONTENT) - 10
    with pytest.raises(CheckpointError, match=f"came damaged: {len(CONTENT)} bytes came, not {len(CONTENT) - 10}"):
        fetch(storage)
    assert left_over(cached_model("full")) == []


def test_less_than_what_is_stored_is_not_taken_for_whole(storage: Storage) -> None:
    storage.stored_length = len(CONTENT) + 10
    with pytest.raises(Unavailable, match=f"ended after {len(CONTENT)} of {len(CONTENT) + 10} bytes"):
        fetch(storage)
    assert not cached_model("full").exists()


@pytest.mark.parametrize("with_hash", [True, False])
def test_a_cut_download_goes_on_where_it_was_cut(storage: Storage, with_hash: bool) -> None:
    storage.md5 = storage.md5 if with_hash else None
    storage.cut_after = 100_000
    with pytest.raises(Unavailable, match=r"after 100000 bytes, from which the next try goes on; expected .* by hand"):
        fetch(storage)
    assert not cached_model("full").exists()
    storage.cut_after = None
    assert fetch(storage).read_bytes() == CONTENT
    assert storage.ranges == [None, "bytes=100000-"]


def test_a_rest_that_belongs_to_another_version_is_fetched_anew(storage: Storage) -> None:
    storage.cut_after = 100_000
    with pytest.raises(Unavailable):
        fetch(storage)
    storage.cut_after = None
    storage.content = b"a newer model" * 40_000
    storage.md5 = hashlib.md5(storage.content).digest()
    assert fetch(storage).read_bytes() == storage.content
    assert storage.ranges == [None, "bytes=100000-", None]


def test_a_rest_that_is_longer_than_the_file_is_fetched_anew(storage: Storage) -> None:
    target = cached_model("full")
    target.parent.mkdir(parents=True)
    target.with_name(f"{target.name}.partial").write_bytes(CONTENT + b"too much")
    assert fetch(storage).read_bytes() == CONTENT
    assert left_over(target) == [target.name]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_server_that_does_not_give_it_is_named_with_what_to_put_where(storage: Storage, status: int) -> None:
    storage.status = status
    with pytest.raises(Unavailable) as caught:
        fetch(storage)
    assert f"the server answers {status}" in str(caught.value)
    assert model_url("full", storage.url) in str(caught.value) and str(cached_model("full")) in str(caught.value)


def test_without_a_network_it_says_which_file_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match=r"cannot fetch .*/pose_landmarker_heavy.task") as caught:
        find_model("heavy", check=no_check, base_url=f"http://127.0.0.1:{free_port()}")
    assert f"put at {tmp_path}/pose-bridge/models/pose_landmarker_heavy.task by hand" in caught.value.expected


def test_a_cache_that_cannot_be_written_is_named(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(BridgeError, match=r"cannot write .*expected a cache that can be written"):
        fetch(storage)


def test_a_file_and_the_environment_come_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = tmp_path / "mine.task", tmp_path / "other.task"
    mine.write_bytes(b"model")
    other.write_bytes(b"model")
    monkeypatch.setenv("POSE_BRIDGE_MODEL", str(other))
    assert find_model(str(mine), check=no_check) == mine
    assert find_model(check=no_check) == other
    monkeypatch.setenv("POSE_BRIDGE_MODEL", str(tmp_path / "gone.task"))
    with pytest.raises(NotFound, match="POSE_BRIDGE_MODEL: there is no"):
        find_model(check=no_check)
    with pytest.raises(InvalidInput, match="model: no model is called 'huge'; expected one of lite, full, heavy"):
        find_model("huge", check=no_check)


def test_models_are_those_of_googles_storage() -> None:
    assert model_url("full") == (
        "https://storage.googleapis.com/mediapipe-models/pose_landmarker/pose_landmarker_full/float16/1/"
        "pose_landmarker_full.task"
    )
