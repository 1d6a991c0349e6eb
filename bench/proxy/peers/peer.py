"""What all peers have in common."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.flags.flag_server import FlagServer
from bench.flags.processes import Usage
from bench.proxy.program import free_port, running, wait_for_port
from bench.proxy.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a proxy lives, and what it forwards to."""

    folder: Path
    port: int
    upstream: Upstream
    flags: FlagServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A proxy that runs."""

    port: int
    usages: tuple[Usage, ...]
    """Process trees that handle requests."""
    admin: int | None = None
    """Port of our own proxy's figures."""

    def cpu_time(self) -> float:
        """Seconds so far."""
        return sum(each.cpu_time() for each in self.usages)

    def private_memory(self) -> int:
        """Bytes."""
        return sum(each.private_memory() for each in self.usages)

    def resident_memory(self) -> int:
        """Bytes; what processes share counts for each."""
        return sum(each.resident_memory() for each in self.usages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    name: str
    command: Callable[[Place], tuple[str, ...]]
    """Writes the files it needs; the program and its arguments. Raises `BenchError`."""
    environment: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def start(
        self, folder: Path, core: int, upstream: Upstream, flags: FlagServer
    ) -> Iterator[Started]:
        """Raises `BenchError`."""
        place = Place(folder=folder, port=free_port(), upstream=upstream, flags=flags)
        with running(self.command(place), folder, {core}, self.environment) as process:
            wait_for_port(process, place.port, folder)
            yield Started(port=place.port, usages=(Usage(process.pid),))
