"""Opens connections to one origin, with TLS where its URL says https."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from routing.config import OriginTls, address_of
from routing.outcomes import Outcomes

if TYPE_CHECKING:
    from routing.tls import OriginContext

P = TypeVar("P", bound=asyncio.BaseProtocol)
logger = logging.getLogger("routing.dial")


class Dialler:
    """`tls`: what differs from the defaults for an `https` origin."""

    _files: "OriginContext | None"

    def __init__(self, url: str, tls: OriginTls | None, loop: asyncio.AbstractEventLoop) -> None:
        """Raises InvalidConfig for files that cannot be used."""
        self._url = url
        self._host, self._port = address_of(url)
        self._loop = loop
        self._complaint = ""
        self._files = None
        self._secure: dict[str, Any] = {}
        if url.startswith("https:"):
            from routing.tls import OriginContext

            tls = tls or OriginTls()
            self._files = OriginContext(tls, f"origin_tls.{url}")
            self._secure["ssl"] = self._files.context
            self._secure["server_hostname"] = tls.server_name or self._host

    def renew(self, outcomes: Outcomes) -> bool:
        """Let files that have been replaced count for new connections; whether there are any."""
        if self._files is None or not self._files.refresh(outcomes):
            return False
        self._secure["ssl"] = self._files.context
        return True

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
