"""A real proxy whose connections have stand-ins for transports: bytes in, bytes out, no sockets.

Everything between the two ends is the product's own: what is found here holds for a running proxy.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proxy_in_process import NO_TRUST, evaluator
from routing.config import ProxyConfig
from routing.outcomes import Outcomes
from routing.proxy import Proxy
from routing.stages import Stage

CONFIG = ProxyConfig.model_validate(
    {"migration": "m", "listen": {"port": 0}, "gateway": {"port": 0}, "monolith": "http://old"}
)
PEER = "192.0.2.7"
"""Address of all origins, and of clients."""


class Wire(asyncio.Transport):
    """One end of a connection. `written` is what the proxy has said, `end` how it has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: str = PEER) -> None:
        super().__init__()
        self._peer = peer
        self._loop = loop
        self._protocol: asyncio.Protocol | None = None
        self._reading = True
        self._full = False
        self.closing = False
        self.narrow = False
        """Whether each write is more than the peer takes until `drain`."""
        self.written = b""
        self.end = ""
        """`closed`, `cut`, or nothing while it is open."""
        self.half_closed = False
        self.socket: socket.socket | None = None
        """Only its options are set."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": self.socket, "peername": (self._peer, 4711)}.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.end, "written after the end"
        assert not self.half_closed, "written after the end of this half"
        self.written += bytes(data)
        if self.narrow and not self._full:
            self.fill()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def is_closing(self) -> bool:
        return self.closing or bool(self.end)

    def is_reading(self) -> bool:
        return self._reading and not self.end

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def close(self) -> None:
        """With what is buffered it waits for the peer, as a socket does."""
        self.closing = True
        if not self._full:
            self._lose("closed")

    def abort(self) -> None:
        self._lose("cut")

    def fill(self) -> None:
        """The peer reads no more: what has been written is still buffered here."""
        assert self._protocol is not None
        self._full = True
        self._protocol.pause_writing()

    def drain(self) -> None:
        """The peer has read all."""
        assert self._protocol is not None
        self._full = self.narrow = False
        if self.closing:
            self._lose("closed")
        else:
            self._protocol.resume_writing()

    def receive(self, data: bytes) -> None:
        """The peer's bytes; lost if this end is closed."""
        assert self._reading, "the peer's bytes wait outside"
        if not self.end:
            assert self._protocol is not None
            self._protocol.data_received(data)

    def receive_end(self) -> None:
        """The peer says no more."""
        if not self.end:
            assert self._protocol is not None
            if not self._protocol.eof_received():
                self.close()

    def _lose(self, how: str) -> None:
        if not self.end:
            self.end = how
            assert self._protocol is not None
            self._loop.call_soon(self._protocol.connection_lost, None)


class WireLoop(asyncio.SelectorEventLoop):
    """Its connections to origins are wires, in `wires`."""

    def __init__(self) -> None:
        super().__init__()
        self.wires: list[Wire] = []
        self.refuses = False
        """Whether nobody listens at the origins."""

    async def create_connection(  # type: ignore[override]
        self, factory: Callable[[], asyncio.Protocol], *_: object, **__: object
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        if self.refuses:
            raise ConnectionRefusedError
        wire, protocol = Wire(self), factory()
        wire.set_protocol(protocol)
        self.wires.append(wire)
        return wire, protocol


class SocketlessProxy:
    """One worker."""

    def __init__(self, loop: WireLoop, config: ProxyConfig, stage: Stage) -> None:
        self._loop = loop
        self._folder = TemporaryDirectory()
        self.folder = Path(self._folder.name)
        """The proxy's state."""
        self.proxy = Proxy(
            config, NO_TRUST, evaluator(lambda: stage), Outcomes(), loop, self.folder
        )

    @property
    def origins(self) -> list[Wire]:
        """Connections to the origin, in the order of their opening."""
        return self._loop.wires

    def client(self, peer: str = PEER, *, edge: bool = True) -> Wire:
        """A new connection of a user, or at the gateway, that comes from the address `peer`."""
        wire = Wire(self._loop, peer)
        wire.set_protocol(self.proxy.edge() if edge else self.proxy.gateway())
        return wire

    def refuse(self) -> None:
        """Nobody listens at the origins from now on."""
        self._loop.refuses = True

    def pass_time(self, seconds: float) -> None:
        """That much later; everything happens that time alone brings about."""
        self.proxy.pass_time(self.proxy.now + seconds)
        self.settle()

    def settle(self) -> None:
        """Let the event loop do all that it has to do now."""
        for _ in range(3):
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    def close(self) -> None:
        self.proxy.stop()
        self.settle()
        self._loop.wires.clear()
        self._loop.refuses = False
        self._folder.cleanup()


@contextmanager
def socketless_proxy(
    config: ProxyConfig, stage: Stage = Stage.OFF
) -> Iterator[Callable[[], SocketlessProxy]]:
    """Makes proxies, one at a time, on one event loop. Every user has the stage `stage`."""
    loop = WireLoop()
    made: list[SocketlessProxy] = []

    def make() -> SocketlessProxy:
        while made:
            made.pop().close()
        made.append(SocketlessProxy(loop, config, stage))
        return made[-1]

    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    try:
        yield make
    finally:
        while made:
            made.pop().close()
        loop.close()
        assert not errors, errors


def asked(proxy: SocketlessProxy, request: bytes) -> tuple[Wire, Wire]:
    """A client that has asked, and the origin that has been asked."""
    client = proxy.client()
    client.receive(request)
    proxy.settle()
    return client, proxy.origins[-1]


def says(proxy: SocketlessProxy, peer: Wire, data: bytes) -> None:
    peer.receive(data)
    proxy.settle()
