"""`python -m bench.proxy.endurance`: a million requests; memory, and what a second worker gives.

Small GETs of 10,000 users with 64 KiB POSTs and GETs between them, to two workers. Progress goes to
standard error, results to `bench/results/endurance.json`.

What a second worker gives cannot be read from the rate here: the load generator, the origin and the
proxy share the machine's cores. What can be measured says it in another way: the CPU time of a
request with two workers and with one, and the share of each worker. If both workers get half of the
requests at r times the CPU time, two free cores do 2 / r times as much as one.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Final

import httpx

from bench.flags.errors import BenchError
from bench.flags.flag_server import FlagServer, running_flag_server
from bench.machine import this_machine
from bench.proxy import wrk
from bench.proxy.measure import LARGE_GET, LARGE_POST, SMALL
from bench.proxy.peers import ours
from bench.proxy.peers.peer import Started
from bench.proxy.upstream import Upstream, running_upstream
from bench.results import Result, table, write

WARM: Final = 10_000
"""Requests after which caches and connections are there; memory counts from here."""
SETTLED: Final = 100_000
ROUNDS: Final = 5
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


def lowest_cpu(proxies: Sequence[Started], seconds: int) -> list[float]:
    """Microseconds for each small GET: the best of `ROUNDS`, in turns. Raises `BenchError`.

    Each worker has as many connections, because what many share in one turn of the event loop costs
    each of them less.
    """
    rounds = []
    for _ in range(ROUNDS):
        times = []
        for started in proxies:
            load = replace(SMALL, connections=SMALL.connections * len(started.usages))
            wrk.run(load, started.port, 1)
            before = started.cpu_time()
            answered = wrk.run(load, started.port, seconds)
            times.append((started.cpu_time() - before) / answered.requests * 1e6)
        rounds.append(times)
    return [min(times) for times in zip(*rounds, strict=True)]


def shares(started: Started) -> list[float]:
    """Each worker's share of all requests so far, in percent. Raises `BenchError`."""
    time.sleep(1)  # workers report every quarter second
    try:
        answer = httpx.get(f"http://127.0.0.1:{started.admin}/stats", trust_env=False)
        counts = [worker["requests"] for worker in answer.raise_for_status().json()["workers"]]
    except httpx.HTTPError as error:
        raise BenchError(f"the figures cannot be read: {error!r}") from None
    return [100 * count / sum(counts) for count in counts]


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
        two = stack.enter_context(_started(folder, 2, upstream, flags))
        marks = endure(two, requests, seconds)
        share = shares(two)
        with _started(folder, 1, upstream, flags) as one:
            cpu = lowest_cpu((one, two), seconds)
    name = "CPU for a small GET"
    return [
        *memory(marks),
        Result(name=f"one worker: {name}", value=cpu[0], unit="µs"),
        Result(name=f"two workers: {name}", value=cpu[1], unit="µs"),
        Result(name=f"two workers / one: {name}", value=cpu[1] / cpu[0], unit="×"),
        Result(name="requests of the busier of two workers", value=max(share), unit="%", goal=60),
    ]


def _started(
    folder: Path, workers: int, upstream: Upstream, flags: FlagServer
) -> AbstractContextManager[Started]:
    place = folder / f"workers-{workers}"
    place.mkdir()
    return ours.start(place, None, upstream, flags, workers=workers)


if __name__ == "__main__":
    sys.exit(main())
