"""What the start of an SDK costs: the put with every flag, alone and for many at once.

Processor time is that of the server, after a change of one flag, so that nothing it encoded before
is of use. Where the put is encoded once for all, a further start costs only its bytes.
"""

from contextlib import closing
from typing import Final

from bench.flags.capture import capture
from bench.flags.flag_server import FlagServer, running_flag_server
from bench.flags.part import Say
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
        put = len(capture(server.port, server.rest.switch).put)
        one, cpu_one = _starts(server, 1)
        say(f"{len(one)} single starts")
        many, cpu_many = _starts(server, MANY)
        say(f"{len(many):,} starts, {MANY} at once")
    flags = f"{FLAGS:,} flags"
    return [
        Result(name=f"put with {flags}", value=put / 1024, unit="KiB"),
        Result(name=f"connect to end of put, {flags}, median", value=median(one), unit="ms"),
        Result(name=f"connect to end of put, {flags}, p99", value=percentile(one, 99), unit="ms"),
        Result(name=f"the same, {MANY} at once, median", value=median(many), unit="ms"),
        Result(name=f"the same, {MANY} at once, p99", value=percentile(many, 99), unit="ms"),
        Result(name="server's CPU time, a change and one start", value=cpu_one, unit="ms"),
        Result(name=f"server's CPU time, a change and {MANY} starts", value=cpu_many, unit="ms"),
        Result(
            name="server's CPU time, each further start",
            value=(cpu_many - cpu_one) / (MANY - 1),
            unit="ms",
        ),
    ]


def _starts(server: FlagServer, count: int) -> tuple[list[float], float]:
    """Milliseconds of each start, and of the server's CPU time for a change and `count` starts."""
    seconds: list[float] = []
    before = server.cpu_time()
    for _ in range(ROUNDS):
        server.rest.switch()
        with closing(Streams(server.port)) as streams:
            seconds += streams.open(count, at_once=count)
    spent = server.cpu_time() - before
    return [each * 1000 for each in seconds], spent * 1000 / ROUNDS
