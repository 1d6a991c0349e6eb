"""The PROXY protocol: its header alone, and in front of requests."""

import asyncio
import json
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
import uvloop
from hypothesis import example, given
from hypothesis import strategies as st

from inline_proxy import InlineProxy, inline_proxy
from routing.config import parse_config
from routing.errors import BadProxyHeader, InvalidConfig
from routing.proxy_protocol import MAX_LINE, ProxyHeader

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V4 = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 4711, 80)
V6 = IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed + V4[-4:]
LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"
LONGEST = b"PROXY UNKNOWN %b %b 65535 65535\r\n" % ((b":".join([b"ffff"] * 8),) * 2)


def binary(
    command: int = 0x21, family: int = 0x11, rest: bytes = V4, length: int | None = None
) -> bytes:
    size = len(rest) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, size) + rest


HEADERS = {
    "v1-IPv4": (LINE, b"192.0.2.1"),
    "v1-IPv6": (b"PROXY TCP6 2001:DB8::1 2001:db8::2 0 65535\r\n", b"2001:db8::1"),
    "v1-mapped": (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", b"192.0.2.1"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1-longest": (LONGEST, None),
    "v2-IPv4": (binary(), b"192.0.2.1"),
    "v2-IPv6": (binary(family=0x21, rest=V6), b"2001:db8::1"),
    "v2-TLVs": (binary(rest=V4 + b"\x04\x00\x03abc" + b"\x01\x00\x02h2"), b"192.0.2.1"),
    "v2-local": (binary(command=0x20, family=0, rest=b""), None),
    "v2-local-with-address": (binary(command=0x20), None),
    "v2-local-of-any-family": (binary(command=0x20, family=0xFF), None),
    "v2-unspecified": (binary(family=0, rest=b"abc"), None),
    "v2-unix": (binary(family=0x31, rest=b"a" * 216), None),
    "v2-datagram": (binary(family=0x12), None),
    "v2-largest": (binary(rest=V4.ljust(65_535, b"\0")), b"192.0.2.1"),
}


@pytest.mark.parametrize("step", [3, 16, 100_000])
@pytest.mark.parametrize("name", HEADERS)
def test_headers(name: str, step: int) -> None:
    data, address = HEADERS[name]
    header = ProxyHeader()
    whole = data + b"GET / HTTP/1.1\r\n"
    position = 0
    while not header.done:
        position += header.feed(whole[position : position + step])
    assert (position, header.address) == (len(data), address)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", id="a-request"),
        pytest.param(b"\x16\x03\x01\x02\x00", id="TLS"),
        pytest.param(b"PROXI", id="another-word"),
        pytest.param(b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", id="lower-case"),
        pytest.param(LINE.replace(b" 80", b"  80"), id="two-spaces"),
        pytest.param(LINE.replace(b"\r\n", b" \r\n"), id="space-at-the-end"),
        pytest.param(LINE.replace(b"\r\n", b"\n"), id="bare-LF"),
        pytest.param(LINE.replace(b"4711", b"04711"), id="leading-zero"),
        pytest.param(LINE.replace(b"4711", b"65536"), id="port"),
        pytest.param(LINE.replace(b"0.2.1", b"00.2.1"), id="octal"),
        pytest.param(LINE.replace(b"192.0.2.2", b"192.0.2"), id="target"),
        pytest.param(LINE.replace(b"TCP4", b"TCP6"), id="family"),
        pytest.param(LINE.replace(b"TCP4", b"UDP4"), id="UDP"),
        pytest.param(b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", id="zone"),
        pytest.param(b"PROXY UNKNOWN" + b" " * MAX_LINE, id="long-line"),
        pytest.param(LONGEST.replace(b"\r\n", b"0\r\n"), id="one-byte-too-long"),
        pytest.param(b"\r\n\r\n\x00\r\nQUIX", id="signature"),
        pytest.param(binary(command=0x11), id="version-1"),
        pytest.param(binary(command=0x22), id="command"),
        pytest.param(binary(family=0x41), id="unknown-family"),
        pytest.param(binary(family=0x13), id="unknown-transport"),
        pytest.param(binary(length=11), id="short"),
        pytest.param(binary(family=0x21), id="short-for-IPv6"),
        pytest.param(binary(family=0x31, rest=b"a" * 215), id="short-for-unix"),
    ],
)
def test_refused(data: bytes) -> None:
    for step in (1, len(data)):
        with pytest.raises(BadProxyHeader):  # noqa: PT012 - where in the data does not matter
            header = ProxyHeader()
            for position in range(0, len(data), step):
                header.feed(data[position : position + step])


@given(st.ip_addresses(), st.integers(0, 65_535), st.booleans(), st.integers(1, 60))
@example(IPv6Address("::ffff:1.2.3.4"), 1, True, 7)
def test_what_is_written_is_read(
    client: IPv4Address | IPv6Address, port: int, text: bool, step: int
) -> None:
    if text:
        data = f"PROXY TCP{client.version} {client} {client} {port} 80\r\n".encode()
    else:
        family = 0x11 if client.version == 4 else 0x21
        data = binary(family=family, rest=client.packed * 2 + struct.pack("!HH", port, 80))
    header = ProxyHeader()
    position = 0
    while not header.done:
        position += header.feed(data[position : position + step])
    assert position == len(data)
    expected = getattr(client, "ipv4_mapped", None) or client
    assert header.address == str(expected).encode()


PIECES = st.sampled_from([SIGNATURE, b"PROXY ", b"TCP4 ", b"1.2.3.4 ", b"80", b"\r\n", b"!\x11"])


@given(st.lists(PIECES | st.binary(max_size=20), max_size=8).map(b"".join), st.integers(1, 40))
def test_any_bytes_are_a_header_wait_or_are_refused_however_they_come(
    data: bytes, step: int
) -> None:
    def fed(step: int) -> tuple[bool, bytes | None, int] | None:
        header = ProxyHeader()
        position = 0
        try:
            while not header.done and position < len(data):
                position += header.feed(data[position : position + step])
        except BadProxyHeader:
            return None
        return header.done, header.address, position

    assert fed(step) == fed(len(data) or 1)


def test_it_needs_trusted_peers() -> None:
    document = {"migration": "m", "gateway": {"port": 0}, "monolith": "http://a"}
    document["listen"] = {"port": 0, "proxy_protocol": True}
    with pytest.raises(InvalidConfig, match=r"listen\.proxy_protocol .* expected their networks"):
        parse_config(json.dumps(document), "routes.json")


REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LISTEN = {"port": 0, "proxy_protocol": True}


async def _tells(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An origin that answers with the request's head."""
    with suppress(asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
        await writer.drain()
    writer.close()


def test_in_front_of_requests() -> None:
    async def run() -> None:
        async with await asyncio.start_server(_tells, "127.0.0.1", 0) as origin:
            monolith = f"http://127.0.0.1:{origin.sockets[0].getsockname()[1]}"
            trusted = ["127.0.0.0/8", "192.0.2.1"]
            timeouts = {"header": 0.3}
            async with inline_proxy(
                monolith, listen=LISTEN, trusted=trusted, timeouts=timeouts
            ) as proxy:
                await headers_are_taken_off(proxy)
            async with inline_proxy(monolith, listen=LISTEN, trusted=["192.0.2.0/24"]) as proxy:
                assert await proxy.ask(LINE + REQUEST) == b"", "the peer is not trusted"

    uvloop.run(run())


NOBODY = [name for name, (_, address) in HEADERS.items() if address is None]


def test_nobody_is_counted_for_the_balancer() -> None:
    """A balancer that names nobody is a client like others, though its network is trusted."""

    async def run() -> None:
        async with await asyncio.start_server(_tells, "127.0.0.1", 0) as origin:
            monolith = f"http://127.0.0.1:{origin.sockets[0].getsockname()[1]}"
            async with inline_proxy(
                monolith,
                listen=LISTEN,
                trusted=["127.0.0.1", "192.0.2.1"],
                limits={"connections_per_client": 1},
            ) as proxy:
                _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(HEADERS[NOBODY[0]][0])
                while not proxy.proxy.clients:
                    await asyncio.sleep(0.01)
                for name in NOBODY:
                    told = await proxy.ask(HEADERS[name][0] + REQUEST)
                    assert told.startswith(b"HTTP/1.1 429 "), name
                assert (await proxy.ask(LINE + REQUEST)).startswith(b"HTTP/1.1 200 ")
                writer.close()

    uvloop.run(run())


async def headers_are_taken_off(proxy: InlineProxy) -> None:
    forged = REQUEST.replace(
        b"\r\n\r\n",
        b"\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"
        b"Forwarded: for=198.51.100.7\r\nX-Real-IP: 198.51.100.7\r\n\r\n",
    )
    for name, (data, address) in HEADERS.items():
        told = await proxy.ask(data + REQUEST)
        expected = address or b"127.0.0.1"
        assert b"\r\nX-Forwarded-For: %b\r\n" % expected in told, name
        told = await proxy.ask(data + forged)
        if address == b"192.0.2.1":
            # What the client behind the header says counts, for that client is trusted itself.
            assert b"\r\nX-Forwarded-For: 198.51.100.7, 192.0.2.1\r\n" in told, name
            assert b"\r\nX-Real-IP: 198.51.100.7\r\n" in told, name
        else:
            assert b"198.51.100.7" not in told, name
            assert b"\r\nX-Forwarded-For: %b\r\n" % expected in told, name
            assert b"\r\nX-Forwarded-Proto: http\r\n" in told, name

    for data in (REQUEST, b"PROXY nobody\r\n" + REQUEST, LINE[:-1] + b"x", LINE + LINE + REQUEST):
        told = await proxy.ask(data)
        assert told == b"" or told.startswith(b"HTTP/1.1 400 "), data
    assert await proxy.ask(LINE[:10]) == b"", "there is a limit to the time"

    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    for byte in LINE + REQUEST:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert b"\r\nX-Forwarded-For: 192.0.2.1\r\n" in await reader.read()
    writer.close()
