"""What a second worker gives.

Its throughput can be seen where two workers, the load and the origin have a core each. On fewer
cores each worker is held to a share of one, so that there is room for all of them: workers that get
all that they may, and never more, do as much as workers on slower cores of their own. The CPU time
of a request with two workers and with one is beside that, for which all take turns on the same
cores.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Final

from bench.flags.errors import BenchError
from bench.flags.flag_server import FlagServer
from bench.proxy.measure import Best, best_in_turns
from bench.proxy.peers import ours
from bench.proxy.quota import held, pin
from bench.proxy.upstream import Upstream
from bench.results import Result

THROUGHPUT: Final = "throughput of two workers, by that of one"
LEAST: Final = 1.9
NEEDED: Final = 4
"""Cores."""
SHARE: Final = 0.25
"""Of a core, for each worker where there are fewer: load and origin need twice as much together."""
HELD: Final = f"{THROUGHPUT}, each held to {SHARE:.0%} of a core"


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
        if free:
            return compared(one, two, None), {}
        pids = [[usage.pid for usage in each.usages] for each in proxies]
        for workers_of_one in pids:
            for pid, core in zip(workers_of_one, cores, strict=False):
                pin(pid, core)
        try:
            with held([*chain(*pids)], SHARE):
                slow = best_in_turns(proxies, seconds)
        except BenchError as error:
            return compared(one, two, None)[1:], {THROUGHPUT: str(error)}
    return compared(one, two, slow), {}


def compared(one: Best, two: Best, slow: Sequence[Best] | None) -> list[Result]:
    """Throughput first: by `slow`, one and two workers that were held, if given. Pure."""
    cpu = "CPU time of a small GET"
    results = [
        Result(name=f"{cpu}, one worker", value=one.cpu, unit="µs"),
        Result(name=f"{cpu}, two workers", value=two.cpu, unit="µs"),
        Result(name=f"{cpu} with two workers, by that with one", value=two.cpu / one.cpu, unit="×"),
    ]
    name = THROUGHPUT if slow is None else HELD
    few, many = (one, two) if slow is None else slow
    goal = Result(name=name, value=many.rate / few.rate, unit="×", goal=LEAST, more_is_better=True)
    return [goal, *results]
