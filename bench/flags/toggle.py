"""How long until a toggle is in effect in every service, with LaunchDarkly's own SDK.

From sending the REST request, which also stores the change durably, until the SDK of a service
process evaluates the flag to the new value. The bare writer takes turns with the flag server,
toggle by toggle and with the same processes, so that noise of the machine meets both.
"""

import time
from typing import Final

from bench.flags.bare import running_bare_writer
from bench.flags.capture import capture
from bench.flags.flag_server import running_flag_server
from bench.flags.part import Say, counted
from bench.flags.sdks import running_services
from bench.results import Result
from bench.stats import median, percentile

COUNTS: Final = (10, 100)
"""Service processes."""
TOGGLES: Final = 200
"""Of each writer, for each count of processes."""
WARM_UP: Final = 3
PAUSE: Final = 0.02
"""Seconds in which the machine comes to rest after a toggle, as between changes by people."""
PUBLISHED: Final = 200.0
"""Milliseconds LaunchDarkly publishes for its own service."""


def measure(say: Say) -> list[Result]:
    return [result for count in COUNTS for result in _with(count, say)]


def _with(count: int, say: Say) -> list[Result]:
    ours: list[float] = []
    bare: list[float] = []
    answers: list[float] = []
    with running_flag_server(flags=1) as server:
        sample = capture(server.port, server.rest.switch)
        with (
            running_bare_writer(sample.put) as writer,
            running_services(count, (server.origin, writer.origin)) as services,
        ):
            say(f"{count} SDK processes are ready")
            for number in counted(WARM_UP + TOGGLES, f"toggles seen by {count} SDKs", say):
                switched = server.rest.switch()
                seen = services.seen(0)
                time.sleep(PAUSE)
                asked = writer.write(sample.patch(number))
                seen_bare = services.seen(1)
                time.sleep(PAUSE)
                if number >= WARM_UP:
                    ours += [at - switched.sent for at in seen]
                    bare += [at - asked for at in seen_bare]
                    answers.append(switched.answered - switched.sent)
    say(f"{count} SDK processes have seen {TOGGLES} toggles of each writer")
    return _results(count, ours, bare, answers)


def _results(
    count: int, ours: list[float], bare: list[float], answers: list[float]
) -> list[Result]:
    """From samples in seconds."""
    p99, floor = percentile(ours, 99) * 1000, percentile(bare, 99) * 1000
    many = count == max(COUNTS)
    who = f"{count} SDK processes"
    return [
        Result(name=f"toggle to {who}, median", value=median(ours) * 1000, unit="ms"),
        Result(name=f"toggle to {who}, p99", value=p99, unit="ms", goal=30),
        *(
            [
                Result(
                    name=f"toggle to {who}, p99, beside LaunchDarkly's published time",
                    value=p99,
                    unit="ms",
                    goal=PUBLISHED,
                )
            ]
            if many
            else []
        ),
        Result(name=f"bare writer to {who}, median", value=median(bare) * 1000, unit="ms"),
        Result(name=f"bare writer to {who}, p99", value=floor, unit="ms"),
        Result(
            name=f"toggle to {who}, p99, by bare writer's",
            value=p99 / floor,
            unit="×",
            goal=1.3 if many else None,
        ),
        Result(
            name=f"REST request to answer, {who} connected, median",
            value=median(answers) * 1000,
            unit="ms",
        ),
    ]
