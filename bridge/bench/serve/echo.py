"""A server that does nothing: ``python -m bridge.bench.serve.echo ...``. What is left is the transport's own price.

It answers the first message of a connection, and then every frame, with a blob of the size of a forecast. It prints its
address and serves until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

from bridge import limits


def frames_in(message_bytes: int, frame_bytes: int) -> int:
    """Number of frames that a message of this size carries; one frame's message has ``frame_bytes``."""
    return max(1, round(message_bytes / frame_bytes))


async def serve_grpc(reply: bytes, frame_bytes: int) -> None:
    """Echo on a bidirectional stream, bytes in and bytes out."""
    import grpc
    import grpc.aio

    from bridge.bench.serve.client_grpc import METHOD

    async def echo(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        async for data in requests:
            for _ in range(frames_in(len(data), frame_bytes)):
                await context.write(reply)

    _, service, method = METHOD.split("/")
    server = grpc.aio.server(options=(("grpc.max_send_message_length", limits.MAX_MESSAGE_BYTES),))
    handlers = {method: grpc.stream_stream_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


def serve_zmq(reply: bytes, frame_bytes: int) -> None:
    """Echo on a ROUTER socket."""
    import zmq

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    print(f"tcp://127.0.0.1:{port}", flush=True)
    while True:
        sender, data = router.recv_multipart()
        for _ in range(frames_in(len(data), frame_bytes)):
            router.send_multipart((sender, reply))


def main(arguments: list[str]) -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--transport", choices=("grpc", "zmq"), required=True)
    parser.add_argument("--reply-bytes", type=int, required=True)
    parser.add_argument("--frame-bytes", type=int, required=True)
    given = parser.parse_args(arguments)
    reply = bytes(given.reply_bytes)
    if given.transport == "grpc":
        asyncio.run(serve_grpc(reply, given.frame_bytes))
    else:
        serve_zmq(reply, given.frame_bytes)


if __name__ == "__main__":
    main(sys.argv[1:])
