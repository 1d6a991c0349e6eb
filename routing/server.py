"""The proxy's parent process: checks the set-up, runs the workers, serves the admin address.

Handles no request of users. When it is killed its workers serve on while a new one starts. One that
runs can be replaced by another without losing a request: see `routing.takeover`.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import uvicorn

from routing.admin import application
from routing.config import Address, ProxyConfig, parse_config
from routing.endpoint_follower import EndpointFollower, check_token_file
from routing.errors import CannotStart, InvalidConfig
from routing.fleet import Fleet
from routing.journal import Journal
from routing.jwks import check_key_file
from routing.key_files import key_paths, prepare_keyrings
from routing.listeners import fits, resolve
from routing.log_file import check_writable
from routing.table import RouteTable
from routing.takeover import FIGURES_EVERY, ControlSocket, Predecessor, Successor, predecessor
from routing.watched_files import WatchedFiles

LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether the configuration file, or one with keys, has changed."""
LAUNCHDARKLY: Final = tuple(
    f"LAUNCHDARKLY_{name}" for name in ("SDK_KEY", "BASE_URI", "STREAM_URI", "EVENTS_URI")
)
"""Environment variables that the workers' SDK clients are made from."""

logger = logging.getLogger("routing.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    config: Path
    """The configuration document (JSON, see `routing.config`)."""
    state: Path
    """Folder for the last known flags, of this proxy alone."""
    admin_host: str = "127.0.0.1"
    admin_port: int = 0
    """0 takes a free one."""
    take_over: bool = False
    """Replace the proxy that runs with `state`, if there is one."""


def serve(settings: ServerSettings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises InvalidConfig, CannotStart."""
    import uvloop

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    uvloop.run(_Parent(settings).run())
    return 0


class _Parent:
    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._document = WatchedFiles([settings.config])
        self._config = load_config(settings.config)
        _check_environment(os.environ)
        self._keys = _prepare_files(self._config, settings.state)
        _check_sdk_key(os.environ)
        self._follower = EndpointFollower(settings.state, lambda: self._config)
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._changing = asyncio.Lock()
        """Held while the listeners change or are handed over."""

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        former = predecessor(self._settings.state, take_over=self._settings.take_over)
        with _admin_listener(self._settings, former) as listener:
            Journal(self._settings.state).close()
            fleet = Fleet(
                self._config,
                self._settings.state,
                former,
                located=self._follower.located,
                outcomes=self._follower.outcomes,
            )
            fleet.start()
            if former is not None and not await self._take_over(fleet, former):
                return
            with ControlSocket(self._settings.state) as control:
                await self._serve(fleet, former, listener, control)

    async def _serve(
        self,
        fleet: Fleet,
        former: Predecessor | None,
        listener: socket.socket,
        control: ControlSocket,
    ) -> None:
        """Until told to stop, or until a successor has taken over."""
        admin = _Admin(
            uvicorn.Config(
                application(
                    fleet,
                    lambda: self._config,
                    self._settings.state,
                    lambda: self._follower.source,
                ),
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        serving = asyncio.create_task(admin.serve(sockets=[listener]))
        watching = asyncio.create_task(self._watch(fleet))
        following_endpoints = asyncio.create_task(self._follower.run(fleet.locate))
        stopping = asyncio.create_task(self._stop.wait())
        succession = asyncio.create_task(
            control.successor(lambda: fleet.offer(listener), self._changing)
        )
        following = None if former is None else asyncio.create_task(former.follow())
        logger.warning("proxy listens on %s:%d, gateway on %s:%d", *fleet.edge, *fleet.gateway)
        try:
            await asyncio.wait({stopping, succession}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            following_endpoints.cancel()
            if succession.done():
                admin.should_exit = True
                await serving  # figures that the successor shows must not be behind ours
                await self._leave(succession.result(), fleet, following)
            else:
                await fleet.stop()
                admin.should_exit = True
                await serving

    async def _take_over(self, fleet: Fleet, former: Predecessor) -> bool:
        """False: told to stop. Raises CannotStart. In both cases `former` serves on."""
        establishing = asyncio.create_task(fleet.established())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({establishing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        try:
            if not establishing.done():
                establishing.cancel()
                return False
            establishing.result()
            await former.replace()
            return True
        finally:
            if not former.replaced:
                former.give_up()
                await fleet.retire()

    async def _leave(
        self, successor: Successor, fleet: Fleet, following: asyncio.Task[None] | None
    ) -> None:
        """Drain, and report figures meanwhile; a stop makes it short."""
        drained = asyncio.create_task(fleet.retire())
        waiting = {drained} if following is None else {drained, following}
        while waiting and not self._stop.is_set():
            successor.tell(fleet.figures())
            _, waiting = await asyncio.wait(waiting, timeout=FIGURES_EVERY)
        await fleet.stop()
        successor.tell(fleet.figures())
        await successor.end()

    async def _watch(self, fleet: Fleet) -> None:
        """Take over changed files, the configuration's and those of keys; wrong ones are refused
        as a whole."""
        while True:
            forced = True
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._reload.wait()
            except TimeoutError:
                forced = False
            self._reload.clear()
            changed = [self._document.changed(), self._keys.changed()]
            if not (forced or any(changed)):
                continue
            try:
                config = load_config(self._settings.config)
                keys = _prepare_files(config, self._settings.state)
                async with self._changing:
                    if _same_listeners(self._config, config):
                        fleet.apply(config)
                    else:
                        await fleet.change(config)
            except (CannotStart, InvalidConfig) as error:
                logger.error("config.refused %s", error)
                continue
            self._config, self._keys = config, keys
            self._follower.reconfigured()
            logger.warning("config.applied %s", self._settings.config)


class _Admin(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """`serve` handles signals."""
        yield


def load_config(path: Path) -> ProxyConfig:
    """The document at `path`, checked with its routes. Raises InvalidConfig."""
    try:
        config = parse_config(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{path} cannot be read: {error}") from None
    RouteTable(config.capabilities)
    if config.access_log is not None:
        check_writable(config.access_log.path, f"{path}: access_log.path")
    if config.listen.tls is not None or config.origin_tls:
        from routing.tls import check_files

        check_files(config)
    return config


def _prepare_files(config: ProxyConfig, state: Path) -> WatchedFiles:
    """Make the keys that are to be made, and see that the files with secrets can be read. Returns
    those that workers will read, but not again by themselves.

    Raises InvalidConfig.
    """
    prepare_keyrings(config, state)
    check_key_file(config.context.jwt)
    check_token_file(config.endpoints)
    return WatchedFiles(key_paths(config, state))


def _same_listeners(before: ProxyConfig, after: ProxyConfig) -> bool:
    return all(
        getattr(before, name) == getattr(after, name) for name in ("listen", "gateway", "workers")
    )


def _admin_listener(settings: ServerSettings, former: Predecessor | None) -> socket.socket:
    """The one of the proxy before, unless another address is wanted. Raises CannotStart."""
    wanted = Address(host=settings.admin_host, port=settings.admin_port)
    with contextlib.ExitStack() as opened:
        try:
            family, place = resolve(wanted)
            if former is not None and fits(former.admin, place):
                return former.admin
            listener = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(128)
        except OSError as error:
            raise CannotStart(
                f"cannot listen on {wanted.host}:{wanted.port} (admin): {error.strerror}",
                hint="choose another port, or stop the program that has it",
            ) from None
        opened.pop_all()
    return listener


def _check_environment(environment: Mapping[str, str]) -> None:
    missing = [name for name in LAUNCHDARKLY if not environment.get(name)]
    if missing:
        raise CannotStart(
            f"the environment lacks {', '.join(missing)}",
            hint="set them to the SDK key and the addresses of the flag server or of LaunchDarkly",
        )


def _check_sdk_key(environment: Mapping[str, str]) -> None:
    """Raise CannotStart if the flag server refuses the key. If it does not answer, go on: the
    last known flags are for that."""
    key, origin = environment["LAUNCHDARKLY_SDK_KEY"], environment["LAUNCHDARKLY_BASE_URI"]
    try:
        with httpx.stream(
            *("GET", f"{origin}/sdk/latest-all"),
            headers={"Authorization": key},
            timeout=2.0,
            trust_env=False,
        ) as answer:
            status = answer.status_code
    except httpx.HTTPError as error:
        logger.warning("flags.unreachable %s: %s", origin, str(error) or type(error).__name__)
        return
    if status in (401, 403):
        raise CannotStart(
            f"{origin} refuses the SDK key that ends in ...{key[-4:]} (LAUNCHDARKLY_SDK_KEY)",
            hint="use the SDK key of this project's environment",
        )
