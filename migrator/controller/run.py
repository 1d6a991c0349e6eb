"""The controller process: open the log, drive the rollouts, serve the API, until told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn

from migrator.controller.api import application
from migrator.controller.endpoints import EndpointFeed, endpoints_route
from migrator.controller.loop import Controller
from migrator.controller.observe import ProxyStats
from migrator.controller.push import metrics_route
from migrator.controller.store import EventLog
from migrator.errors import Unavailable
from migrator.flagaccess import target
from migrator.flagclient import FlagClient, RetryPolicy
from migrator.plan.load import load
from migrator.plan.schedule import steps
from migrator.runtimes.local.endpoints import ready_endpoints
from migrator.secrets import CONTROLLER, load_secrets
from migrator.state import StateDir

PATIENCE: Final = RetryPolicy(total=5.0)
"""Looking at the services must not wait long for the flags; the next look tries again."""

logger = logging.getLogger("migrator.controller")


def run(folder: Path) -> int:
    """Drive the plan in the state folder until SIGTERM or SIGINT; the exit code.

    Raises StateError, PlanErrors, Unavailable.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level="INFO")
    logging.getLogger("httpx").setLevel("WARNING")
    asyncio.run(_run(StateDir(folder)))
    return 0


async def _run(state: StateDir) -> None:
    plan = load(state.plan)
    secrets = load_secrets(state)
    instance = state.load_instance()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with (
        FlagClient(
            target(plan.spec.flags, instance.addresses.flags, CONTROLLER, secrets, os.environ),
            policy=PATIENCE,
        ) as flags,
        ProxyStats(instance.addresses.proxy_admin) as proxy,
    ):
        with EventLog(state.rollout_database) as log:
            controller = Controller(
                plan,
                {name: steps(capability) for name, capability in plan.spec.capabilities.items()},
                log,
                flags=flags,
                proxy=proxy,
                services=instance.addresses.services,
            )
            feed = EndpointFeed(lambda: ready_endpoints(state))
            routes = (
                endpoints_route(feed, secrets.endpoints_token, secrets.controller_token),
                metrics_route(controller.metrics.received, secrets.metrics_token),
            )
            server = _Server(
                uvicorn.Config(
                    application(controller, secrets.controller_token, *routes),
                    host="127.0.0.1",
                    port=instance.ports["controller"],
                    lifespan="off",
                    log_level="warning",
                    access_log=False,
                    server_header=False,
                    timeout_graceful_shutdown=1,
                )
            )
            looking = asyncio.create_task(feed.run())
            serving = asyncio.create_task(_serve(server, stop))
            try:
                await controller.run(stop)
            finally:
                looking.cancel()
                feed.close()
                server.should_exit = True
                await serving


async def _serve(server: "_Server", stop: asyncio.Event) -> None:
    """Serve; a server that ends by itself (its port is taken) ends the controller."""
    try:
        await server.serve()
    except SystemExit:
        raise Unavailable(
            f"cannot listen on 127.0.0.1:{server.config.port}",
            hint="stop the program that has this port",
        ) from None
    finally:
        stop.set()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """`_run` handles signals."""
        yield
