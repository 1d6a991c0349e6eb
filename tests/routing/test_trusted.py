"""Who is believed about the client, and what origins are told."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, get_args

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.config import parse_config
from routing.config.peers import ForwardedStyle
from routing.errors import InvalidConfig
from routing.message import RequestReader
from routing.trusted import Trusted

NETWORKS = ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1")
X: ForwardedStyle = "x-forwarded"


@pytest.mark.parametrize(
    ("address", "believed"),
    [
        (b"10.1.2.3", True),
        (b"::ffff:10.1.2.3", True),
        (b"192.0.2.1", True),
        (b"192.0.2.2", False),
        (b"2001:db8::7", True),
        (b"2001:db9::7", False),
        (b"unknown", False),
        (b"", False),
        (b"10.1.2.3 ", False),
        (b"\xff", False),
    ],
)
def test_includes(address: bytes, believed: bool) -> None:
    trusted = Trusted(NETWORKS, X)
    assert trusted.includes(address) is believed
    assert trusted.includes(address) is believed, "what is remembered says the same"
    assert not Trusted((), X).includes(address)


@pytest.mark.parametrize("style", get_args(ForwardedStyle))
@pytest.mark.parametrize(
    ("chain", "client"),
    [
        pytest.param([], b"10.0.0.1", id="nobody-said-anything"),
        pytest.param([b"198.51.100.7"], b"198.51.100.7", id="one"),
        pytest.param([b"203.0.113.9", b"198.51.100.7", b"10.0.0.2"], b"198.51.100.7", id="forged"),
        pytest.param([b"10.0.0.3", b"10.0.0.2"], b"10.0.0.3", id="all-trusted"),
        pytest.param([b"198.51.100.7", b"unknown", b"10.0.0.2"], b"10.0.0.2", id="unknown"),
        pytest.param([b"198.51.100.7:4711", b"10.0.0.2:80"], b"198.51.100.7", id="ports"),
        pytest.param([b"[2001:DB9::1]:4711"], b"2001:db9::1", id="IPv6"),
    ],
)
def test_client(style: ForwardedStyle, chain: list[bytes], client: bytes) -> None:
    fields = {
        b"x-forwarded-for": b", ".join(chain),
        b"forwarded": b", ".join(b'for="%b"' % node for node in chain),
    }
    # The fields that are not believed in this style name somebody else.
    fields[b"x-forwarded-for" if style == "rfc7239" else b"forwarded"] = b"for=203.0.113.99"
    assert Trusted(NETWORKS, style).client(fields, b"10.0.0.1") == client


X_BEGUN = (
    b"X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.org\r\n"
)
BEGUN = b"Forwarded: for=192.0.2.9;proto=http;host=example.org\r\n"
SAID = {
    b"x-forwarded-for": b"198.51.100.7",
    b"x-forwarded-proto": b"https",
    b"x-forwarded-host": b"shop.example",
}
X_CONTINUED = (
    b"X-Forwarded-For: 198.51.100.7, 192.0.2.9\r\n"
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n"
)
CONTINUED = b"Forwarded: for=198.51.100.7, for=192.0.2.9;proto=http;host=example.org\r\n"


@pytest.mark.parametrize(
    ("style", "fields", "expected"),
    [
        ("x-forwarded", {}, X_BEGUN),
        ("rfc7239", {}, BEGUN),
        ("both", {}, X_BEGUN + BEGUN),
        ("x-forwarded", SAID, X_CONTINUED),
        ("x-forwarded", {b"forwarded": b"for=198.51.100.7"}, X_BEGUN + CONTINUED),
        ("x-forwarded", {b"forwarded": b'for="open'}, X_BEGUN + BEGUN),
        ("rfc7239", SAID, X_CONTINUED + BEGUN),
        ("rfc7239", {b"x-forwarded-proto": b"http"}, X_BEGUN + BEGUN),
        ("both", {**SAID, b"forwarded": b"for=198.51.100.7"}, X_CONTINUED + CONTINUED),
    ],
)
def test_continued(style: ForwardedStyle, fields: dict[bytes, bytes], expected: bytes) -> None:
    hop = (b"192.0.2.9", b"http", b"example.org")
    trusted = Trusted((), style)
    assert trusted.continued(fields, *hop) == expected
    if not fields:
        assert trusted.begun(*hop) == expected


@pytest.mark.parametrize(
    ("style", "fields", "scheme"),
    [
        pytest.param("x-forwarded", {}, b"http", id="nobody-said-anything"),
        pytest.param("x-forwarded", {b"x-forwarded-proto": b"https"}, b"https", id="said"),
        pytest.param("x-forwarded", {b"x-forwarded-proto": b"HTTPS , http"}, b"https", id="list"),
        pytest.param("x-forwarded", {b"forwarded": b"proto=https"}, b"http", id="other-field"),
        pytest.param("both", {b"x-forwarded-proto": b"https"}, b"https", id="both"),
        pytest.param("rfc7239", {b"x-forwarded-proto": b"https"}, b"http", id="not-written"),
        pytest.param("rfc7239", {b"forwarded": b"for=_a;proto=https"}, b"https", id="element"),
        pytest.param(
            "rfc7239",
            {b"forwarded": b"for=192.0.2.9;proto=https, for=10.0.0.2;proto=http"},
            b"https",
            id="the-client's-hop",
        ),
        pytest.param(
            "rfc7239",
            {b"forwarded": b"for=10.0.0.3;proto=https, for=192.0.2.9;proto=http"},
            b"http",
            id="forged",
        ),
        pytest.param("rfc7239", {b"forwarded": b'proto="open'}, b"http", id="not-valid"),
    ],
)
def test_scheme(style: ForwardedStyle, fields: dict[bytes, bytes], scheme: bytes) -> None:
    assert Trusted(NETWORKS, style).scheme(fields, b"http") == scheme


VALUES = st.text('0123456789abcdef.:[], \t;="\\forunknown_%', max_size=60).map(
    lambda text: text.strip().encode()
)


@given(VALUES, VALUES, st.sampled_from(get_args(ForwardedStyle)))
def test_whatever_is_said_the_client_is_an_address_and_the_lines_are_fields(
    chain: bytes, elements: bytes, style: ForwardedStyle
) -> None:
    fields = {b"x-forwarded-for": chain, b"forwarded": elements}
    trusted = Trusted(NETWORKS, style)
    assert set(trusted.client(fields, b"10.0.0.1")) <= set(b"0123456789abcdef.:")
    lines = trusted.continued(fields, b"10.0.0.1", b"http", b"a")
    assert RequestReader().read(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n") is not None


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "example.org", ""])
def test_no_network(network: str) -> None:
    document = {"migration": "m", "listen": {"port": 0}, "gateway": {"port": 0}}
    document |= {"monolith": "http://a", "trusted": [network]}
    with pytest.raises(InvalidConfig, match=r"trusted\.0: .* is not a network, expected"):
        parse_config(json.dumps(document), "routes.json")


Begin = Callable[[], AbstractAsyncContextManager[Any]]
ONLY_PROXIES_KNOW = {
    "X-Forwarded-Port": "4711",
    "X_Forwarded_Port": "4712",
    "X-Forwarded-Prefix": "/4711",
    "X-Real-IP": "4711",
    "X-Original-URL": "/4711",
    "Client-Cert": ":4711:",
}
FORGED = {
    "Proxy": "http://4712",
    "X-Forwarded-For": "198.51.100.7",
    "X_Forwarded_For": "198.51.100.8",
    "X-Forwarded-Proto": "https",
    "Forwarded": "for=198.51.100.7",
}


def test_a_running_proxy(begin: Begin, free_port: int) -> None:
    async def run() -> None:
        stranger = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with (
            begin() as world,
            httpx.AsyncClient(trust_env=False) as http,
            httpx.AsyncClient(trust_env=False, transport=stranger) as far,
        ):
            world.start_proxy(free_port, trusted=["127.0.0.1"])
            await world.ready(http)

            async def head(client: httpx.AsyncClient, origin: str) -> bytes:
                await client.get(f"{origin}/other", headers=FORGED | ONLY_PROXIES_KNOW)
                seen: bytes = world.old.seen[-1]
                assert b"198.51.100.8" not in seen, "an underscore is no way around"
                assert b"\r\nProxy:" not in seen
                return seen

            kept = await head(http, world.edge)
            assert kept.count(b"4711") == 5
            assert b"\r\nX-Forwarded-For: 198.51.100.7, 127.0.0.1\r\n" in kept
            assert b"\r\nX-Forwarded-Proto: https\r\n" in kept
            assert b"\r\nForwarded: for=198.51.100.7, for=127.0.0.1;proto=http;" in kept
            replaced = await head(far, world.edge)
            assert b"198.51.100.7" not in replaced
            assert b"4711" not in replaced
            assert b"\r\nX-Forwarded-For: 127.0.0.2\r\n" in replaced
            assert b"\r\nX-Forwarded-Proto: http\r\n" in replaced
            # At the gateway only services call.
            kept = await head(far, world.gateway)
            assert b"\r\nX-Forwarded-For: 198.51.100.7, 127.0.0.2\r\n" in kept
            assert kept.count(b"4711") == 5

    asyncio.run(run())
