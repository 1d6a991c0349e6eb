"""Asks services that were switched off whether users may come back: real requests, off the tick.

A thin shell around HTTP; what the answers mean is decided elsewhere.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import httpx

TIMEOUT: Final = 2.0
"""Seconds for an answer."""


class Probes:
    """At most one for each service. `close` at the end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._healthy_since: dict[str, float] = {}

    def healthy_since(self, name: str) -> float | None:
        """Since when every answer was good; None if the newest one was not, or there is none."""
        return self._healthy_since.get(name)

    def start(self, name: str, url: str, interval: float) -> None:
        """Ask again and again, if that is not done already."""
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._ask(name, url, interval))

    def stop(self, name: str) -> None:
        """Ask no more, and forget what was said."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
        self._healthy_since.pop(name, None)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for name in list(self._tasks):
            self.stop(name)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, name: str, url: str, interval: float) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
            while True:
                if await _good(http, url):
                    self._healthy_since.setdefault(name, self._clock())
                else:
                    self._healthy_since.pop(name, None)
                await asyncio.sleep(interval)


async def _good(http: httpx.AsyncClient, url: str) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT), http.stream("GET", url) as answer:
            return answer.is_success
    except (TimeoutError, httpx.HTTPError):
        return False
