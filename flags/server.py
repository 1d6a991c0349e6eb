"""The flag server process: one port for streams, REST and dashboard.

uvicorn serves HTTP on one event loop. Streams are taken over and written to directly, other SDK
requests are answered on the loop by Starlette, REST and dashboard by Flask on a few threads.
"""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import uvicorn

from flags.application import application
from flags.credentials import Credentials
from flags.errors import FlagsError
from flags.live import Live
from flags.sdk.events import Ingestion, now_minute
from flags.sdk.seen import Seen
from flags.sdk.streams import opener
from flags.store import Actor, Change, Store
from flags.store.replication import Replication
from flags.streams.channel import keep_alive
from flags.streams.hub import Hub
from flags.streams.protocol import StreamingProtocol

logger = logging.getLogger(__name__)
FLUSH: Final = 2.0
"""Seconds between writes of what SDKs reported."""
SWITCH: Final = 0.0005
"""Seconds that another thread may keep the event loop waiting for the interpreter."""
TICK: Final = 0.5
"""Seconds between looks for scheduled changes that are due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    host: str = "127.0.0.1"
    port: int = 8765
    """0 takes a free one."""
    database: Path | str
    """An SQLite file, or a URL such as `postgresql://USER@HOST/DATABASE` for several replicas."""
    credentials: Path


@contextlib.asynccontextmanager
async def running_server(settings: ServerSettings) -> AsyncIterator[str]:
    """Serve until the block ends; yields the origin, such as `http://127.0.0.1:8765`.

    Raises `FlagsError` before anything is served: bad credentials, database, or port.
    """
    credentials = Credentials.load(settings.credentials)
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(_bind(settings.host, settings.port))
        origin = {"project": credentials.project, "environment": credentials.environment}
        store = stack.enter_context(contextlib.closing(Store(str(settings.database), origin)))
        project, environment = credentials.first_environment()
        store.environments.ensure(project, environment, Actor(member="flag-server", via="config"))
        store.tokens.configure(credentials.tokens)

        hub = _following(store)
        replication = stack.enter_context(contextlib.closing(Replication(store.core)))
        replication.start()
        seen = Seen()
        ingestion = Ingestion(seen)
        live = Live(hub, seen, asyncio.get_running_loop())
        server = _Server(
            uvicorn.Config(
                application(store, hub, live, ingestion, credentials, settings.host),
                http=partial(StreamingProtocol, opener=opener(hub)),  # type: ignore[arg-type] # a factory will do
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        chores = [
            asyncio.create_task(chore)
            for chore in (
                keep_alive(hub.channels),
                _flush(store, ingestion),
                _run_schedule(store),
            )
        ]
        try:
            while not server.started:
                if serving.done():
                    await serving
                    raise FlagsError("the flag server ended while it started")
                await asyncio.sleep(0.005)
            yield _origin(settings.host, listener.getsockname()[1])
        finally:
            for chore in chores:
                chore.cancel()
            live.close()
            server.should_exit = True
            await serving
            hub.close()  # now that no SDK can come back to this server
            await asyncio.gather(*chores, return_exceptions=True)
            store.evaluations.add(*ingestion.take(), now_minute())


def serve(settings: ServerSettings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises `FlagsError`."""

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with running_server(settings) as origin:
            logger.warning("flag server listens on %s", origin)
            await stop.wait()

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # one for each stream
    sys.setswitchinterval(SWITCH)
    import uvloop

    uvloop.run(until_stopped())
    return 0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """`serve` handles signals; in tests nobody does."""
        yield


def _following(store: Store) -> Hub:
    """A hub that knows everything in the store, and hears what changes, on this loop."""
    hub = Hub(store.core.epoch)
    loop = asyncio.get_running_loop()
    loop_is_ours = True

    def publish(change: Change) -> None:
        if loop_is_ours:
            hub.publish(change)
        else:
            loop.call_soon_threadsafe(hub.publish, change)

    store.core.follow(publish)
    loop_is_ours = False
    return hub


async def _flush(store: Store, ingestion: Ingestion) -> None:
    while True:
        await asyncio.sleep(FLUSH)
        counts, measures = ingestion.take()
        if counts or measures:
            try:
                await asyncio.to_thread(store.evaluations.add, counts, measures, now_minute())
            except FlagsError as error:
                logger.warning("evaluations.lost reason=%s", error)


async def _run_schedule(store: Store) -> None:
    while True:
        await asyncio.sleep(TICK)
        try:
            await asyncio.to_thread(store.schedule.run_due)
        except FlagsError as error:
            logger.warning("schedule.delayed reason=%s", error)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(4096)
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "a port is a number up to 65535"
        raise FlagsError(
            f"cannot listen on {host}:{port}: {why}",
            hint="choose another port, or stop the program that has it",
        ) from None
    return listener


def _origin(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
