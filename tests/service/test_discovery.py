"""Health and reflection, as grpcurl, Kubernetes and load balancers ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.service_fixtures import RunningServer

SERVICE = "posebridge.v1.ForecastService"
ALERTS = "posebridge.v1.AnomalyService"
METHODS = {
    SERVICE: ["Forecast", "GetModelInfo", "StreamForecasts"],
    ALERTS: ["AcknowledgeAlert", "GetAlertSnapshot", "ListAlerts", "WatchAlerts", "WatchVerdicts"],
}


@pytest.fixture
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.endpoints.grpc) as channel:
        yield channel


@pytest.mark.parametrize("service", ["", SERVICE, ALERTS])
def test_health_is_told_overall_and_per_service(channel: grpc.Channel, service: str) -> None:
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_an_unknown_service_is_not_found(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("service", METHODS)
def test_reflection_lists_the_services_and_gives_their_files(channel: grpc.Channel, service: str) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=service),
    ]
    listed, described = list(stub.ServerReflectionInfo(iter(requests)))
    names = {each.name for each in listed.list_services_response.service}
    assert names == {*METHODS, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(data)
        for data in described.file_descriptor_response.file_descriptor_proto
    ]
    (found,) = [each for file in files for each in file.service if f"{file.package}.{each.name}" == service]
    assert sorted(method.name for method in found.method) == METHODS[service]


@pytest.mark.parametrize("service", METHODS)
def test_every_method_that_reflection_names_is_there(channel: grpc.Channel, service: str) -> None:
    for name in METHODS[service]:
        with pytest.raises(grpc.RpcError) as caught:
            for _ in channel.unary_stream(f"/{service}/{name}")(b"\xff no message", timeout=20):
                pass
        assert caught.value.code() is not grpc.StatusCode.UNIMPLEMENTED
