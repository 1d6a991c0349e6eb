"""Whose a field is: what clients may not say, and what looks like it and is theirs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.field_names import MISREAD, OURS, REPLACED, VOUCHED, one_of
from routing.message import RequestReader

FORBIDDEN = """x-forwarded x-forwarded-for x-forwarded-port x-forwarded-prefix x-forwarded-ssl
    x-forwarded-client-cert x-forwarded-user x-real-ip x-client-ip x-cluster-client-ip client-ip
    true-client-ip cf-connecting-ip x-original-url x-original-forwarded-for x-rewrite-url x-host
    x-script-name x-envoy-external-address front-end-https client-cert client-cert-chain
    ssl-client-cert x-ssl-client-verify wl-proxy-client-ip""".split()
ALWAYS = "forwarded proxy transfer_encoding content_length x_migrator-context".split()
FREE = """x-forwarder x-forwardedfor x-real x-request-id x-original sslclient-cert
    client-certificate proxy-authorization x-user x-envoy front-end client user-agent
    sec-fetch-site""".split()


def forwarded(name: str, *, believed: bool) -> bool:
    """Whether a field with that name, however it is written, arrives."""
    reader = RequestReader(believed=believed)
    shapes = {name, name.upper(), name.title(), name.replace("-", "_")}
    found = set()
    for shape in shapes if name not in FREE else {name, name.title()}:
        head = reader.read(f"GET / HTTP/1.1\r\nHost: a\r\n{shape}: 4711\r\nX: y\r\n\r\n".encode())
        assert head is not None
        assert head.forward.startswith(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert head.forward.endswith(b"X: y\r\n")
        found.add(b"4711" in head.forward)
    (result,) = found
    return result


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_only_a_proxy_in_front_knows_is_believed_of_trusted_peers_alone(name: str) -> None:
    assert not forwarded(name, believed=False)
    if name not in ("x-forwarded-for",):
        assert forwarded(name, believed=True)


@pytest.mark.parametrize("name", ALWAYS)
def test_what_nobody_may_say(name: str) -> None:
    assert not forwarded(name, believed=False)
    assert not forwarded(name, believed=True)


@pytest.mark.parametrize("name", FREE)
def test_what_clients_may_say(name: str) -> None:
    assert forwarded(name, believed=False)


@pytest.mark.parametrize("name", ["X-Forwarded-User", "X-Forwarded-For", "X-Real-IP"])
@pytest.mark.parametrize("believed", [True, False])
def test_what_is_not_believed_is_not_looked_at_either(name: str, believed: bool) -> None:
    """A context that is made of it would be forged."""
    reader = RequestReader((name,), believed=believed)
    head = reader.read(f"GET / HTTP/1.1\r\nHost: a\r\n{name}: alice\r\n\r\n".encode())
    assert head is not None
    assert head.fields.get(name.lower().encode()) == (b"alice" if believed else None)
    if not believed:
        assert head.forward == b"GET / HTTP/1.1\r\nHost: a\r\n"


NAMES = st.sets(st.text("ab^-$|.", min_size=1, max_size=3), min_size=1, max_size=6)


@given(NAMES, st.text("ab^-$|.", max_size=4))
def test_one_of_is_an_alternation(names: set[str], name: str) -> None:
    found = re.compile(one_of(re.escape(each.encode()) for each in names)).fullmatch(name.encode())
    assert (found is not None) == (name in names)


@given(st.text("^-_$|.`~!#%&'*+ab0", min_size=1, max_size=3))
def test_any_name_can_be_looked_at(name: str) -> None:
    head = RequestReader((name,)).read(f"GET / HTTP/1.1\r\nHost: a\r\n{name}: y\r\n\r\n".encode())
    assert head is not None
    assert head.fields[name.encode()] == b"y"
    assert f"{name}: y\r\n".encode() in head.forward


def test_every_expression_begins_with_a_literal() -> None:
    """`one_of` depends on it."""
    for name in (OURS, *REPLACED, *MISREAD, *VOUCHED):
        assert name[:1].isalpha()
