"""`python -m bench.proxy.endurance`: a million requests; memory, and each worker's share.

Small GETs of 10,000 users with 64 KiB POSTs and GETs between them, to two workers. Progress goes to
standard error, results to `bench/results/endurance.json`.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

from bench.flags.errors import BenchError
from bench.flags.flag_server import running_flag_server
from bench.machine import this_machine
from bench.proxy import wrk
from bench.proxy.measure import LARGE_GET, LARGE_POST, SMALL, counted
from bench.proxy.peers import ours
from bench.proxy.peers.peer import Started
from bench.proxy.upstream import running_upstream
from bench.results import Result, table, write

WARM: Final = 10_000
"""Requests after which caches and connections are there; memory counts from here."""
SETTLED: Final = 100_000
LOADS: Final = (SMALL, SMALL, SMALL, LARGE_POST, LARGE_GET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """All workers after `requests`. Memory in MB (10^6 bytes)."""

    requests: int
    private: float
    resident: float


def endure(started: Started, total: int, seconds: int) -> list[Mark]:
    """A mark after the first `WARM` requests, and after each `SETTLED`. Raises `BenchError`."""
    requests, due, loads, marks = 0, WARM, cycle(LOADS), []
    while requests < total:
        requests += wrk.run(next(loads), started.port, seconds).requests
        if requests >= min(due, total):
            private, resident = started.private_memory() / 1e6, started.resident_memory() / 1e6
            marks.append(Mark(requests=requests, private=private, resident=resident))
            say(f"{requests:,} requests: USS {private:.1f} MB, RSS {resident:.1f} MB")
            due = (requests // SETTLED + 1) * SETTLED
    return marks


def memory(marks: Sequence[Mark]) -> list[Result]:
    first, last = marks[0], marks[-1]
    settled = next((mark for mark in marks if mark.requests >= SETTLED), last)
    results = [
        Result(
            name=f"two workers, {name} memory after {mark.requests:,} requests",
            value=getattr(mark, name),
            unit="MB",
        )
        for name in ("private", "resident")
        for mark in (first, settled, last)
    ]
    middle = next(mark for mark in marks if mark.requests >= last.requests / 2)
    growth = last.private / middle.private
    results.append(Result(name="private memory, end / middle", value=growth, unit="×", goal=1.02))
    return results


def say(what: str) -> None:
    sys.stderr.write(what + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.proxy.endurance")
    parser.add_argument("--requests", type=int, default=1_000_000, help="in all (1000000)")
    parser.add_argument("--seconds", type=int, default=4, help="of each run of a load (4)")
    options = parser.parse_args(arguments)
    machine = this_machine()
    try:
        results = _run(options.requests, options.seconds)
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    write("endurance", results, machine)
    sys.stdout.write(table(results) + "\n")
    return 0


def _run(requests: int, seconds: int) -> list[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-proxy-")))
        folder.chmod(0o755)  # root's nginx reads files as another user
        upstream_folder = folder / "upstream"
        upstream_folder.mkdir()
        upstream = stack.enter_context(running_upstream(upstream_folder, None))
        flags = stack.enter_context(running_flag_server(flags=1))
        flags.rest.create_migration(ours.FLAG, "live")
        place = folder / "workers"
        place.mkdir()
        two = stack.enter_context(ours.start(place, None, upstream, flags, workers=2))
        marks = endure(two, requests, seconds)
        counts = counted(two)
    share = 100 * max(counts) / sum(counts)
    return [
        *memory(marks),
        Result(name="requests of the busier of two workers", value=share, unit="%", goal=60),
    ]


if __name__ == "__main__":
    sys.exit(main())
