"""`python -m bench.proxy.matching`: nanoseconds to find a route among 10, and among 1,000.

Prints JSON. Half a second; `measure` runs it on the compiled packages. Routes are by turns literal
paths, templates, hosts and header fields, and ten requests ask for ten of them, spread evenly.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.flags.errors import BenchError
from bench.proxy.peers.ours import COMPILED
from bench.results import Result
from bench.stats import median
from routing.config import Capability, RouteRule
from routing.table import RouteTable

SIZES: Final = (10, 1000)
ASKED: Final = 10
KINDS: Final = 4
TURNS: Final = 51
PASSES: Final = 100
"""Over all requests in one turn."""
PATIENCE: Final = 60.0
"""Seconds until the process counts as stuck."""
MOST: Final = 1.3
"""Times what ten routes cost."""
ROOT: Final = Path(__file__).parents[2]


@dataclass(slots=True)
class Asking:
    """One request."""

    path: bytes
    host: bytes = b"www.example.org"
    fields: dict[bytes, bytes] = field(default_factory=dict)
    query: bytes = b""


def rule(number: int) -> tuple[RouteRule, Asking]:
    """A route, and a request that only it matches."""
    name = f"r{number}"
    tenant, host = f"tenant-{number}", f"{name}.example.org"
    return (
        (
            RouteRule(path=f"/{name}/list", service="s"),
            Asking(f"/{name}/list".encode()),
        ),
        (
            RouteRule(path=f"/{name}/{{id}}/edit", service="s"),
            Asking(f"/{name}/17/edit".encode()),
        ),
        (
            RouteRule(path="/hosted/{id}", service="s", host=host),
            Asking(b"/hosted/17", host=host.encode()),
        ),
        (
            RouteRule(path="/tenants/{id}", service="s", headers={"x-tenant": tenant}),
            Asking(b"/tenants/17", fields={b"x-tenant": tenant.encode()}),
        ),
    )[number % KINDS]


def prepared(size: int) -> tuple[RouteTable, list[Asking]]:
    """A table of `size` routes, and the requests."""
    rules, requests = zip(*map(rule, range(size)), strict=True)
    routes = RouteTable(
        {f"c{number}": Capability(flag="f", routes=(one,)) for number, one in enumerate(rules)}
    )
    wanted = [_wanted(turn, size) for turn in range(ASKED)]
    for number in wanted:
        found = routes.match(b"GET", requests[number].path, requests[number])
        if found is None or found.capability != f"c{number}":
            raise BenchError(f"route {number} of {size} was not found")
    return routes, [requests[number] for number in wanted]


def _wanted(turn: int, size: int) -> int:
    """Spread over the table, and of the same kind whatever the size."""
    number = turn * (size // ASKED)
    return number + (turn - number) % KINDS


def timed(routes: RouteTable, requests: Sequence[Asking]) -> float:
    """Nanoseconds of one match."""
    match = routes.match
    began = time.perf_counter_ns()
    for _ in range(PASSES):
        for request in requests:
            match(b"GET", request.path, request)
    return (time.perf_counter_ns() - began) / (PASSES * len(requests))


def compared(few: float, many: float) -> list[Result]:
    return [
        Result(name=f"match among {SIZES[0]} routes", value=few, unit="ns"),
        Result(name=f"match among {SIZES[1]:,} routes", value=many, unit="ns"),
        Result(
            name=f"match among {SIZES[1]:,} routes, by that among {SIZES[0]}",
            value=many / few,
            unit="×",
            goal=MOST,
        ),
    ]


def measure() -> list[Result]:
    """In a process of its own, compiled. Raises `BenchError`."""
    paths = os.pathsep.join((str(COMPILED), str(ROOT)))
    try:
        done = subprocess.run(
            (sys.executable, "-m", "bench.proxy.matching"),
            env={**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BenchError(f"matches could not be timed within {PATIENCE:.0f} s") from None
    if done.returncode:
        raise BenchError(f"matches could not be timed: {done.stderr.strip()[-300:]}")
    few, many = json.loads(done.stdout)
    return compared(few, many)


def main() -> int:
    tables = [prepared(size) for size in SIZES]
    turns = [[timed(*each) for each in tables] for _ in range(TURNS)]
    sys.stdout.write(json.dumps([median(times) for times in zip(*turns, strict=True)]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
