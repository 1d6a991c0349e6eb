"""Opens connections to one origin, with TLS where its URL says https."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from routing.config import OriginTls, address_of

P = TypeVar("P", bound=asyncio.BaseProtocol)
logger = logging.getLogger("routing.dial")


class Dialler:
    """`tls`: what differs from the defaults for an `https` origin."""

    def __init__(self, url: str, tls: OriginTls | None, loop: asyncio.AbstractEventLoop) -> None:
        """Raises InvalidConfig for files that cannot be used."""
        self._url = url
        self._host, self._port = address_of(url)
        self._loop = loop
        self._complaint = ""
        self._secure: dict[str, Any] = {}
        if url.startswith("https:"):
            from routing.tls import origin_context

            tls = tls or OriginTls()
            self._secure["ssl"] = origin_context(tls, f"origin_tls.{url}")
            self._secure["server_hostname"] = tls.server_name or self._host

    async def __call__(self, protocol: Callable[[], P]) -> tuple[asyncio.Transport, P]:
        """A new connection. Raises OSError, also for a certificate that is not accepted."""
        try:
            made = await self._loop.create_connection(
                protocol, self._host, self._port, **self._secure
            )
        except UnicodeError as exc:
            raise OSError(f"{self._host!r} is no host name") from exc
        except ssl.SSLError as exc:
            if str(exc) != self._complaint:
                self._complaint = str(exc)
                logger.warning("origin.tls.failed %s: %s", self._url, exc)
            raise
        self._complaint = ""
        return made
