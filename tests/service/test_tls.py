"""Certificate files that cannot work are refused before anyone connects."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from bridge.errors import BridgeError, InvalidInput, NotFound
from bridge.service.tls import server_credentials


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    ca = trustme.CA()
    paths = {
        name: folder / f"{name}.pem" for name in ("cert", "key", "other_key", "encrypted", "ca", "text", "nowhere")
    }
    first, second = ca.issue_cert("localhost"), ca.issue_cert("localhost")
    first.cert_chain_pems[0].write_to_path(paths["cert"])
    first.private_key_pem.write_to_path(paths["key"])
    second.private_key_pem.write_to_path(paths["other_key"])
    ca.cert_pem.write_to_path(paths["ca"])
    loaded = serialization.load_pem_private_key(first.private_key_pem.bytes(), None)
    protection = serialization.BestAvailableEncryption(b"password")
    paths["encrypted"].write_bytes(
        loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    )
    paths["text"].write_text("hello")
    for path in folder.iterdir():
        path.chmod(0o600)
    return paths


def test_files_that_fit_are_taken(files: dict[str, Path]) -> None:
    with capture_logs() as logs:
        assert server_credentials(files["cert"], files["key"]) is not None
        assert server_credentials(files["cert"], files["key"], files["ca"]) is not None
    assert logs == []


@pytest.mark.parametrize(
    ("cert", "key", "ca", "kind", "field", "said"),
    [
        ("nowhere", "key", None, NotFound, "tls_cert", "nowhere.pem"),
        ("cert", "nowhere", None, NotFound, "tls_key", "nowhere.pem"),
        ("cert", "key", "nowhere", NotFound, "tls_client_ca", "nowhere.pem"),
        ("cert", "other_key", None, InvalidInput, "tls_key", "not the key of"),
        ("cert", "encrypted", None, InvalidInput, "tls_key", "encrypted"),
        ("text", "key", None, InvalidInput, "tls_cert", "no certificate"),
        ("key", "key", None, InvalidInput, "tls_cert", "no certificate"),
        ("cert", "cert", None, InvalidInput, "tls_key", "no private key"),
        ("cert", "key", "text", InvalidInput, "tls_client_ca", "does not load"),
    ],
)
def test_file_that_cannot_work_is_named(
    files: dict[str, Path], cert: str, key: str, ca: str | None, kind: type[BridgeError], field: str, said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        server_credentials(files[cert], files[key], None if ca is None else files[ca])
    assert caught.value.field == field


def test_folder_in_place_of_a_file_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="directory"):
        server_credentials(tmp_path, files["key"])


def test_key_that_others_read_is_used_with_a_warning(files: dict[str, Path], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(files["key"].read_bytes())
    key.chmod(0o644)
    with capture_logs() as logs:
        server_credentials(files["cert"], key)
    assert [line["event"] for line in logs] == ["file_readable_by_others"]
