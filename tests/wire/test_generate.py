from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bridge.wire import generate
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from tests.support import REPOSITORY, skip_or_fail


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    if find_spec("grpc_tools") is None:
        skip_or_fail("grpcio-tools is not installed")
    return generate.render(REPOSITORY / "proto")


def test_the_generated_code_is_what_the_proto_files_say(rendered: dict[str, str]) -> None:
    assert generate.differences(rendered, REPOSITORY / "bridge" / "wire" / "generated") == []


def test_generating_twice_gives_the_same_bytes(rendered: dict[str, str]) -> None:
    assert generate.render(REPOSITORY / "proto") == rendered


def test_nothing_generated_claims_a_top_level_package(rendered: dict[str, str]) -> None:
    for name, text in rendered.items():
        assert not re.search(r"^\s*(from|import) posebridge", text, re.MULTILINE), name


def test_a_changed_a_missing_and_a_foreign_file_are_each_reported_and_mended(
    rendered: dict[str, str], tmp_path: Path
) -> None:
    generate.write(rendered, tmp_path)
    assert generate.differences(rendered, tmp_path) == []
    changed, missing = "posebridge/v1/pose_pb2.py", "posebridge/v1/forecast_pb2.pyi"
    (tmp_path / changed).write_text(rendered[changed] + "# by hand\n", encoding="utf-8")
    (tmp_path / missing).unlink()
    (tmp_path / "posebridge/v1/left_over_pb2.py").write_text("", encoding="utf-8")
    expected = sorted([changed, missing, "posebridge/v1/left_over_pb2.py"])
    assert generate.differences(rendered, tmp_path) == expected
    assert generate.write(rendered, tmp_path) == expected
    assert generate.differences(rendered, tmp_path) == []


def test_a_new_field_in_a_proto_file_makes_the_code_stale(rendered: dict[str, str], tmp_path: Path) -> None:
    proto = tmp_path / "proto"
    shutil.copytree(REPOSITORY / "proto", proto)
    pose = proto / "posebridge" / "v1" / "pose.proto"
    text = pose.read_text(encoding="utf-8")
    pose.write_text(text.replace("float z = 3;", "float z = 3;\n  float w = 4;"), encoding="utf-8")
    again = generate.render(proto)
    stale = {name for name in rendered if again[name] != rendered[name]}
    assert stale == {"posebridge/v1/pose_pb2.py", "posebridge/v1/pose_pb2.pyi"}


def test_a_proto_file_that_does_not_parse_is_reported_with_protocs_words(
    rendered: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "broken.proto").write_text('syntax = "proto3"; message {', encoding="utf-8")
    with pytest.raises(generate.GenerationError, match=r"broken\.proto"):
        generate.render(tmp_path)


def test_a_folder_without_proto_files_is_reported(tmp_path: Path) -> None:
    with pytest.raises(generate.GenerationError, match=r"no \.proto files"):
        generate.render(tmp_path)


def test_a_users_own_generated_code_can_live_in_the_same_process(rendered: dict[str, str], tmp_path: Path) -> None:
    root = REPOSITORY / "proto"
    protos = [str(path.relative_to(root)) for path in sorted(root.rglob("*.proto"))]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"--python_out={tmp_path}", *protos], check=True
    )
    code = (
        "from bridge.wire.generated.posebridge.v1 import forecast_pb2 as ours\n"
        "from posebridge.v1 import forecast_pb2 as theirs\n"
        "sent = theirs.SessionConfig(protocol_version=1, client_name='a').SerializeToString()\n"
        "print(ours.SessionConfig.FromString(sent).client_name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{REPOSITORY}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "a"), done.stderr


def test_the_service_is_named_as_the_contract_names_it() -> None:
    service = forecast_pb2.DESCRIPTOR.services_by_name["ForecastService"]
    assert service.full_name == "posebridge.v1.ForecastService"
    assert set(service.methods_by_name) == {"Forecast", "StreamForecasts", "GetModelInfo"}
