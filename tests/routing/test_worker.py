"""One worker process without a parent: it obeys orders, and refuses what cannot be."""

import asyncio
import contextlib
import errno
import json
import select
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from routing.key_files import make_decision_key

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Report = dict[str, Any]
MAX_LINE = 1024 * 1024


class Worker:
    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reports: asyncio.StreamReader,
        orders: asyncio.StreamWriter,
        port: int,
    ) -> None:
        self.process = process
        self.port = port
        """Of the edge."""
        self._reports = reports
        self._orders = orders

    def order(self, **order: Any) -> None:
        self._orders.write(json.dumps(order).encode() + b"\n")

    async def report(self) -> Report:
        """The next one."""
        async with asyncio.timeout(30):
            report: Report = json.loads(await self._reports.readline())
            return report

    async def leave(self) -> None:
        """Be gone with a report unread, as a parent is that was killed."""
        transport = self._orders.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        unread = select.poll()
        unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        await asyncio.to_thread(unread.poll, 30_000)
        transport.abort()

    async def ended(self) -> int:
        """Its exit code, once it ends without being told to."""
        async with asyncio.timeout(30):
            while await self._reports.readline():
                pass
            self._orders.close()
            return await self.process.wait()

    async def until(self, done: Callable[[Report], bool]) -> None:
        while not done(await self.report()):
            pass


@contextlib.asynccontextmanager
async def working(state: Path, environment: dict[str, str], **start: Any) -> AsyncIterator[Worker]:
    ours, theirs = socket.socketpair()
    with (
        theirs,
        socket.create_server(("127.0.0.1", 0)) as edge,
        socket.create_server(("127.0.0.1", 0)) as gateway,
        (state / "worker.log").open("ab") as log,
    ):
        edge.setblocking(False)
        gateway.setblocking(False)
        handles = [each.fileno() for each in (theirs, edge, gateway)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routing", str(theirs.fileno())),
            pass_fds=handles,
            env=environment,
            stderr=log,
        )
        sockets = {"edge": edge.fileno(), "gateway": gateway.fileno()}
        reports, orders = await asyncio.open_unix_connection(sock=ours, limit=MAX_LINE)
        worker = Worker(process, reports, orders, edge.getsockname()[1])
        worker.order(id=0, generation=1, flags_first=False, state=str(state), **sockets, **start)
        theirs.close()
        try:
            yield worker
        finally:
            if not orders.is_closing():
                worker.order(stop=True)
            async with asyncio.timeout(30):
                while await reports.readline():
                    pass
            orders.close()
            assert await process.wait() == 0


def in_force(*services: str) -> Callable[[Report], bool]:
    """Whether the service's endpoints are these, and the flag that of the first configuration."""

    def look(report: Report) -> bool:
        origins = {each["service"]: each["endpoints"] for each in report["endpoints"]}
        addresses = [each["address"] for each in origins["articles"]]
        return [*report["known"]] == ["publishing"] and addresses == [*services]

    return look


def test_orders(begin: Begin) -> None:
    one, two, three = (f"http://127.0.0.1:{port}" for port in (1, 2, 3))

    async def run() -> None:
        async with begin() as world:
            make_decision_key(world.folder)
            unreadable = {"https://127.0.0.1:4": {"ca": "/nowhere"}}
            good = {**world.config(origin_tls=unreadable), "services": {"articles": one}}
            capability = {
                "flag": "other",
                "routes": [{"path": "/articles/{id}", "service": "articles"}],
            }
            other = {**good, "capabilities": {"other": capability}, "services": {"articles": three}}
            route = capability["routes"][0]
            conflict = {"other": {**capability, "routes": [route, route]}}
            refused = [
                {**other, "decisions": {"key_file": "/nowhere"}},
                {**other, "capabilities": conflict},
                {**other, "workers": 0},
            ]
            async with working(
                world.folder, world.environment(), config=good, endpoints={"articles": [two]}
            ) as worker:
                await worker.until(in_force(two))
                for config in refused:
                    worker.order(config=config)
                worker.order(endpoints={"articles": [*unreadable]})
                worker.order(endpoints={"articles": [two, three], "unknown": [one]})
                await worker.until(in_force(two, three))
                worker.order(endpoints={})
                await worker.until(in_force(one))
                worker.order(config=other)
                await worker.until(lambda report: [*report["known"]] == ["other"])
            log = (world.folder / "worker.log").read_text()
            assert log.count("config.refused") == len(refused) + 1

    asyncio.run(run())


def test_a_parent_that_was_killed(begin: Begin, wait_until: Until) -> None:
    async def run() -> None:
        async with begin() as world:
            make_decision_key(world.folder)
            log = world.folder / "worker.log"

            async def noticed() -> bool:
                return "parent.gone" in log.read_text()

            async with working(
                world.folder, world.environment(), config=world.config(), endpoints={}
            ) as worker:
                await worker.report()
                await worker.leave()
                await wait_until(noticed)
                worker.process.send_signal(signal.SIGTERM)

    asyncio.run(run())


LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n"
REQUEST = b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n"


class TlsClient:
    """TLS by hand, because a client is to stop in the middle of it."""

    def __init__(
        self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._goes, server_hostname="a.test")

    def send(self, data: bytes) -> None:
        """Before the handshake."""
        self._writer.write(data)

    def greet(self) -> None:
        """Send the first message of the handshake."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        self._writer.write(self._goes.read())

    async def greeted(self) -> None:
        """The other side takes part."""
        self._came.write(await self._reader.readexactly(1))

    async def ask(self) -> bytes:
        """Finish the handshake; what comes back for a request until the end."""
        await self._through(self._tls.do_handshake)
        self._tls.write(REQUEST)
        answer = b""
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while data := await self._through(lambda: self._tls.read(65536)):
                answer += data
        self._writer.close()
        return answer

    async def _through(self, step: Callable[[], Any]) -> Any:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._writer.write(self._goes.read())
                data = await self._reader.read(65536)
                self._came.write(data) if data else self._came.write_eof()
            finally:
                self._writer.write(self._goes.read())


def test_who_has_not_quite_arrived_is_answered_before_the_end(begin: Begin, tmp_path: Path) -> None:
    """In the middle of the PROXY protocol's line, and in the middle of a TLS handshake."""
    authority = trustme.CA()
    issued = authority.issue_cert("a.test")
    files = {"certificate": tmp_path / "a.pem", "key": tmp_path / "a-key.pem"}
    files["key"].touch(mode=0o600)
    files["key"].write_bytes(issued.private_key_pem.bytes())
    files["certificate"].write_bytes(issued.cert_chain_pems[0].bytes())
    tls = {"certificates": [{name: str(path) for name, path in files.items()}]}
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def play(worker: Worker, line: bytes) -> None:
        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("127.0.0.1", worker.port)

        early, late = [TlsClient(context, *await connect()) for _ in range(2)]
        early.send(line[:10])
        late.send(line)
        late.greet()
        await late.greeted()  # so both have been accepted
        worker.order(retire=True)
        await worker.until(lambda report: not report["accepting"])
        early.send(line[10:])
        early.greet()
        for client in (early, late):
            answer = await asyncio.wait_for(client.ask(), 30)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nConnection: close\r\n" in answer
        assert await worker.ended() == 0

    async def run() -> None:
        async with begin() as world:
            for line in (LINE, b""):
                state = world.folder / f"{len(line)}"
                state.mkdir()
                make_decision_key(state)
                config = world.config(
                    listen={"port": 0, "tls": tls, "proxy_protocol": bool(line)},
                    trusted=["127.0.0.1"],
                    timeouts={"header": 30.0, "drain": 30.0},
                )
                async with working(
                    state, world.environment(), config=config, endpoints={}
                ) as worker:
                    await play(worker, line)

    asyncio.run(run())


WEBSOCKET = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_a_stop(begin: Begin, wait_until: Until) -> None:
    """Of a whole proxy, by SIGTERM, with everything that a connection may be in the middle of."""

    async def run() -> None:
        release = asyncio.Event()
        opened = contextlib.ExitStack()

        async def answers(head: bytes, reader: Any, writer: Any) -> None:
            if b"/ws" in head:
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\n"
                    + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                )
                while data := await reader.read(100):
                    writer.write(data)
                writer.close()
                return
            if b"/slow" in head:
                await release.wait()
            await world.old.echo(head, reader, writer)

        async with begin() as world, httpx.AsyncClient(trust_env=False) as http:
            world.old.answer = answers
            world.start_proxy(timeouts={"drain": 4.0})
            await world.ready(http)
            port = int(world.edge.rpartition(":")[2])

            async def sends(data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                """Returns once the origin has got it."""
                seen = len(world.old.seen)
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                opened.callback(writer.close)
                writer.write(data)
                async with asyncio.timeout(30):
                    while len(world.old.seen) == seen:
                        await asyncio.sleep(0.01)
                return reader, writer

            idle, _ = await sends(REQUEST)
            assert (await idle.readuntil(b"old 0")).startswith(b"HTTP/1.1 200 ")
            slow, _ = await sends(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            chunks = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
            upload, rest = await sends(b"POST /up HTTP/1.1\r\nHost: a\r\n" + chunks)
            tunnel, writer = await sends(WEBSOCKET)
            assert (await tunnel.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")

            world.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(idle.read(), 30) == b""

            async def refuses() -> bool:
                with socket.socket() as knocking:
                    return knocking.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED

            await wait_until(refuses)
            rest.write(b"2\r\nde\r\n0\r\n\r\n")
            release.set()
            for reader, body in ((upload, b"old 5"), (slow, b"old 0")):
                answer = await asyncio.wait_for(reader.read(), 30)
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert b"\r\nConnection: close\r\n" in answer
                assert answer.endswith(b"\r\n\r\n" + body)
            writer.write(b"still here")
            assert await tunnel.readexactly(10) == b"still here"
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(tunnel.read(), 30)
            assert await asyncio.to_thread(world.process.wait, 30) == 0
            opened.close()

    asyncio.run(run())
