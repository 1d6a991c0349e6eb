"""Our own flag server in the test's process, alone or with LaunchDarkly's manners."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from flags.server import ServerSettings, running_server
from ld_stand_in import Manners, StandIn, standing_in

PATIENCE = 20.0
"""Seconds any awaited condition may take on a loaded machine."""
CONTROLLER_TOKEN = "api-controller-9c02aa"
ALICE_TOKEN = "api-alice-7b1f44d2aa"
TOKENS = {"migrator-controller": CONTROLLER_TOKEN, "alice": ALICE_TOKEN}
SDK_KEY = "sdk-5f1c0a9e-2b7d-4c63"
ACCESS_TOKEN = "api-of-everybody-31d2c4"
"""LaunchDarkly's, which controller and people share; alice made it."""
READER_TOKEN = "api-of-a-reader-77d0e1"
"""LaunchDarkly's, without a role that may change anything."""


@contextlib.asynccontextmanager
async def flag_server(folder: Path, port: int = 0) -> AsyncIterator[str]:
    """The server of the project `cms`, with what it knew in `folder`; yields the origin."""
    credentials = folder / "credentials.json"
    credentials.touch(mode=0o600)
    credentials.write_text(
        json.dumps(
            {
                "project": "cms",
                "environment": "production",
                "sdk_key": SDK_KEY,
                "mobile_key": "mob-5f1c0a9e-2b7d-4c63",
                "client_side_id": "0123456789abcdef01234567",
                "session_secret": "session-secret-of-these-tests",
                "tokens": TOKENS,
            }
        )
    )
    settings = ServerSettings(port=port, database=folder / "flags.db", credentials=credentials)
    async with running_server(settings) as origin:
        yield origin


def manners() -> Manners:
    """LaunchDarkly on a bad day: slow, limited, with conflicts, and without migration flags."""
    return Manners(
        tokens={ACCESS_TOKEN: ALICE_TOKEN, READER_TOKEN: ALICE_TOKEN},
        readers=frozenset({READER_TOKEN}),
        latency=0.002,
        limit=30,
        window=0.2,
        conflict_every=3,
        migration_flags=403,
    )


@dataclass(frozen=True)
class Account:
    """LaunchDarkly, as far as other processes can tell."""

    stand_in: StandIn
    origin: str
    """Of the flag server behind it."""

    @property
    def environment(self) -> dict[str, str]:
        """What a person sets before `migrator up`."""
        return {"LAUNCHDARKLY_SDK_KEY": SDK_KEY, "LAUNCHDARKLY_ACCESS_TOKEN": ACCESS_TOKEN}

    @property
    def plan(self) -> dict[str, str]:
        """`spec.flags` of a plan that uses it."""
        address = self.stand_in.address
        uris = dict.fromkeys(("api", "base", "stream", "events"), address)
        return {"server": "launchdarkly", "project": "cms", **uris}


@contextlib.contextmanager
def account(folder: Path) -> Iterator[Account]:
    """In a thread of its own, for tests that wait for processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()

    async def begin() -> Account:
        origin = await stack.enter_async_context(flag_server(folder))
        stand_in = await stack.enter_async_context(standing_in(origin, manners()))
        return Account(stand_in, origin)

    try:
        yield asyncio.run_coroutine_threadsafe(begin(), loop).result(PATIENCE)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()
