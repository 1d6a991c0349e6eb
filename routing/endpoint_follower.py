"""Follows the stream of endpoints, and keeps what it said for a start without one.

The parent's, not each worker's: a proxy is one client of the stream however many workers it has, a
bad snapshot is refused in one place, and endpoints and configurations reach a worker in one order.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from random import random
from typing import Final

import httpx

from routing.config import EndpointStream, Located, ProxyConfig
from routing.config.urls import shown_url
from routing.endpoint_updates import MAX_EVENT, BadUpdate, kept, recalled, updated
from routing.errors import InvalidConfig
from routing.event_stream import EventReader, TooLong
from routing.flag_cache import write_atomically
from routing.outcomes import Outcomes

FILE: Final = "endpoints.json"
"""Its name in the proxy's state folder."""
MAX_TOKEN: Final = 4096
"""Bytes of the file."""
CONNECT: Final = 5.0
"""Seconds."""
SILENCE: Final = 60.0
"""Seconds without a byte after which the stream counts as broken."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts, less a random part."""

logger = logging.getLogger(__name__)


def pause(failures: int, draw: float) -> float:
    """Seconds before the next attempt after so many in vain, `draw` being from 0 to 1: the longest
    one doubles, and at least half of it is waited, so that many proxies come one after another."""
    return min(FIRST_PAUSE * 2.0 ** min(failures, 20), LONGEST_PAUSE) * (1 + draw) / 2


def check_token_file(stream: EndpointStream | None) -> None:
    """Raise InvalidConfig if the token cannot be read."""
    if stream is not None:
        try:
            _read_token(stream.token_file)
        except (OSError, ValueError) as error:
            raise InvalidConfig(f"endpoints.token_file: {error}") from None


def recall(state: Path, config: ProxyConfig) -> Located:
    """What a proxy kept in `state` for `config`; nothing where that cannot be used."""
    stream, path = config.endpoints, state / FILE
    if stream is None:
        return {}
    try:
        return recalled(path.read_bytes(), stream.url, config)
    except FileNotFoundError:
        return {}
    except (OSError, BadUpdate) as error:
        logger.warning("endpoints.not_recalled %s: %s", path, error)
        return {}


class EndpointFollower:
    """`run` is to run as long as the proxy serves."""

    def __init__(self, state: Path, config: Callable[[], ProxyConfig]) -> None:
        """`config` gives the one in force. Reads what was kept in `state`."""
        self.outcomes = Outcomes()
        self._streaming = False
        self._state = state
        self._config = config
        self._changed = asyncio.Event()
        self._stream = config().endpoints
        self.located = recall(state, config())

    @property
    def source(self) -> str:
        """Where the endpoints in force come from, one of `metrics.ENDPOINT_SOURCES`."""
        if self._streaming:
            return "stream"
        return "kept" if self.located else "configuration"

    def reconfigured(self) -> None:
        """The configuration is another one."""
        if self._config().endpoints != self._stream:
            self._changed.set()

    async def run(self, tell: Callable[[Located], None]) -> None:
        """Call `tell` at each change, until cancelled."""
        while True:
            self._changed.clear()
            following = asyncio.create_task(self._follow(tell))
            following.add_done_callback(_report)
            try:
                await self._changed.wait()
            finally:
                following.cancel()
                await asyncio.wait((following,))
                self._streaming = False
            self._stream = self._config().endpoints
            self.located = recall(self._state, self._config())
            tell(self.located)

    async def _follow(self, tell: Callable[[Located], None]) -> None:
        """Connect again and again."""
        stream = self._stream
        if stream is None:
            return
        failures = 0
        async with httpx.AsyncClient(
            timeout=httpx.Timeout(CONNECT, read=SILENCE), trust_env=False
        ) as http:
            while True:
                try:
                    async with contextlib.aclosing(_updates(http, stream)) as updates:
                        async for places in updates:
                            failures = 0
                            await self._obey(places, stream, tell)
                    why = "it has ended"
                except (BadUpdate, TooLong, UnicodeDecodeError) as error:
                    self.outcomes.count("endpoint_updates", "refused")
                    logger.error("endpoints.refused %s: %s", shown_url(stream.url), error)
                    why = "it said what is refused"
                except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
                    why = str(error) or type(error).__name__
                if not failures:
                    logger.warning("endpoints.not_followed %s: %s", shown_url(stream.url), why)
                self._streaming = False
                await asyncio.sleep(pause(failures, random()))  # noqa: S311 - no secret
                failures += 1

    async def _obey(
        self, places: Located, stream: EndpointStream, tell: Callable[[Located], None]
    ) -> None:
        if not self._streaming:
            logger.warning("endpoints.followed %s", shown_url(stream.url))
            self._streaming = True
        self.outcomes.count("endpoint_updates", "applied")
        if places != self.located:
            self.located = places
            tell(places)
            await asyncio.to_thread(self._keep, stream)

    def _keep(self, stream: EndpointStream) -> None:
        document = kept(self.located, stream.url, self._config())
        path = self._state / FILE
        try:
            write_atomically(path, json.dumps(document).encode())
        except OSError as error:
            logger.warning("endpoints.not_kept %s: %s", path, error)


async def _updates(http: httpx.AsyncClient, stream: EndpointStream) -> AsyncGenerator[Located]:
    """What is known after each event. Raises BadUpdate, TooLong, httpx.HTTPError,
    httpx.InvalidURL, OSError, ValueError."""
    headers = {
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
        "Authorization": f"Bearer {_read_token(stream.token_file)}",
        "Cache-Control": "no-store",
    }
    async with http.stream("GET", stream.url, headers=headers) as answer:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        if answer.status_code != 200 or kind != "text/event-stream":
            raise ValueError(
                f"status {answer.status_code} with {kind or 'no content type'}, "
                "expected 200 with text/event-stream"
            )
        reader, known = EventReader(MAX_EVENT), None
        async for content in answer.aiter_raw():
            for event in reader.feed(content):
                after = updated(known, event)
                if after is not None:
                    known = after
                    yield after


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("endpoints.follower.ended", exc_info=task.exception())


def _read_token(path: Path) -> str:
    """Raises OSError, and ValueError that does not tell what is in the file."""
    with path.open("rb") as file:
        text = file.read(MAX_TOKEN + 1).strip()
    if not text or len(text) > MAX_TOKEN or not all(0x21 <= each <= 0x7E for each in text):
        raise ValueError(f"{path}: expected one token of visible characters, of ASCII")
    return text.decode()
