"""A proxy in the test's own process: no workers, no flag server; every flag has one stage."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from ldclient import Context
from ldclient.evaluation import EvaluationDetail

from routing.acceptor import listen
from routing.config import parse_config
from routing.evaluator import Evaluator
from routing.outcomes import Outcomes
from routing.proxy import Proxy
from routing.signing import Keyrings
from routing.stages import Stage
from routing.trust import Trust


class _Client:
    """The SDK's client where every flag gives the same."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def variation_detail(self, flag: str, context: Context, default: str) -> EvaluationDetail:
        return EvaluationDetail(self._stage.value, 0, {"kind": "FALLTHROUGH"})


class _Store:
    """The SDK's store, which knows nothing of any flag."""

    initialized = True

    def get(self, kind: object, key: str, read: Callable[[object], object]) -> object:
        return read(None)


class InlineProxy:
    """`port`: of the edge listener."""

    def __init__(self, proxy: Proxy, port: int) -> None:
        self.proxy = proxy
        self.port = port

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
    config = parse_config(json.dumps(document), "test")
    evaluator = Evaluator(cast(Any, _Client(stage)), cast(Any, _Store()))
    folder = TemporaryDirectory()
    proxy = Proxy(
        config,
        Trust(Keyrings(decisions=None, overrides=None), None),
        evaluator,
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
        yield InlineProxy(proxy, listener.getsockname()[1])
    finally:
        server.close()
        proxy.stop()
        await proxy.copying.stop()
        while proxy.clients:
            await asyncio.sleep(0)
        folder.cleanup()
