"""Who a request is for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.config import ContextRules
from routing.context import CONTEXT_HEADER, COOKIE, ContextReader, parse_header, set_cookie

RULES = ContextRules.model_validate(
    {
        "key": [{"cookie": "uid"}, {"header": "x-user"}],
        "attributes": {"plan": {"header": "x-plan"}},
    }
)
READER = ContextReader(RULES)
MINTED = b"abcdefghijklmnopqrstuv"


def edge(fields: dict[bytes, bytes]) -> dict[str, object]:
    identity, _ = READER.at_edge(fields)
    return dict(READER.build(identity).document)


@pytest.mark.parametrize(
    ("fields", "document"),
    [
        pytest.param({b"cookie": b"a=1; uid=alice"}, {"key": "alice"}, id="cookie"),
        pytest.param({b"x-user": b"bob"}, {"key": "bob"}, id="header"),
        pytest.param(
            {b"x-user": b"bob", b"cookie": b"uid=alice"}, {"key": "alice"}, id="first-source-wins"
        ),
        pytest.param(
            {b"x-user": b"bob", b"x-plan": b"pro"}, {"key": "bob", "plan": "pro"}, id="attribute"
        ),
        pytest.param({b"cookie": b'uid="alice"'}, {"key": "alice"}, id="quoted-cookie"),
        pytest.param(
            {b"cookie": b"xuid=eve; uid=alice"}, {"key": "alice"}, id="whole-name-of-a-cookie"
        ),
        pytest.param(
            {b"cookie": COOKIE.encode() + b"=" + MINTED},
            {"key": MINTED.decode(), "anonymous": True},
            id="minted-earlier",
        ),
    ],
)
def test_at_the_edge(fields: dict[bytes, bytes], document: dict[str, object]) -> None:
    assert edge(fields) == {"kind": "user", **document}
    assert READER.at_edge(fields)[1] == b""


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="nobody"),
        pytest.param({b"x-user": b"a" * 2000}, id="too-long"),
        pytest.param({b"cookie": COOKIE.encode() + b"=short"}, id="not-an-id-of-ours"),
        pytest.param({CONTEXT_HEADER: b"eyJraW5kIjoidXNlciIsImtleSI6ImV2ZSJ9"}, id="forged-header"),
    ],
)
def test_an_id_is_minted(fields: dict[bytes, bytes]) -> None:
    identity, minted = READER.at_edge(fields)
    document = READER.build(identity).document
    assert document == {"kind": "user", "key": minted.decode(), "anonymous": True}
    cookie = set_cookie(minted).decode()
    assert f"{COOKIE}={minted.decode()};" in cookie
    assert "HttpOnly; SameSite=Lax" in cookie
    again = {b"cookie": COOKIE.encode() + b"=" + minted}
    assert READER.at_edge(again) == (identity, b"")


def test_at_the_gateway_the_header_counts_and_no_cookie() -> None:
    header = READER.build(READER.at_edge({b"x-user": b"alice"})[0]).header
    fields = {CONTEXT_HEADER: header, b"cookie": b"uid=eve"}
    assert READER.build(READER.at_gateway(fields)).document["key"] == "alice"
    nobody = READER.build(READER.at_gateway({b"cookie": b"uid=eve"})).document
    assert (nobody["key"], nobody["anonymous"]) == ("gateway", True)


@given(st.text(min_size=1, max_size=40), st.text(max_size=20))
def test_the_header_carries_the_context(key: str, plan: str) -> None:
    fields = {b"x-user": key.encode().replace(b"\x00", b""), b"x-plan": plan.encode()}
    fields[b"x-plan"] = fields[b"x-plan"].replace(b"\x00", b"")
    context = READER.build(READER.at_edge(fields)[0])
    assert parse_header(context.header) == context.document


@given(st.binary(max_size=100))
def test_any_header_is_a_context_or_nothing(value: bytes) -> None:
    document = parse_header(value)
    assert document is None or isinstance(document["kind"], str)


def test_a_deep_header_is_refused() -> None:
    import base64

    deep: object = "x"
    for _ in range(20):
        deep = {"a": deep}
    raw = json.dumps({"kind": "user", "key": "k", "deep": deep}).encode()
    assert parse_header(base64.urlsafe_b64encode(raw)) is None
