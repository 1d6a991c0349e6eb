"""Service processes with LaunchDarkly's own SDK, unmodified, each streaming from several servers.

Forked from the one that measures, which has everything imported, so that a hundred start within
seconds and share what they do not change. One socket takes the reports of all.
"""

import gc
import signal
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ldclient import Config, Context, LDClient
from ldclient.interfaces import FlagValueChange

from bench.flags.errors import BenchError
from bench.flags.flag_server import FLAG, SDK_KEY
from bench.flags.processes import forked

PATIENCE: Final = 60
"""Seconds until a start or a toggle counts as failed."""
_REPORT: Final = struct.Struct("=IId")
"""Number of the process, number of the server, when its SDK gave the new value."""
_READY: Final = 0xFFFF_FFFF
"""In place of the server's number: the SDK is initialized with all servers."""


class Services:
    """`count` processes that report each change of the flag's value."""

    def __init__(self, count: int, reports: socket.socket) -> None:
        self._count = count
        self._reports = reports
        self._await(_READY)

    def seen(self, server: int) -> list[float]:
        """When the value of one change at `server` was in effect in each, on CLOCK_MONOTONIC."""
        return self._await(server)

    def _await(self, server: int) -> list[float]:
        """One report from every process, taken at once: this process sleeps until the last."""
        size = self._count * _REPORT.size
        data = self._reports.recv(size, socket.MSG_WAITALL)
        reports = list(_REPORT.iter_unpack(data[: len(data) // _REPORT.size * _REPORT.size]))
        heard = {number for number, at_server, _ in reports if at_server == server}
        if len(heard) < self._count:
            raise BenchError(
                f"{len(heard)} of {self._count} service processes reported within {PATIENCE} s"
            )
        return [at for _, _, at in reports]


@contextmanager
def running_services(count: int, origins: Sequence[str]) -> Iterator[Services]:
    """Processes whose SDKs have the flags of every server of `origins` when the block begins."""
    ours, theirs = socket.socketpair()
    # MSG_WAITALL waits for all bytes only on a blocking socket, so the limit is the kernel's
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", PATIENCE, 0))
    gc.collect()
    gc.freeze()  # a collection in a child would copy the pages it shares
    try:
        with ours, theirs, forked(count, _service, origins, theirs):
            yield Services(count, ours)
    finally:
        gc.unfreeze()


def _service(number: int, origins: Sequence[str], reports: socket.socket) -> None:
    context = Context.create("user-1")
    for server, origin in enumerate(origins):
        client = LDClient(
            Config(
                SDK_KEY, base_uri=origin, stream_uri=origin, events_uri=origin,
                send_events=False, diagnostic_opt_out=True,
            ),
            start_wait=PATIENCE,
        )  # fmt: skip

        def report(_: FlagValueChange, server: int = server) -> None:
            reports.send(_REPORT.pack(number, server, time.monotonic()))

        if not client.is_initialized():
            return  # the report that is missing tells
        client.flag_tracker.add_flag_value_change_listener(FLAG, context, report)
    reports.send(_REPORT.pack(number, _READY, 0.0))
    signal.pause()
