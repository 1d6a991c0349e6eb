"""Which addresses are safe from others on the way, by the parser that is used to connect."""

import ipaddress

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from routing.config import REVEAL
from routing.config.urls import SafeUrl, check_url, shown_url


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example/keys",
        "https://issuer.example:8443/keys?p=sign_in",
        "https://[2001:db8::1]/keys",
        "http://localhost/keys",
        "http://localhost:8080",
        "http://127.0.0.1:80/keys",
        "http://127.9.9.9/",
        "http://[::1]:80/",
    ],
)
def test_accepted(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://issuer.example/keys", "https address, or http on loopback"),
        ("http://127.0.0.1.evil.example/", "https address, or http on loopback"),
        ("http://localhost.evil.example/", "https address, or http on loopback"),
        ("http://10.0.0.1/", "https address, or http on loopback"),
        ("ftp://localhost/", "https address, or http on loopback"),
        ("//localhost/", "https address, or http on loopback"),
        ("http://localhost:x@evil.example/", "without user and password"),
        ("http://localhost:80@evil.example/", "without user and password"),
        ("https://me:secret@issuer.example/", "without user and password"),
        ("http://localhost\\@evil.example/", "without user and password"),
        ("http://localhost\\.evil.example/", "a URL with a host"),
        ("http://localhost:evil/", "a URL with a host"),
        ("http://localhost:99999/", "a URL with a host"),
        ("http://local\thost/", "a URL with a host"),
        ("https:///keys", "a URL with a host"),
        ("https:/me:secret@issuer.example/", "a URL with a host"),
        ("https:\\\\me:secret@issuer.example/", "a URL with a host"),
        ("https://me:secret\u2100@issuer.example/", "a URL with a host"),
        ("https://[::1/me:secret@issuer.example/", "a URL with a host"),
        ("https://issuer.example/a b", "a URL with a host"),
    ],
)
def test_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        check_url(url)
    assert "secret" not in str(raised.value)


PIECES = (
    *("http://", "https://", "HTTP://", "localhost", "127.0.0.1", "[::1]", "::1", "evil.example"),
    *("@", ":", "80", "/", "//", "\\", "?", "#", "%40", "%2f", ".", "x", "\t", "[", "]", "é", "%"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.sampled_from(PIECES[:2]))
@example("localhost:x@evil.example/", "http://")
@example("localhost#@evil.example/", "http://")
def test_who_connects_reads_it_the_same_way(rest: str, scheme: str) -> None:
    """What is accepted leads httpx to this machine, or by TLS to wherever it says."""
    try:
        url = httpx.URL(check_url(scheme + rest))
    except (ValueError, httpx.InvalidURL):
        return
    assert not url.userinfo
    if url.scheme != "https":
        assert url.scheme == "http"
        assert url.host == "localhost" or ipaddress.ip_address(url.host).is_loopback


def test_a_secret_parameter_is_for_the_worker_alone() -> None:
    url = "https://issuer.example/keys?p=sign_in&api_key=abc"
    shown = "https://issuer.example/keys?p=sign_in&api_key=REDACTED"
    assert shown_url(url) == shown
    adapter = TypeAdapter(SafeUrl)
    assert adapter.dump_python(url) == shown
    assert adapter.dump_python(url, context=REVEAL) == url
