"""Streams in a process of their own, which reports when a toggle has reached the last of them."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection

from bench.flags.errors import BenchError
from bench.flags.processes import FORK, forked
from bench.flags.streams import PATIENCE, Arrival, Streams


class Reader:
    def __init__(self, reports: Connection) -> None:
        self._reports = reports

    def arrival(self) -> Arrival:
        """When the streams had read the next patch, or, the first time, their put.

        Called once for each.
        """
        try:
            if self._reports.poll(PATIENCE):
                report: Arrival = self._reports.recv()
                return report
        except EOFError:
            raise BenchError("the process that reads streams has ended") from None
        raise BenchError(f"an event did not reach all streams within {PATIENCE:.0f} s")


@contextmanager
def reading(port: int, count: int) -> Iterator[Reader]:
    """`count` streams of the server at `port`, all open when the block begins."""
    ours, theirs = FORK.Pipe(duplex=False)
    with ours, forked(1, _read, port, count, theirs):
        theirs.close()
        reader = Reader(ours)
        reader.arrival()
        yield reader


def _read(_: int, port: int, count: int, reports: Connection) -> None:
    with closing(Streams(port)) as streams:
        streams.open(count)
        opened = time.monotonic()
        reports.send(Arrival(first=opened, last=opened))
        while True:
            reports.send(streams.patched())
