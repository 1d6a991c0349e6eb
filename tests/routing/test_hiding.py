"""What may be logged of queries and fields, and what may not."""

import pytest

from routing.hiding import Hiding, split_host


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("page=2&author=bob", "page=2&author=bob", id="harmless"),
        pytest.param("ACCESS_TOKEN=a&b=c", "ACCESS_TOKEN=REDACTED&b=c", id="token"),
        pytest.param("a=b&resetPassword=x=y", "a=b&resetPassword=REDACTED", id="password"),
        pytest.param("%74oken=a", "%74oken=REDACTED", id="hidden-name"),
        pytest.param("code=a&zipcode=b", "code=REDACTED&zipcode=b", id="whole-names"),
        pytest.param("X-Amz-Signature=a", "X-Amz-Signature=REDACTED", id="signature"),
        pytest.param("token", "token", id="no-value"),
        pytest.param("iban=DE1", "iban=REDACTED", id="configured"),
    ],
)
def test_queries(query: str, expected: str) -> None:
    assert Hiding(query=["iban"]).query(query.encode()) == expected.encode()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("authorization", "Bearer abc", "REDACTED", id="authorization"),
        pytest.param("cookie", "a=b; c=d=e;f", "a=REDACTED; c=REDACTED;REDACTED", id="cookie"),
        pytest.param("cookie", "nameless; a=b", "REDACTED; a=REDACTED", id="nameless-cookie"),
        pytest.param("x-session-token", "abc", "REDACTED", id="secret-by-its-name"),
        pytest.param("x-migrator-context", "abc", "REDACTED", id="context"),
        pytest.param("referer", "http://a/?token=b", "http://a/?token=REDACTED", id="referer"),
        pytest.param("x-internal", "abc", "REDACTED", id="configured"),
        pytest.param("accept", "*/*", "*/*", id="harmless"),
    ],
)
def test_fields(name: str, value: str, expected: str) -> None:
    assert Hiding(headers=["X-Internal"]).field(name.encode(), value.encode()) == expected.encode()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param(b"a", (b"a", b""), id="name"),
        pytest.param(b"a:80", (b"a", b"80"), id="port"),
        pytest.param(b"a:", (b"a", b""), id="empty-port"),
        pytest.param(b"[::1]", (b"[::1]", b""), id="address"),
        pytest.param(b"[::1]:80", (b"[::1]", b"80"), id="address-and-port"),
        pytest.param(b"", (b"", b""), id="empty"),
    ],
)
def test_hosts(host: bytes, expected: tuple[bytes, bytes]) -> None:
    assert split_host(host) == expected
