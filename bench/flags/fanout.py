"""How long until a toggle has reached every one of many streams, and what a stream costs.

The streams are raw sockets of one reader, so that neither an SDK nor a hundred processes are
measured. A bare writer with a reader of its own takes turns with the flag server.

The goal is from the REST answer to the last stream. A server may also answer only when it has
written to most streams, which would look like no time at all, or less; so time counts from the
answer or from the patch at the first stream, whichever comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.flags.bare import running_bare_writer
from bench.flags.capture import capture
from bench.flags.flag_server import Switched, running_flag_server
from bench.flags.part import Say, counted
from bench.flags.processes import allow_open_files
from bench.flags.reader import reading
from bench.flags.streams import Arrival
from bench.results import Result
from bench.stats import median, percentile

FLAGS: Final = 20
"""About what one migration has."""
WARM_UP: Final = 3
KIB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    streams: int
    toggles: int
    """Of each writer."""
    goal: float
    """Milliseconds from the REST answer to the last byte, p99."""
    memory_goal: float | None = None
    """KiB of the server for each stream."""


SCALES: Final = (
    Scale(streams=1_000, toggles=100, goal=25),
    Scale(streams=10_000, toggles=50, goal=200, memory_goal=16),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One toggle, and one write of the bare writer."""

    switched: Switched
    arrival: Arrival
    asked: float
    """When the bare writer was asked to write, in seconds of CLOCK_MONOTONIC."""
    bare: Arrival

    @property
    def spread(self) -> float:
        """Seconds."""
        return self.arrival.last - min(self.switched.answered, self.arrival.first)


def measure(say: Say) -> list[Result]:
    return [result for scale in SCALES for result in _at(scale, say)]


def _at(scale: Scale, say: Say) -> list[Result]:
    allow_open_files(scale.streams + 1000)
    with running_flag_server(flags=FLAGS) as server:
        sample = capture(server.port, server.rest.switch)
        before = server.usage.private_memory()
        with reading(server.port, scale.streams) as reader:
            say(f"{scale.streams:,} streams of the flag server are open")
            with (
                running_bare_writer(sample.put) as writer,
                reading(writer.port, scale.streams) as bare_reader,
            ):
                say(f"{scale.streams:,} streams of the bare writer are open")
                turns = []
                for number in counted(
                    WARM_UP + scale.toggles, f"toggles have reached {scale.streams:,} streams", say
                ):
                    switched = server.rest.switch()
                    arrival = reader.arrival()
                    asked = writer.write(sample.patch(number))
                    turns.append(
                        Turn(
                            switched=switched,
                            arrival=arrival,
                            asked=asked,
                            bare=bare_reader.arrival(),
                        )
                    )
            memory = (server.usage.private_memory() - before) / scale.streams / KIB
    say(f"{scale.toggles} toggles have reached {scale.streams:,} streams")
    return _results(scale, turns[WARM_UP:], memory)


def _results(scale: Scale, turns: Sequence[Turn], memory: float) -> list[Result]:
    """`memory` in KiB."""
    spread = [turn.spread * 1000 for turn in turns]
    whole = [(turn.arrival.last - turn.switched.sent) * 1000 for turn in turns]
    bare = [(turn.bare.last - turn.asked) * 1000 for turn in turns]
    who = f"{scale.streams:,} streams"
    return [
        Result(name=f"REST answer to last of {who}, median", value=median(spread), unit="ms"),
        Result(
            name=f"REST answer to last of {who}, p99",
            value=percentile(spread, 99),
            unit="ms",
            goal=scale.goal,
        ),
        Result(name=f"REST request to last of {who}, p99", value=percentile(whole, 99), unit="ms"),
        Result(name=f"bare writer to last of {who}, p99", value=percentile(bare, 99), unit="ms"),
        Result(
            name=f"REST request to last of {who}, p99, by bare writer's",
            value=percentile(whole, 99) / percentile(bare, 99),
            unit="×",
        ),
        Result(
            name=f"server memory for each of {who}",
            value=memory,
            unit="KiB",
            goal=scale.memory_goal,
        ),
    ]
