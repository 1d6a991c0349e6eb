"""TLS towards users and origins, with certificates made for each test and real clients."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import uvloop
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from typer.testing import CliRunner

import routing.proxy
from inline_proxy import InlineProxy, inline_proxy
from migrator.cli import app
from routing import acceptor, tracing, upstreams
from routing.config import parse_config
from routing.errors import InvalidConfig
from routing.tls import check_files

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
PROXY = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n"
AUTHORITY = trustme.CA()


def pair(folder: Path, name: str, *identities: str, authority: trustme.CA = AUTHORITY) -> Any:
    """Files of a new certificate, as the configuration names them."""
    issued = authority.issue_cert(*identities)
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return {"certificate": str(certificate), "key": str(key)}


def trusting(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


async def opened(
    port: int, name: str | None, context: ssl.SSLContext, before: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TLS connection that asks for `name`; `before` goes ahead of the handshake."""
    if name is None:
        context.check_hostname = False
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(before)
    await writer.start_tls(context, server_hostname=name)
    return reader, writer


async def asked(
    port: int,
    name: str | None,
    context: ssl.SSLContext | None = None,
    before: bytes = b"",
    data: bytes = LAST,
) -> tuple[bytes, set[str]]:
    """The answer, and the names of the certificate."""
    reader, writer = await opened(port, name, context or trusting(), before)
    with contextlib.closing(writer):
        writer.write(data)
        told = await asyncio.wait_for(reader.read(), 20)
        return told, names_of(writer)


def names_of(writer: asyncio.StreamWriter) -> set[str]:
    shown = writer.get_extra_info("peercert")
    return {value for _, value in shown["subjectAltName"]}


async def _tells(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An origin that answers with the request's head."""
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
    writer.close()


@contextlib.asynccontextmanager
async def origin(
    secure: ssl.SSLContext | None = None, answer: Callable[..., Awaitable[None]] = _tells
) -> AsyncIterator[str]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=secure)
    async with server:
        scheme = "http" if secure is None else "https"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def playing(play: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(play(), 60)

    uvloop.run(bounded())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_name_decides_the_certificate(tmp_path: Path, version: ssl.TLSVersion) -> None:
    certificates = [
        pair(tmp_path, "first", "first.test"),
        pair(tmp_path, "exact", "www.example.org"),
        pair(tmp_path, "below", "*.example.org"),
        {**pair(tmp_path, "named", "a.named.test"), "names": ["*.named.test"]},
    ]

    async def play() -> None:
        listen = {"port": 0, "tls": {"certificates": certificates}}
        async with origin() as monolith, inline_proxy(monolith, listen=listen) as proxy:
            for name, shown in (
                ("first.test", "first.test"),
                ("www.example.org", "www.example.org"),
                ("other.example.org", "*.example.org"),
                ("a.named.test", "a.named.test"),
            ):
                told, names = await asked(proxy.port, name, trusting(version))
                assert names == {shown}
                assert b"\r\nX-Forwarded-Proto: https\r\n" in told
                assert b"; Max-Age=31536000; Secure\r\n" in told
            assert (await asked(proxy.port, None, trusting(version)))[1] == {"first.test"}
            with pytest.raises(ssl.SSLCertVerificationError):
                await asked(proxy.port, "unknown.test", trusting(version))

    playing(play)


def test_what_is_spoken(tmp_path: Path) -> None:
    tls = {"certificates": [pair(tmp_path, "a", "a.test")], "minimum": 1.3}

    async def play() -> None:
        listen = {"port": 0, "tls": tls}
        timeouts = {"header": 0.3}
        async with (
            origin() as monolith,
            inline_proxy(monolith, listen=listen, timeouts=timeouts) as proxy,
        ):
            context = trusting()
            context.set_alpn_protocols(["h2", "http/1.1"])
            _, writer = await opened(proxy.port, "a.test", context)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            writer.close()
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                await asked(proxy.port, "a.test", trusting(ssl.TLSVersion.TLSv1_2))
            assert b"HTTP" not in await proxy.ask(LAST), "no plain HTTP there"
            assert await proxy.ask(b"\x16\x03\x01") == b"", "there is a limit to the time"

    playing(play)


def test_a_new_limit_to_the_time_of_a_handshake(tmp_path: Path) -> None:
    listen = {"port": 0, "tls": {"certificates": [pair(tmp_path, "a", "a.test")]}}

    async def play() -> None:
        async with inline_proxy(
            "http://127.0.0.1:1", listen=listen, timeouts={"header": 3600}
        ) as proxy:
            proxy.apply(timeouts={"header": 0.1})
            assert await proxy.ask(b"\x16\x03\x01") == b""

    playing(play)


@pytest.mark.parametrize("before", [b"", PROXY])
def test_handshakes_are_connections(tmp_path: Path, before: bytes) -> None:
    """Those that are open count for the client's limit, and those that have failed do not."""
    tls = {"certificates": [pair(tmp_path, "a", "a.test")]}
    listen = {"port": 0, "tls": tls, "proxy_protocol": bool(before)}
    trusted = ["127.0.0.1"] if before else []

    async def play() -> None:
        async with (
            origin() as monolith,
            inline_proxy(
                monolith, listen=listen, trusted=trusted, limits={"connections_per_client": 2}
            ) as proxy,
        ):

            async def served() -> bool:
                with contextlib.suppress(ssl.SSLError, ConnectionError):
                    told, _ = await asked(proxy.port, "a.test", before=before)
                    return told.startswith(b"HTTP/1.1 200 ")
                return False

            async def gone() -> None:
                while proxy.proxy.occupied:
                    await asyncio.sleep(0.01)

            for _ in range(3):
                assert b"HTTP" not in await proxy.ask(before + LAST), "it fails"
                await gone()
            assert await served()
            await gone()
            waiting = []
            for _ in range(2):
                _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(before)
                waiting.append(writer)
            while len(proxy.proxy.arriving) < 2:
                await asyncio.sleep(0.01)
            assert await proxy.ask(before) == b"", "closed without an answer"
            assert not await served()
            waiting[0].close()
            while len(proxy.proxy.arriving) > 1:
                await asyncio.sleep(0.01)
            assert await served()
            waiting[1].close()

    playing(play)


@pytest.mark.parametrize("before", [b"", PROXY[:20], PROXY, PROXY + b"\x16\x03\x01"])
def test_who_has_not_quite_arrived_is_cut_at_a_stop(tmp_path: Path, before: bytes) -> None:
    """And gets nothing into a proxy that has stopped."""
    tls = {"certificates": [pair(tmp_path, "a", "a.test")]}
    listen = {"port": 0, "tls": tls, "proxy_protocol": bool(before)}

    async def play() -> None:
        async with inline_proxy(
            "http://127.0.0.1:1", listen=listen, trusted=["127.0.0.1"]
        ) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            with contextlib.closing(writer):
                writer.write(before)
                while not proxy.proxy.arriving:
                    await asyncio.sleep(0.01)
                proxy.proxy.stop()
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
                while proxy.proxy.occupied:
                    await asyncio.sleep(0.01)

    playing(play)


def test_ends(tmp_path: Path) -> None:
    """TLS has no half-closed connections: what ends on one side ends on both."""
    listen = {"port": 0, "tls": {"certificates": [pair(tmp_path, "a", "a.test")]}}

    async def play() -> None:
        async with (
            origin(answer=_tunnels) as monolith,
            inline_proxy(monolith, listen=listen, limits={"body": 10}) as proxy,
        ):
            long = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"
            told, _ = await asked(proxy.port, "a.test", data=long)
            assert told.startswith(b"HTTP/1.1 413 ")
            assert b"\r\nConnection: close\r\n" in told

            reader, writer = await opened(proxy.port, "a.test", trusting())
            writer.write(WEBSOCKET)
            told = await reader.readuntil(b"\r\n\r\n")
            assert told.startswith(b"HTTP/1.1 101 ")
            writer.write(b"ping")
            assert await reader.read() == b"ping, and the end"
            writer.close()
            _, writer = await opened(proxy.port, "a.test", trusting())
            writer.write(WEBSOCKET)
            writer.close()
            while proxy.proxy.clients:
                await asyncio.sleep(0.01)
            assert proxy.proxy.routing.unrouted.cell.errors == 0

    playing(play)


WEBSOCKET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def _tunnels(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An origin that becomes a tunnel, answers once and ends it."""
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n")
        writer.write(b"Upgrade: websocket\r\n\r\n")
        writer.write(await reader.readexactly(4) + b", and the end")
    writer.close()


def test_renewed_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """New connections see the new certificate, those that are open go on."""
    monkeypatch.setattr(acceptor, "LOOK_EVERY", 0.01)
    files = pair(tmp_path, "a", "old.test")
    key = Path(files["key"])
    good = key.read_bytes()
    listen = {"port": 0, "tls": {"certificates": [files]}}

    async def shown(proxy: InlineProxy) -> set[str]:
        return (await asked(proxy.port, None))[1]

    async def play() -> None:
        async with origin() as monolith, inline_proxy(monolith, listen=listen) as proxy:
            reader, writer = await opened(proxy.port, "old.test", trusting())
            await asyncio.to_thread(key.write_bytes, good[:-100])
            while "tls.certificates.refused listen.tls.certificates.0.key: " not in caplog.text:
                await asyncio.sleep(0.01)
            assert await shown(proxy) == {"old.test"}, "a wrong file changes nothing"
            pair(tmp_path, "a", "new.test")
            while await shown(proxy) != {"new.test"}:
                await asyncio.sleep(0.01)
            writer.write(LAST)
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
            writer.close()

    playing(play)


def showing(files: dict[str, str], version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client's context that has a certificate."""
    context = trusting(version)
    context.load_cert_chain(files["certificate"], files["key"])
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("required", [True, False])
def test_certificates_of_clients(
    tmp_path: Path, version: ssl.TLSVersion, required: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "LOOK_EVERY", 0.01)
    authority, other = trustme.CA(), trustme.CA()
    ca = tmp_path / "clients.pem"
    ca.write_bytes(authority.cert_pem.bytes())
    mine = pair(tmp_path, "mine", "alice@example.org", authority=authority)
    strange = pair(tmp_path, "strange", "alice@example.org", authority=other)
    tls = {
        "certificates": [pair(tmp_path, "a", "a.test"), pair(tmp_path, "b", "b.test")],
        "client_ca": str(ca),
        "client_certificate": "required" if required else "optional",
        "pass_client_certificate": True,
    }
    shown = ssl.PEM_cert_to_DER_cert(Path(mine["certificate"]).read_text())
    forging = LAST.replace(
        b"\r\n\r\n", b"\r\nClient-Cert: :forged:\r\nclient_cert: :forged:\r\n\r\n"
    )

    async def play() -> None:
        async with (
            origin() as monolith,
            inline_proxy(monolith, listen={"port": 0, "tls": tls}) as proxy,
        ):

            async def told(name: str, files: dict[str, str] | None) -> bytes:
                context = trusting(version) if files is None else showing(files, version)
                try:
                    return (await asked(proxy.port, name, context, data=forging))[0]
                except (ssl.SSLError, ConnectionError):
                    return b""

            field = b"\r\nClient-Cert: :%b:\r\n" % base64.b64encode(shown)
            for name in ("a.test", "b.test"):
                assert field in await told(name, mine), "whichever certificate the client asks for"
                assert not await told(name, strange)
                unknown = await told(name, None)
                assert unknown.startswith(b"HTTP/1.1 200 ") is not required
                assert b"forged" not in unknown
                assert b"Client-Cert" not in unknown
            await asyncio.to_thread(ca.write_bytes, other.cert_pem.bytes())
            while not await told("a.test", strange):
                await asyncio.sleep(0.01)
            assert not await told("b.test", mine), "authorities are read again"

    playing(play)


def test_certificates_of_clients_stay_here_unless_asked_for(tmp_path: Path) -> None:
    ca = tmp_path / "clients.pem"
    ca.write_bytes(AUTHORITY.cert_pem.bytes())
    mine = pair(tmp_path, "mine", "alice@example.org")
    tls = {"certificates": [pair(tmp_path, "a", "a.test")], "client_ca": str(ca)}

    async def play() -> None:
        async with (
            origin() as monolith,
            inline_proxy(monolith, listen={"port": 0, "tls": tls}) as proxy,
        ):
            told, _ = await asked(
                proxy.port, "a.test", showing(mine, ssl.TLSVersion.TLSv1_3), data=LAST
            )
            assert told.startswith(b"HTTP/1.1 200 ")
            assert b"Client-Cert" not in told

    playing(play)


def test_authorities_of_clients_that_cannot_be_read(tmp_path: Path) -> None:
    document = {"migration": "m", "gateway": {"port": 0}, "monolith": "http://a"}
    tls = {"certificates": [pair(tmp_path, "a", "a.test")], "client_ca": str(tmp_path / "none")}
    config = parse_config(
        json.dumps({**document, "listen": {"port": 0, "tls": tls}}), "routes.json"
    )
    with pytest.raises(
        InvalidConfig, match=r"^listen\.tls\.client_ca: .*/none has no certificates"
    ):
        check_files(config)


def test_behind_the_proxy_protocol(tmp_path: Path) -> None:
    tls = {"certificates": [pair(tmp_path, "a", "a.test")]}
    listen = {"port": 0, "proxy_protocol": True, "tls": tls}

    async def play() -> None:
        async with (
            origin() as monolith,
            inline_proxy(monolith, listen=listen, trusted=["127.0.0.1"]) as proxy,
        ):
            line = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n"
            told, names = await asked(proxy.port, "a.test", before=line)
            assert names == {"a.test"}
            assert b"\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n" in told
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                await asked(proxy.port, "a.test")

    playing(play)


def test_origins(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_bytes(AUTHORITY.cert_pem.bytes())
    strange = tmp_path / "strange.pem"
    strange.write_bytes(trustme.CA().cert_pem.bytes())
    mine = pair(tmp_path, "mine", "proxy.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("service.test").configure_cert(context)
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(strict)
    AUTHORITY.configure_trust(strict)
    strict.verify_mode = ssl.CERT_REQUIRED
    ca, name = {"ca": str(authority)}, {"server_name": "service.test"}

    async def status(monolith: str, tls: dict[str, Any]) -> bytes:
        origin_tls, timeouts = {monolith: tls}, {"retry": 0.05}
        async with inline_proxy(monolith, origin_tls=origin_tls, timeouts=timeouts) as proxy:
            return (await proxy.ask(LAST))[:12]

    async def play() -> None:
        async with origin(context) as plain, origin(strict) as wants_certificate:
            for monolith, tls, expected in (
                (plain, {**ca, **name}, b"200"),
                (plain, {"verify": False}, b"200"),
                (plain, ca, b"503"),
                (plain, {"ca": str(strange), **name}, b"503"),
                (plain, name, b"503"),
                (plain, {}, b"503"),
                (wants_certificate, {**ca, **mine}, b"200"),
                (wants_certificate, ca, b"50"),
            ):
                told = await status(monolith, tls)
                assert told.startswith(b"HTTP/1.1 " + expected), tls

    playing(play)


class RenewingOrigin:
    """An HTTPS origin that shows and wants certificates of one authority at a time."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self.writers: list[asyncio.StreamWriter] = []
        self.release = asyncio.Event()
        self.port = 0

    async def start(self, authority: trustme.CA) -> None:
        """On the port from before; those that are connected are cut."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        self.stop()
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=context, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if b"/slow" in head:
                    await self.release.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


def test_renewed_files_for_origins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a new configuration. What was connected by the former ones is used no more."""
    monkeypatch.setattr(routing.proxy, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(upstreams, "LOOK_EVERY", 0.0)
    old, new = trustme.CA(), trustme.CA()
    authority = tmp_path / "ca.pem"
    authority.write_bytes(old.cert_pem.bytes())
    files = pair(tmp_path, "mine", "proxy.test", authority=old)
    key = Path(files["key"])

    async def play() -> None:
        renewing = RenewingOrigin()
        await renewing.start(old)
        place = f"https://127.0.0.1:{renewing.port}"
        tls = {place: {"ca": str(authority), **files}}
        async with inline_proxy(place, origin_tls=tls, timeouts={"retry": 0.05}) as proxy:

            def renewals(outcome: str) -> int:
                return proxy.proxy.outcomes.document()["tls_renewals"][outcome]

            def connections(state: str) -> int:
                count: int = proxy.proxy.upstreams.document()[0]["endpoints"][0][state]
                return count

            async def answered(status: bytes, data: bytes = LAST) -> bool:
                return (await proxy.ask(data)).startswith(b"HTTP/1.1 " + status)

            assert await answered(b"200")
            await renewing.start(new)
            assert await answered(b"50")
            await asyncio.to_thread(key.write_bytes, b"broken")
            while f"tls.certificates.refused origin_tls.{place}.key: " not in caplog.text:
                await asyncio.sleep(0.01)
            assert renewals("refused") >= 1
            assert renewals("applied") == 0
            await renewing.start(old)
            while not await answered(b"200"):
                pass  # what cannot be read changes nothing

            await renewing.start(new)
            pair(tmp_path, "mine", "proxy.test", authority=new)
            authority.write_bytes(new.cert_pem.bytes())
            while not await answered(b"200"):
                pass

            slow = asyncio.create_task(proxy.ask(LAST.replace(b"/", b"/slow", 1)))
            while connections("active") < 1:
                await asyncio.sleep(0.01)
            assert await answered(b"200")
            assert connections("idle") == 1
            applied = renewals("applied")
            authority.write_bytes(new.cert_pem.bytes() + old.cert_pem.bytes())
            while connections("idle"):
                await asyncio.sleep(0.01)
            renewing.release.set()
            assert (await slow).startswith(b"HTTP/1.1 200 ")
            assert (connections("idle"), renewals("applied")) == (0, applied + 1)
        renewing.stop()

    playing(play)


def encrypted(key: Path) -> None:
    loaded = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda _, key: key.chmod(0o644), "is open to others .mode 0644.", id="mode"),
        pytest.param(lambda _, key: key.chmod(0o660), "is open to others", id="group-writes"),
        pytest.param(lambda _, key: key.unlink(), "a-key.pem cannot be read: No such", id="none"),
        pytest.param(lambda _, key: encrypted(key), "is encrypted", id="encrypted"),
        pytest.param(lambda _, key: key.write_text("x"), "is no private key in PEM", id="garbage"),
        pytest.param(
            lambda _, key: key.write_bytes(AUTHORITY.issue_cert("b.test").private_key_pem.bytes()),
            "does not belong to the certificate",
            id="another-key",
        ),
        pytest.param(lambda crt, _: crt.unlink(), r"a\.pem cannot be read", id="no-certificate"),
        pytest.param(lambda crt, _: crt.write_text("x"), "is no certificate in PEM", id="text"),
    ],
)
@pytest.mark.parametrize("place", ["listen.tls.certificates.0", "origin_tls.https://a.test"])
def test_files_that_cannot_be_used(
    tmp_path: Path, spoil: Callable[[Path, Path], object], words: str, place: str
) -> None:
    files = pair(tmp_path, "a", "a.test")
    spoil(Path(files["certificate"]), Path(files["key"]))
    document: dict[str, Any] = {"migration": "m", "gateway": {"port": 0}, "monolith": "http://a"}
    document["listen"] = {"port": 0}
    if place.startswith("listen"):
        document["listen"]["tls"] = {"certificates": [files]}
    else:
        document["origin_tls"] = {"https://a.test": files}
    with pytest.raises(InvalidConfig, match=rf"^{place}\.(certificate|key): {tmp_path}.*{words}"):
        check_files(parse_config(json.dumps(document), "routes.json"))


def test_spans_name_the_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "_exporter", lambda _: exporter)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)

    async def play() -> None:
        changes: dict[str, Any] = {
            "listen": {"port": 0, "tls": {"certificates": [pair(tmp_path, "a", "a.test")]}},
            "tracing": {"ratio": 1},
        }
        async with origin(context) as monolith:
            changes["origin_tls"] = {monolith: {"verify": False}}
            async with inline_proxy(monolith, **changes) as proxy:
                await asked(proxy.port, "a.test")
                proxy.proxy.watch.close(patience=10)
            client, server = (dict(span.attributes or {}) for span in exporter.get_finished_spans())
            assert server["url.scheme"] == "https"
            assert client["url.full"] == f"{monolith}/"

    playing(play)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"listen": {"port": 0, "tls": {"certificates": []}}}, "listen.tls.certificates: "),
        (
            {
                "listen": {
                    "port": 0,
                    "tls": {
                        "certificates": [{"certificate": "a", "key": "b"}],
                        "pass_client_certificate": True,
                    },
                }
            },
            "pass_client_certificate has no effect without client_ca",
        ),
        ({"origin_tls": {"https://a": {"key": "a.pem"}}}, "certificate and key belong together"),
        ({"origin_tls": {"https://a": {"ca": "a", "verify": False}}}, "ca has no effect"),
        ({"origin_tls": {"https://a": {"server_name": "a b"}}}, "server_name"),
    ],
)
def test_documents_that_are_refused(changes: dict[str, object], words: str) -> None:
    document = {"migration": "m", "gateway": {"port": 0}, "monolith": "http://a"}
    with pytest.raises(InvalidConfig, match=words):
        parse_config(json.dumps({**document, "listen": {"port": 0}, **changes}), "routes.json")


Begin = Callable[[], AbstractAsyncContextManager[Any]]


def test_a_running_proxy_with_curl_and_httpx(begin: Begin, free_port: int, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_bytes(AUTHORITY.cert_pem.bytes())
    files = pair(tmp_path, "a", "shop.test", "127.0.0.1")
    key = Path(files["key"])

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False) as http:
            world.start_proxy(free_port, listen={"port": 0, "tls": {"certificates": [files]}})
            await world.ready(http)
            port = world.edge.rpartition(":")[2]
            async with httpx.AsyncClient(trust_env=False, verify=trusting()) as secure:
                answer = await secure.post(
                    f"https://127.0.0.1:{port}/other", content=b"a" * 300_000
                )
                assert answer.text == "old 300000"
            process = await asyncio.create_subprocess_exec(
                *("curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", str(authority)),
                *("--resolve", f"shop.test:{port}:127.0.0.1", f"https://shop.test:{port}/other"),
                *("-w", " %{http_version} %{ssl_verify_result}"),
                stdout=asyncio.subprocess.PIPE,
            )
            told, _ = await process.communicate()
            assert told == b"old 0 1.1 0"

    asyncio.run(run())
    key.chmod(0o644)
    checked = CliRunner().invoke(app, ["proxy", "check", str(tmp_path / "routes.json")])
    assert "is open to others (mode 0644), expected 0600" in str(checked.exception)
