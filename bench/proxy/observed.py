"""What an access log of each request, and traces of one in a hundred, add to a request."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bench.flags.errors import BenchError
from bench.flags.flag_server import FlagServer
from bench.proxy.measure import best_in_turns, counted
from bench.proxy.peers import ours
from bench.proxy.upstream import Upstream
from bench.results import Result

MOST: Final = 1.5
"""Times a request without a log."""
TRACED: Final = 0.01
"""Share of the requests."""


def measure(
    folder: Path, core: int, upstream: Upstream, flags: FlagServer, seconds: int
) -> list[Result]:
    """In turns on one core. The old side takes the traces. Raises `BenchError`."""
    log = folder / "access.log"
    collector = f"http://127.0.0.1:{upstream.old}"
    settings: dict[str, dict[str, Any]] = {
        "plain": {},
        "logged": {"access_log": {"path": str(log)}},
        "traced": {"tracing": {"endpoint": collector, "ratio": TRACED, "limit": 10_000}},
    }
    with ExitStack() as stack:
        proxies = []
        for name, each in settings.items():
            place = folder / name
            place.mkdir()
            start = ours.start(place, {core}, upstream, flags, settings=each)
            proxies.append(stack.enter_context(start))
        plain, logged, traced = (best.cpu for best in best_in_turns(proxies, seconds))
        requests = sum(counted(proxies[1]))
    with log.open("rb") as lines:
        written = sum(1 for _ in lines)
    if not written:
        raise BenchError("the access log is empty")
    return [
        Result(
            name="CPU time with an access log of all requests, by that without",
            value=logged / plain,
            unit="×",
            goal=MOST,
        ),
        Result(name="requests that the access log has", value=100 * written / requests, unit="%"),
        Result(
            name="CPU time with one request in a hundred traced, by that without",
            value=traced / plain,
            unit="×",
        ),
    ]
