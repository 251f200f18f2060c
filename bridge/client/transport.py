"""What a client needs from a transport."""

from __future__ import annotations

from typing import Protocol

from bridge.client.core import ClientCore
from bridge.wire.generated.posebridge.v1 import anomaly_pb2, forecast_pb2

AlertRequest = anomaly_pb2.ListAlertsRequest | anomaly_pb2.AcknowledgeAlertRequest | anomaly_pb2.GetAlertSnapshotRequest
AlertAnswer = (
    anomaly_pb2.ListAlertsResponse | anomaly_pb2.AcknowledgeAlertResponse | anomaly_pb2.GetAlertSnapshotResponse
)


class Transport(Protocol):
    """One way to reach a server. `stream` runs on the client's own thread, the calls on the caller's, `stop` on any."""

    def stream(self, core: ClientCore, connection: int) -> None:
        """Open a session and carry messages both ways until it ends.

        Returns:
            when the server ended the session in good order, or the core is closed.

        Raises:
            BridgeError: why the connection ended otherwise.
        """
        ...

    def forecast(self, request: forecast_pb2.ForecastRequest, timeout_s: float) -> forecast_pb2.ForecastResponse:
        """Ask for one forecast from one window.

        Raises:
            BridgeError: the server's answer if it is an error; `Unavailable` or `DeadlineExceeded` if there is none.
        """
        ...

    def model_info(self, timeout_s: float) -> forecast_pb2.GetModelInfoResponse:
        """Ask what the server runs.

        Raises:
            BridgeError: as `forecast`.
        """
        ...

    def alert_call(self, request: AlertRequest, timeout_s: float) -> AlertAnswer:
        """Ask about alerts; the answer is of the kind that belongs to the request.

        Raises:
            BridgeError: as `forecast`.
        """
        ...

    def stop(self) -> None:
        """Make a running `stream` return soon and every later one at once."""
        ...

    def close(self) -> None:
        """Release what is held; no `stream` runs any more."""
        ...
