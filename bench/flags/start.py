"""What the start of an SDK costs: the put with every flag, alone and for many at once.

Processor time is that of the server, after a change of one flag, so that nothing it encoded before
is of use. Where the put is encoded once for all, a further start costs little more than the bare
writer needs, which has nothing to encode.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from bench.flags.bare import running_bare_writer
from bench.flags.capture import capture
from bench.flags.flag_server import running_flag_server
from bench.flags.part import Say, counted
from bench.flags.processes import Usage
from bench.flags.streams import Streams
from bench.results import Result
from bench.stats import median, percentile

FLAGS: Final = 1_000
MANY: Final = 100
"""Starts at the same time, as when all services are deployed."""
ROUNDS: Final = 40
"""In each, a change and one start, a change and `MANY`, and `MANY` with the bare writer."""


@dataclass(frozen=True, slots=True)
class Starts:
    """One kind of start, over all rounds."""

    port: int
    usage: Usage
    count: int
    """At once."""
    milliseconds: list[float] = field(default_factory=list)
    """Of each start, from its connect to the end of its put."""
    cpu: list[float] = field(default_factory=list)
    """Milliseconds of the server's CPU time in each round."""

    def play(self, change: Callable[[], object]) -> None:
        """One round."""
        before = self.usage.cpu_time()
        change()
        with closing(Streams(self.port)) as streams:
            seconds = streams.open(self.count, at_once=self.count)
        self.cpu.append((self.usage.cpu_time() - before) * 1000)
        self.milliseconds.extend(each * 1000 for each in seconds)


def measure(say: Say) -> list[Result]:
    with running_flag_server(flags=FLAGS) as server:
        say(f"{FLAGS:,} flags are made")
        put = capture(server.port, server.rest.switch).put
        with running_bare_writer(put) as writer:
            one = Starts(server.port, server.usage, 1)
            many = Starts(server.port, server.usage, MANY)
            bare = Starts(writer.port, writer.usage, MANY)
            for _ in counted(ROUNDS, f"rounds of 1, {MANY} and {MANY} starts", say):
                one.play(server.rest.switch)
                many.play(server.rest.switch)
                bare.play(lambda: None)
    say(f"{ROUNDS} rounds of 1, {MANY} and {MANY} starts")
    return _results(len(put), one, many, bare)


def _results(put: int, one: Starts, many: Starts, bare: Starts) -> list[Result]:
    """`put` in bytes."""
    cpu_one, cpu_many, cpu_bare = (sum(each.cpu) / ROUNDS for each in (one, many, bare))
    one_start, at_once = f"start with {FLAGS:,} flags", f"{MANY} starts at once"
    return [
        Result(name=f"put of {FLAGS:,} flags", value=put / 1024, unit="KiB"),
        Result(name=f"{one_start}, median", value=median(one.milliseconds), unit="ms"),
        Result(name=f"{one_start}, p99", value=percentile(one.milliseconds, 99), unit="ms"),
        Result(name=f"{at_once}, median", value=median(many.milliseconds), unit="ms"),
        Result(name=f"{at_once}, p99", value=percentile(many.milliseconds, 99), unit="ms"),
        Result(
            name=f"bare writer, {at_once}, p99", value=percentile(bare.milliseconds, 99), unit="ms"
        ),
        Result(name="CPU time of a change and one start", value=cpu_one, unit="ms"),
        Result(name=f"CPU time of a change and {MANY} starts", value=cpu_many, unit="ms"),
        Result(
            name="CPU time of each further start",
            value=(cpu_many - cpu_one) / (MANY - 1),
            unit="ms",
        ),
        Result(name="CPU time of the bare writer's start", value=cpu_bare / MANY, unit="ms"),
    ]
