"""A proxy in the test's own process: no workers, no flag server; every flag has one stage."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from proxy_in_process import NO_TRUST, evaluator
from routing.acceptor import listen
from routing.config import ProxyConfig, parse_config
from routing.outcomes import Outcomes
from routing.proxy import Proxy
from routing.stages import Stage


class InlineProxy:
    """`port`: of the edge listener."""

    def __init__(self, proxy: Proxy, port: int, configure: Callable[..., ProxyConfig]) -> None:
        self.proxy = proxy
        self.port = port
        self._configure = configure

    def apply(self, **changes: object) -> None:
        """As a reload does."""
        self.proxy.apply(self._configure(**changes), NO_TRUST)

    async def ask(self, data: bytes) -> bytes:
        """What comes back for `data` until the connection closes; nothing if it is reset."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def inline_proxy(
    monolith: str, stage: Stage = Stage.OFF, **changes: object
) -> AsyncIterator[InlineProxy]:
    """A proxy before `monolith` with `changes` in its configuration."""
    document = {
        "migration": "test",
        "listen": {"port": 0},
        "gateway": {"port": 0},
        "monolith": monolith,
        **changes,
    }

    def configure(**more: object) -> ProxyConfig:
        return parse_config(json.dumps({**document, **more}), "test")

    config = configure()
    folder = TemporaryDirectory()
    proxy = Proxy(
        config,
        NO_TRUST,
        evaluator(lambda: stage),
        Outcomes(),
        asyncio.get_running_loop(),
        Path(folder.name),
    )
    listener = socket.socket()
    listener.setblocking(False)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = await listen(proxy, listener, config.listen)
    try:
        yield InlineProxy(proxy, listener.getsockname()[1], configure)
    finally:
        server.close()
        proxy.stop()
        await proxy.copying.stop()
        while proxy.clients:
            await asyncio.sleep(0)
        folder.cleanup()
