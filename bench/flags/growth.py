"""Whether the flag server's memory stays flat over many toggles."""

from typing import Final

from bench.flags.flag_server import running_flag_server
from bench.flags.part import Say, counted
from bench.flags.reader import reading
from bench.results import Result

FLAGS: Final = 20
STREAMS: Final = 100
WARM_UP: Final = 300
"""Toggles that fill caches and pools of a bounded size, such as the database's pages."""
TOGGLES: Final = 1_000
MIB: Final = 1024 * 1024


def measure(say: Say) -> list[Result]:
    with (
        running_flag_server(flags=FLAGS) as server,
        reading(server.port, STREAMS) as reader,
    ):
        before = 0
        for number in counted(WARM_UP + TOGGLES, "toggles", say):
            if number == WARM_UP:
                before = server.usage.private_memory()
                say(f"warm after {WARM_UP} toggles")
            server.rest.switch()
            reader.arrival()
        after = server.usage.private_memory()
    say(f"{TOGGLES:,} more toggles have reached {STREAMS} streams")
    return [
        Result(
            name=f"growth of server memory over {TOGGLES:,} toggles",
            value=(after - before) / MIB,
            unit="MiB",
            goal=2,
        )
    ]
