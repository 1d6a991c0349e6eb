"""Posts events to the flag server as LaunchDarkly's SDKs do: a few seconds' worth at once.

An event that cannot be delivered at the second try is dropped with a log line, as SDKs do: counts
are not worth the memory of a long outage. Never raises for what the network does.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

logger = logging.getLogger(__name__)

TIMEOUT: Final = 3.0
"""Seconds for one try."""
PAUSE: Final = 1.0
"""Seconds before the second try."""
SCHEMA: Final = "4"


class EventSender:
    """Use as an async context manager."""

    def __init__(self, events_uri: str, sdk_key: str) -> None:
        self._url = f"{events_uri}/bulk"
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT,
            headers={
                "Authorization": sdk_key,
                "User-Agent": "migrator-proxy",
                "X-LaunchDarkly-Event-Schema": SCHEMA,
            },
        )

    async def __aenter__(self) -> "EventSender":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Deliver `events` once: a repeated try has the same payload id and counts once."""
        headers = {"X-LaunchDarkly-Payload-ID": str(uuid.uuid4())}
        why = await self._try(events, headers)
        if why is not None:
            await asyncio.sleep(PAUSE)
            why = await self._try(events, headers)
        if why is not None:
            logger.warning("events.dropped to %s: %s", self._url, why)

    async def _try(
        self, events: Sequence[Mapping[str, Any]], headers: Mapping[str, str]
    ) -> str | None:
        """None if it was delivered, else why not."""
        try:
            answer = await self._http.post(self._url, json=events, headers=headers)
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__
        return None if answer.is_success else f"status {answer.status_code}"
