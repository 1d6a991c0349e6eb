"""What the start of an SDK costs: the put with every flag, alone and for many at once.

Processor time is that of the server, after a change of one flag, so that nothing it encoded before
is of use. Where the put is encoded once for all, a further start costs little more than the bare
writer needs, which has nothing to encode.
"""

from collections.abc import Callable
from contextlib import closing
from typing import Final

from bench.flags.bare import running_bare_writer
from bench.flags.capture import capture
from bench.flags.flag_server import running_flag_server
from bench.flags.part import Say
from bench.flags.processes import Usage
from bench.flags.streams import Streams
from bench.results import Result
from bench.stats import median, percentile

FLAGS: Final = 1_000
MANY: Final = 100
"""Starts at the same time, as when all services are deployed."""
ROUNDS: Final = 30
"""Changes followed by one start; and as many followed by `MANY`."""


def measure(say: Say) -> list[Result]:
    with running_flag_server(flags=FLAGS) as server:
        say(f"{FLAGS:,} flags are made")
        switch = server.rest.switch
        put = capture(server.port, switch).put
        one, cpu_one = _starts(server.port, server.usage, 1, switch)
        many, cpu_many = _starts(server.port, server.usage, MANY, switch)
        say(f"{len(one):,} starts alone, {len(many):,} starts {MANY} at a time")
    with running_bare_writer(put) as writer:
        bare, cpu_bare = _starts(writer.port, writer.usage, MANY, lambda: None)
        say(f"{len(bare):,} starts with the bare writer")
    one_start, at_once = f"start with {FLAGS:,} flags", f"{MANY} starts at once"
    return [
        Result(name=f"put of {FLAGS:,} flags", value=len(put) / 1024, unit="KiB"),
        Result(name=f"{one_start}, median", value=median(one), unit="ms"),
        Result(name=f"{one_start}, p99", value=percentile(one, 99), unit="ms"),
        Result(name=f"{at_once}, median", value=median(many), unit="ms"),
        Result(name=f"{at_once}, p99", value=percentile(many, 99), unit="ms"),
        Result(name=f"bare writer, {at_once}, p99", value=percentile(bare, 99), unit="ms"),
        Result(name="CPU time of a change and one start", value=cpu_one, unit="ms"),
        Result(name=f"CPU time of a change and {MANY} starts", value=cpu_many, unit="ms"),
        Result(
            name="CPU time of each further start",
            value=(cpu_many - cpu_one) / (MANY - 1),
            unit="ms",
        ),
        Result(name="CPU time of the bare writer's start", value=cpu_bare / MANY, unit="ms"),
    ]


def _starts(
    port: int, usage: Usage, count: int, change: Callable[[], object]
) -> tuple[list[float], float]:
    """Milliseconds of each start; and of CPU time for a change and `count` starts."""
    seconds: list[float] = []
    before = usage.cpu_time()
    for _ in range(ROUNDS):
        change()
        with closing(Streams(port)) as streams:
            seconds += streams.open(count, at_once=count)
    spent = usage.cpu_time() - before
    return [each * 1000 for each in seconds], spent * 1000 / ROUNDS
