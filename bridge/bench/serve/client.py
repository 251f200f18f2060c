"""A client process: ``python -m bridge.bench.serve.client JOB``. Sends what is due when it is due, notes what comes.

It holds one connection per session. Frames are counted from the time they were due, whenever they got out.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from bridge.bench.serve.job import READY, ClientJob
from bridge.bench.serve.journal import Journal
from bridge.bench.serve.replies import EchoReplies, ForecastReplies
from bridge.skeleton import get_layout


def wait_for_start() -> int:
    """Say that all sessions are open; return the start that the parent names.

    Raises:
        SystemExit: if the parent is gone.
    """
    print(READY, flush=True)
    answer = sys.stdin.readline().strip()
    if not answer:
        raise SystemExit("nobody says when to start")
    # A collection in the middle would show as latency; a client lives for a minute or two.
    gc.collect()
    gc.freeze()
    gc.disable()
    return int(answer)


def main(arguments: list[str]) -> None:
    """Do one job."""
    job = ClientJob.load(Path(arguments[0]))
    journal = Journal(job.plan)
    layout = get_layout(job.layout_id)
    enveloped = job.transport == "zmq"
    replies = EchoReplies(journal) if job.echo else ForecastReplies(journal, enveloped=enveloped)
    # Loaded late: each needs its own library only.
    if enveloped:
        from bridge.bench.serve.client_zmq import ZmqLoad

        ZmqLoad(job, journal, replies, layout).run(wait_for_start)
    else:
        from bridge.bench.serve.client_grpc import GrpcLoad

        GrpcLoad(job, journal, replies, layout).run(wait_for_start)
    journal.save(Path(job.journal))


if __name__ == "__main__":
    main(sys.argv[1:])
