"""What the deployment note shows would work."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.anomaly import webhooks
from bridge.anomaly.webhook_file import load_webhooks
from bridge.config import Settings, settings_of_file
from bridge.service import alert_calls, anomaly_grpc, logs, ops
from bridge.service.metrics import metrics_registry
from bridge.service.ops import OpsServer
from bridge.telemetry import Telemetry
from tests.service.status_double import FakeStatus
from tests.support import REPOSITORY, skip_allowed

NOTE = (REPOSITORY / "bridge" / "service" / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The one block of a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", NOTE, flags=re.DOTALL)
    return str(found)


def unit() -> dict[str, dict[str, str]]:
    """The systemd unit; of keys that stand there more than once, the last."""
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(block("ini"))
    return {name: dict(section) for name, section in parser.items()}


def test_the_configuration_file_is_right(tmp_path: Path) -> None:
    path = tmp_path / "pose-bridge.toml"
    path.write_text(block("toml"), encoding="utf-8")
    settings = settings_of_file(path).settings
    assert settings.tls_key == tmp_path / "secrets" / "server.key"
    assert not settings.insecure


def test_the_webhooks_file_is_right(tmp_path: Path) -> None:
    (example,) = re.findall(r"```\n(\[\[webhooks\]\]\n.*?)```", NOTE, flags=re.DOTALL)
    path = tmp_path / "webhooks.toml"
    path.write_text(example, encoding="utf-8")
    (tmp_path / "guard-desk.secret").write_text("whsec_" + "A" * 32, encoding="utf-8")
    (hook,) = load_webhooks(path)
    assert (hook.name, hook.url) == ("guard-desk", "https://example.org/hooks/pose")


def test_the_unit_stops_the_service_in_good_order_and_gives_it_few_rights() -> None:
    service = unit()["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) * 1000 > 2 * Settings.model_fields["grace_ms"].default
    assert service["Restart"] == "on-failure"
    assert int(service["LimitNOFILE"]) >= 65536
    assert service["CapabilityBoundingSet"] == ""
    for right in ("DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictNamespaces"):
        assert service[right] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "pose-bridge"  # the only place where it may write: the alert log is there
    assert "\nEnvironment=POSE_BRIDGE_ALERT_LOG=%S/pose-bridge/" in block("ini")


def test_the_unit_names_settings_and_secrets_that_there_are() -> None:
    loaded = set(re.findall(r"^LoadCredential=([\w.]+):", block("ini"), flags=re.MULTILINE))
    named = re.findall(r"^Environment=POSE_BRIDGE_(\w+)=%d/([\w.]+)$", block("ini"), flags=re.MULTILINE)
    assert {file for _, file in named} == loaded
    assert (
        {name.lower() for name, _ in named} == {"tls_key", "curve_secret_key", "tokens"} <= set(Settings.model_fields)
    )


def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        skip_allowed("systemd-analyze is not installed")
    command = unit()["Service"]["ExecStart"].split()[0]
    path = tmp_path / "pose-bridge.service"
    path.write_text(block("ini").replace(command, sys.executable), encoding="utf-8")
    done = subprocess.run([analyze, "verify", path], capture_output=True, text=True, timeout=60, check=False)
    said = [line for line in done.stderr.splitlines() if "pose-bridge" in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize(("draining", "healthy"), [(False, True), (True, False)])
def test_the_containers_health_check_asks_the_ops_page(draining: bool, healthy: bool) -> None:
    (command,) = re.findall(r"CMD (\[.*\])", block("dockerfile"))
    _, *arguments = json.loads(command)
    status = FakeStatus(is_draining=draining)
    server = OpsServer(status, metrics_registry(Telemetry(), status))
    address = server.start("127.0.0.1:0")
    try:
        here = [argument.replace("127.0.0.1:50553", address) for argument in arguments]
        done = subprocess.run([sys.executable, *here], capture_output=True, timeout=60, check=False)
    finally:
        server.stop()
    assert (done.returncode == 0) == healthy


def test_metrics_in_expressions_exist() -> None:
    telemetry = Telemetry()
    telemetry.anomaly.deliveries["guard-desk", "dead"] += 1
    families = list(metrics_registry(telemetry, FakeStatus()).collect())
    names = {sample.name for family in families for sample in family.samples}
    named = set(re.findall(r"\bposebridge_[a-z_]+\b", NOTE))
    assert len(named) > 8
    assert named <= names


def test_numbers_are_those_of_the_code() -> None:
    assert Settings.model_fields["ops"].default in NOTE
    assert f"at most {ops.MAX_CONNECTIONS} connections and {ops.MAX_ANSWERS_PER_S:g} answers a second" in NOTE
    assert f"within {ops.REQUEST_TIMEOUT_S:g} s is cut off" in NOTE
    assert f"rotated at {logs.LOG_FILE_BYTES >> 20} MiB" in NOTE
    assert f"calls about alerts that wait for the log | | {alert_calls.MAX_WAITING_CALLS} |" in NOTE
    assert f"watches of alerts or verdicts | | {anomaly_grpc.MAX_WATCHES} |" in NOTE
    assert f"at least every {anomaly_grpc.HEARTBEAT_S:g} s that it is alive" in NOTE
    assert f"double from {webhooks.FIRST_RETRY_S:g} s, {webhooks.MAX_ATTEMPTS} times" in NOTE
    for name, default in re.findall(r"^\|[^|]*\| `(\w+)` \| (\d+)[ |]", NOTE, flags=re.MULTILINE):
        assert Settings.model_fields[name].default == float(default)
