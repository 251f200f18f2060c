"""What strangers say on the bare sockets of a server's ports."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.service.damages import DAMAGES, Damage, damages

_REQUESTS = (
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\n\r\n",
    b"HEAD /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://elsewhere/metrics?x=%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
    b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 70_000 + b"\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 3000 + b"\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text; q=\xff\r\nAccept-Encoding: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 5,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
)
_HTTP2 = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(500),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4) + b"\x00\x00\x08\x06\x00" + bytes(12),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x40\x00\x01\x05\x00\x00\x00\x01" + b"\x82" * 2000,
    b"GET / HTTP/1.1\r\n\r\n",
)
_ZMTP = (
    b"\xff" + bytes(8) + b"\x7f",
    b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31),
    b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31) + b"\x04\x19\x05READY\x0bSocket-Type"
    b"\x00\x00\x00\x06DEALER" + b"\x02\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(64),
    b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\x00" + bytes(31),
    b"\x01\x00\x00\x05hello",
)
SPEECH = {"ops": _REQUESTS, "grpc": _HTTP2, "zmq": _ZMTP, "zmq_watch": _ZMTP}
"""How strangers begin on each port."""


def speeches(port: str) -> st.SearchStrategy[bytes]:
    """Bytes for a port's bare socket: something that its protocol begins with, damaged or not."""
    harm = damages([how for how in DAMAGES if how != "oversize"])

    def spoken(begun: bytes, done: list[Damage]) -> bytes:
        data = bytearray(begun)
        for damage in done:
            DAMAGES[damage.how](data, damage)
        return bytes(data)

    return st.one_of(
        st.builds(spoken, st.sampled_from(SPEECH[port]), st.lists(harm, max_size=3)), st.binary(max_size=200)
    )
