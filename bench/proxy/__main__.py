"""`python -m bench.proxy`: measure the proxy beside its peers, in turns on the same core.

Tables go to standard output, progress to standard error, results to `bench/results/proxy.json` and,
with `--publish`, to README.md and docs/. Ends with 0 also when goals are missed or peers are
missing, and with 1 when our own proxy could not be measured.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NoReturn

from bench.flags.errors import BenchError
from bench.flags.flag_server import running_flag_server
from bench.flags.processes import allow_open_files
from bench.machine import this_machine
from bench.proxy import matching, observed, scaling, summary
from bench.proxy.measure import (
    Round,
    check_split,
    measure_direct,
    measure_round,
    memory_with_idle_connections,
)
from bench.proxy.peers import ours
from bench.proxy.peers.caddy import CADDY
from bench.proxy.peers.envoy import ENVOY, ENVOY_LUA
from bench.proxy.peers.handmade import HANDMADE
from bench.proxy.peers.haproxy import HAPROXY
from bench.proxy.peers.nginx import NGINX
from bench.proxy.peers.peer import Started
from bench.proxy.program import cores
from bench.proxy.publish import publish
from bench.proxy.upstream import running_upstream
from bench.results import Result, table, write

PEERS: Final = (NGINX, HAPROXY, ENVOY, ENVOY_LUA, CADDY, HANDMADE)
OPEN_FILES: Final = 8192


class Bench:
    """One run. What could not be measured is in `missing`, with the reason."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._began = time.monotonic()
        self.started: dict[str, Started] = {}
        self.missing: dict[str, str] = {}
        self.rounds: dict[str, list[Round]] = {}
        self.idle: dict[str, float] = {}
        self.own: list[Result] = []
        """What no peer has."""

    def start(self) -> None:
        """Start all. Raises `BenchError` if ours, or what it needs, does not start."""
        self._cores = cores()
        mine, other, *_ = self._cores
        os.sched_setaffinity(0, {other})  # of `wrk` and the flag server too
        allow_open_files(OPEN_FILES)
        upstream = self._stack.enter_context(running_upstream(self._new("upstream"), {other}))
        self._upstream = upstream
        self._flags = flags = self._stack.enter_context(running_flag_server(flags=1))
        flags.rest.create_migration(ours.FLAG, ours.STAGE)
        our_start = ours.start(self._new(ours.NAME), {mine}, upstream, flags)
        self.started[ours.NAME] = self._stack.enter_context(our_start)
        check_split(self.started[ours.NAME].port)
        for peer in PEERS:
            try:
                peer_start = peer.start(self._new(peer.name), mine, upstream, flags)
                started = self._stack.enter_context(peer_start)
                check_split(started.port)
            except BenchError as error:
                self._miss(peer.name, error)
            else:
                self.started[peer.name] = started

    def measure(self, rounds: int, seconds: int) -> None:
        for number in range(rounds):
            direct = measure_direct(self._upstream, seconds)
            for name, started in self._alive():
                self.say(f"round {number + 1} of {rounds}: {name}")
                try:
                    one = measure_round(started, direct, seconds)
                    self.rounds.setdefault(name, []).append(one)
                except BenchError as error:
                    self._miss(name, error)
        for name, started in self._alive():
            self.say(f"idle connections: {name}")
            try:
                self.idle[name] = memory_with_idle_connections(started)
            except BenchError as error:
                self.say(f"{name}: {error}")

    def measure_ours(self, seconds: int) -> None:
        """What is compared with ourselves only."""
        place, core = self._new("observed"), self._cores[0]
        flags, upstream = self._flags, self._upstream
        parts: dict[str, Callable[[], tuple[list[Result], dict[str, str]]]] = {
            "matches": lambda: (matching.measure(), {}),
            "log and traces": lambda: (
                observed.measure(place, core, upstream, flags, seconds),
                {},
            ),
            "a second worker": lambda: scaling.measure(
                self._new("scaling"), self._cores, upstream, flags, seconds
            ),
        }
        for name, part in parts.items():
            self.say(name)
            try:
                results, missing = part()
                self.own += results
                self.missing |= missing
            except BenchError as error:
                self._miss(name, error)

    def rows(self) -> dict[str, Round]:
        """The medians of those that were measured in every round."""
        alive = [name for name, _ in self._alive()]
        return {name: summary.middle(self.rounds[name]) for name in alive}

    def say(self, what: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._began:6.1f} s  {what}\n")
        sys.stderr.flush()

    def _alive(self) -> list[tuple[str, Started]]:
        return [each for each in self.started.items() if each[0] not in self.missing]

    def _miss(self, name: str, error: BenchError) -> None:
        self.missing[name] = str(error)
        self.say(f"{name} is missing: {error}")

    def _new(self, name: str) -> Path:
        folder = self._folder / name.replace(" ", "")
        folder.mkdir()
        return folder


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.proxy", description="Proxy bench.")
    parser.add_argument("--rounds", type=int, default=3, help="of all proxies in turn (3)")
    parser.add_argument("--seconds", type=int, default=1, help="of each load; twice the first (1)")
    parser.add_argument(
        "--publish", action="store_true", help="renew the figures in README.md and docs/"
    )
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        code = _run(options.rounds, options.seconds)
        if options.publish and not code:
            publish()
        return code
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run(rounds: int, seconds: int) -> int:
    machine = this_machine()
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-proxy-"))
        folder = Path(name)
        folder.chmod(0o755)  # root's nginx reads files as another user
        bench = Bench(folder, stack)
        bench.start()
        bench.measure(rounds, seconds)
        bench.measure_ours(seconds)
    rows = bench.rows()
    goals = summary.compared(rows, ours.NAME)
    values = summary.values(rows, bench.idle)
    results = [*goals, *bench.own, *values]
    file = write("proxy", results, machine, missing=bench.missing)
    bench.say(f"done, written to {file.relative_to(file.parents[2])}")
    matrix = summary.matrix(summary.by_proxy((each.name, each.value) for each in values))
    lines = [summary.aligned(matrix), "", table([*goals, *bench.own]), ""]
    lines += [f"missing: {name}: {why}" for name, why in bench.missing.items()]
    lines += [f"not measured: {name}" for name in summary.unmeasured(rows, ours.NAME)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if ours.NAME in bench.missing else 0


def _end(number: int, _: object) -> NoReturn:
    """Leaves every block, which ends what it started."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
