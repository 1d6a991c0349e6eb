"""Accepts the connections of users."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from routing.client_side import ClientConnection
from routing.config import Listen
from routing.errors import BadProxyHeader
from routing.listeners import BACKLOG
from routing.outcomes import Outcomes
from routing.proxy import Proxy
from routing.proxy_protocol import ProxyHeader

if TYPE_CHECKING:
    import ssl

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
        if how.proxy_protocol:
            return ArrivalListener(proxy, listener, None, header=True)
        return await proxy.loop.create_server(proxy.edge, sock=listener, backlog=BACKLOG)
    from routing.tls import ServerContext

    certificates = ServerContext(how.tls)
    secure = certificates.context
    server = ArrivalListener(proxy, listener, secure, header=how.proxy_protocol)
    return _Refreshing(server, certificates.refresh, proxy)


class _Refreshing:
    """A listener, and a regular look at its certificates."""

    def __init__(
        self, server: Listening, refresh: Callable[[Outcomes], object], proxy: Proxy
    ) -> None:
        self._server = server
        self._refresh = refresh
        self._proxy = proxy
        self._timer = proxy.loop.call_later(LOOK_EVERY, self._look)

    def close(self) -> None:
        self._timer.cancel()
        self._server.close()

    def _look(self) -> None:
        self._refresh(self._proxy.outcomes)
        self._timer = self._proxy.loop.call_later(LOOK_EVERY, self._look)


class ArrivalListener:
    """For connections that have something before their first request: the PROXY protocol's header
    (`header`), a TLS handshake (`secure`), or one after the other."""

    def __init__(
        self,
        proxy: Proxy,
        listener: socket.socket,
        secure: "ssl.SSLContext | None",
        *,
        header: bool,
    ) -> None:
        self._proxy = proxy
        self._secure = secure
        self._header = header
        self._loop = proxy.loop
        self._listener = listener
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
                connection, name = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._listener)
                self._resting = self._loop.call_later(REST, self._resume)
                return
            peer = name[0].encode()
            if self._header and not self._proxy.routing.trusted.includes(peer):
                connection.close()
                continue
            connection.setblocking(False)
            arrival = _Arrival(self._proxy, connection, peer, self._secure)
            if self._header:
                arrival.expect_header()
            else:
                arrival.connect(peer)


class _Arrival:
    """A connection that is not a client's yet. The proxy knows it meanwhile, for to drain is to
    wait for it, too."""

    __slots__ = ("_connection", "_header", "_loop", "_peer", "_proxy", "_secure", "_task", "_timer")

    _timer: asyncio.TimerHandle

    def __init__(
        self,
        proxy: Proxy,
        connection: socket.socket,
        peer: bytes,
        secure: "ssl.SSLContext | None",
    ) -> None:
        self._proxy = proxy
        self._loop = proxy.loop
        self._connection = connection
        self._peer = peer
        self._secure = secure
        self._header = ProxyHeader()
        self._task: asyncio.Task[None] | None = None
        """What comes after the header."""
        proxy.arriving.add(self)

    def expect_header(self) -> None:
        """Take the header off before there is a transport, so that not one byte of what follows
        has been read, be it a request or a TLS handshake."""
        patience = self._proxy.routing.timeouts.header
        self._timer = self._loop.call_later(patience, self._give_up)
        self._loop.add_reader(self._connection, self._readable)

    def connect(self, client: bytes, *, vouches: bool = True) -> None:
        """For `vouches` see `Visitor`."""
        protocol = self._proxy.edge(client, vouches=vouches)
        if self._secure is not None and not protocol.count():
            # Nothing can be said before a handshake, and that is what is not to be had for free.
            self._end()
            return
        self._task = self._loop.create_task(self._connect(protocol))
        self._task.add_done_callback(lambda _: self._settled(protocol))

    def abort(self) -> None:
        """Cut it."""
        if self._task is None:
            self._give_up()
        else:
            self._task.cancel()

    async def _connect(self, protocol: ClientConnection) -> None:
        secure: dict[str, Any] = {}
        if self._secure is not None:
            secure["ssl"] = self._secure
            secure["ssl_handshake_timeout"] = self._proxy.routing.timeouts.header
            secure["ssl_shutdown_timeout"] = LAST_WORDS
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(lambda: protocol, self._connection, **secure)

    def _settled(self, protocol: ClientConnection) -> None:
        """It is a client's connection now, or has ended: maybe before the task could begin."""
        if protocol in self._proxy.clients:
            self._proxy.arriving.discard(self)
        else:
            protocol.uncount()
            self._end()

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
            client = self._header.address
            self.connect(client or self._peer, vouches=client is not None)

    def _give_up(self) -> None:
        self._let_go()
        self._end()

    def _let_go(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._connection)

    def _end(self) -> None:
        self._connection.close()
        self._proxy.arriving.discard(self)
