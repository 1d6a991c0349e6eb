"""What a second worker gives.

Its throughput can be seen only where two workers, the load and the origin have a core each. What
any machine can measure says something too: the CPU time of a request with two workers and with one,
while all take turns on the same cores. At r times the CPU time, two free cores do 2 / r times as
much as one.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.flags.flag_server import FlagServer
from bench.proxy.measure import Best, best_in_turns
from bench.proxy.peers import ours
from bench.proxy.upstream import Upstream
from bench.results import Result

THROUGHPUT: Final = "throughput of two workers, by that of one"
LEAST: Final = 1.9
NEEDED: Final = 4
"""Cores."""


def measure(
    folder: Path, cores: Sequence[int], upstream: Upstream, flags: FlagServer, seconds: int
) -> tuple[list[Result], dict[str, str]]:
    """Results, and why one is missing. The origin is on the second of `cores`, as is the flag
    server; the load goes to the first if the workers have two others. Raises `BenchError`."""
    free = len(cores) >= NEEDED
    before = os.sched_getaffinity(0)
    with ExitStack() as stack:
        proxies = []
        for workers in (1, 2):
            place = folder / f"workers-{workers}"
            place.mkdir()
            mine = set(cores[2:4] if free else cores[:2])
            start = ours.start(place, mine, upstream, flags, workers=workers)
            proxies.append(stack.enter_context(start))
        if free:
            os.sched_setaffinity(0, {cores[0]})
            stack.callback(os.sched_setaffinity, 0, before)
        one, two = best_in_turns(proxies, seconds)
    return compared(one, two, len(cores))


def compared(one: Best, two: Best, cores: int) -> tuple[list[Result], dict[str, str]]:
    """Pure."""
    cpu = "CPU time of a small GET"
    results = [
        Result(name=f"{cpu}, one worker", value=one.cpu, unit="µs"),
        Result(name=f"{cpu}, two workers", value=two.cpu, unit="µs"),
        Result(name=f"{cpu} with two workers, by that with one", value=two.cpu / one.cpu, unit="×"),
    ]
    if cores < NEEDED:
        why = f"two workers, the load and the origin need {NEEDED} cores, here are {cores}"
        return results, {THROUGHPUT: why}
    ratio = two.rate / one.rate
    goal = Result(name=THROUGHPUT, value=ratio, unit="×", goal=LEAST, more_is_better=True)
    return [goal, *results], {}
