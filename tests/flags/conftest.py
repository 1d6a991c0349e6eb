"""A real flag server on a free port, its credentials, and flags to begin with."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from browser_page import chromium as chromium
from flags.credentials import Credentials
from flags.server import ServerSettings, running_server

PATIENCE: Final = 60.0
"""Seconds that any awaited condition may take on a loaded machine before the test fails."""
CREDENTIALS: Final = Credentials(
    project="cms",
    environment="production",
    sdk_key="sdk-5f1c0a9e-2b7d-4c63",
    mobile_key="mob-5f1c0a9e-2b7d-4c63",
    client_side_id="0123456789abcdef01234567",
    session_secret="session-secret-of-these-tests",
    tokens={"alice": "api-alice-7b1f44d2", "migrator-controller": "api-controller-9c02"},
)
SEMANTIC: Final = "application/json; domain-model=launchdarkly.semanticpatch"


class Server:
    """A flag server in a thread; `http` sends alice's API token."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.credentials = CREDENTIALS
        self.origin = ""
        self.http = httpx.Client()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the block ends; again on the same port when called again."""
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        thread.start()
        assert ready.wait(PATIENCE), "the flag server did not start"
        headers = {"Authorization": CREDENTIALS.tokens["alice"]}
        try:
            with httpx.Client(base_url=self.origin, headers=headers, timeout=PATIENCE) as self.http:
                yield
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(PATIENCE)
        self.settings = replace(self.settings, port=int(self.origin.rpartition(":")[2]))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with running_server(self.settings) as self.origin:
            ready.set()
            await self._stop.wait()

    def create(self, key: str, **fields: Any) -> dict[str, Any]:
        """A new flag, by REST: a boolean one that is off unless `fields` say otherwise."""
        return self._json(
            self.http.post("/api/v2/flags/cms", json={"key": key, "name": key, **fields}), 201
        )

    def migration(self, key: str) -> dict[str, Any]:
        return self.create(key, purpose="migration", migrationSettings={"stageCount": 6})

    def patch(
        self, key: str, *instructions: Mapping[str, Any], comment: str = ""
    ) -> dict[str, Any]:
        answer = self.http.patch(
            f"/api/v2/flags/cms/{key}",
            content=json.dumps(
                {
                    "environmentKey": CREDENTIALS.environment,
                    "instructions": instructions,
                    "comment": comment,
                }
            ),
            headers={"Content-Type": SEMANTIC},
        )
        return self._json(answer, 200)

    def get(self, key: str) -> dict[str, Any]:
        return self._json(self.http.get(f"/api/v2/flags/cms/{key}"), 200)

    @staticmethod
    def _json(answer: httpx.Response, status: int) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Until `condition` holds; fails after `PATIENCE` seconds."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        pause.wait(0.01)


@pytest.fixture(scope="session")
def wait() -> Callable[[Callable[[], bool], str], None]:
    return wait_until


@pytest.fixture(scope="session")
def credentials() -> Credentials:
    return CREDENTIALS


def settings_in(folder: Path) -> ServerSettings:
    file = folder / "credentials.json"
    file.write_text(CREDENTIALS.model_dump_json())
    return ServerSettings(port=0, database=folder / "flags.db", credentials=file)


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    """Of a server that has not started yet."""
    return settings_in(tmp_path)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for many tests, each of which keeps to a project of its own."""
    shared = Server(settings_in(tmp_path_factory.mktemp("shared-server")))
    with shared.running():
        yield shared


@pytest.fixture
def stopped(settings: ServerSettings) -> Server:
    """A server for tests that start and stop it themselves."""
    return Server(settings)


@pytest.fixture
def server(stopped: Server) -> Iterator[Server]:
    with stopped.running():
        yield stopped
