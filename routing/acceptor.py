"""Accepts the connections of users."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from routing.config import Listen
from routing.errors import BadProxyHeader
from routing.listeners import BACKLOG
from routing.proxy import Proxy
from routing.proxy_protocol import ProxyHeader

MOST_AT_ONCE: Final = 64
"""Connections accepted before the loop turns to something else."""
REST: Final = 1.0
"""Seconds without accepting after the system refused another socket."""
PEEK: Final = 4096
LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether a certificate's file has changed."""
LAST_WORDS: Final = 2.0
"""Seconds for the orderly end of a TLS connection."""


class Listening(Protocol):
    def close(self) -> None:
        """Accept no more; what was accepted goes on."""


async def listen(proxy: Proxy, listener: socket.socket, how: Listen) -> Listening:
    """Serve what comes in at `listener`, which is bound already. Raises InvalidConfig for
    certificates that cannot be used."""
    if how.tls is None:
        return await _listen(proxy, listener, how, {})
    from routing.tls import ServerContext

    certificates = ServerContext(how.tls)
    secure = {
        "ssl": certificates.context,
        "ssl_handshake_timeout": proxy.routing.timeouts.header,
        "ssl_shutdown_timeout": LAST_WORDS,
    }
    server = await _listen(proxy, listener, how, secure)
    return _Refreshing(server, certificates.refresh, proxy.loop)


async def _listen(
    proxy: Proxy, listener: socket.socket, how: Listen, secure: Mapping[str, Any]
) -> Listening:
    if how.proxy_protocol:
        return ProxyProtocolListener(proxy, listener, secure)
    return await proxy.loop.create_server(proxy.edge, sock=listener, backlog=BACKLOG, **secure)


class _Refreshing:
    """A listener, and a regular look at its certificates."""

    def __init__(
        self, server: Listening, refresh: Callable[[], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._server = server
        self._refresh = refresh
        self._loop = loop
        self._timer = loop.call_later(LOOK_EVERY, self._look)

    def close(self) -> None:
        self._timer.cancel()
        self._server.close()

    def _look(self) -> None:
        self._refresh()
        self._timer = self._loop.call_later(LOOK_EVERY, self._look)


class ProxyProtocolListener:
    """Takes the PROXY protocol's header off each connection before there is a transport for it, so
    that not one byte of what follows has been read, be it a request or a TLS handshake. `secure`:
    further arguments of `connect_accepted_socket`."""

    def __init__(self, proxy: Proxy, listener: socket.socket, secure: Mapping[str, Any]) -> None:
        self._proxy = proxy
        self._secure = secure
        self._loop = proxy.loop
        self._listener = listener
        self._serving: set[asyncio.Task[object]] = set()
        self._resting: asyncio.TimerHandle | None = None
        self._resume()

    def close(self) -> None:
        """Accept no more; what was accepted goes on."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _resume(self) -> None:
        self._resting = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                connection, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._listener)
                self._resting = self._loop.call_later(REST, self._resume)
                return
            if not self._proxy.routing.trusted.includes(peer[0].encode()):
                connection.close()
                continue
            connection.setblocking(False)
            patience = self._proxy.routing.timeouts.header
            _Opening(self._loop, connection, patience, partial(self._serve, connection))

    def _serve(self, connection: socket.socket, address: bytes | None) -> None:
        task = self._loop.create_task(self._connect(connection, address))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _connect(self, connection: socket.socket, address: bytes | None) -> None:
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(
                lambda: self._proxy.edge(address), connection, **self._secure
            )


class _Opening:
    """A connection whose header has not arrived whole."""

    __slots__ = ("_connection", "_header", "_loop", "_serve", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        patience: float,
        serve: Callable[[bytes | None], None],
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._serve = serve
        self._header = ProxyHeader()
        self._timer = loop.call_later(patience, self._give_up)
        loop.add_reader(connection, self._readable)

    def _readable(self) -> None:
        try:
            data = self._connection.recv(PEEK, socket.MSG_PEEK)
            taken = self._header.feed(data)
            while taken:
                taken -= len(self._connection.recv(taken))
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, BadProxyHeader):
            self._give_up()
            return
        if not data:
            self._give_up()
        elif self._header.done:
            self._let_go()
            self._serve(self._header.address)

    def _give_up(self) -> None:
        self._let_go()
        self._connection.close()

    def _let_go(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._connection)
