"""Secrets of the configuration: workers get them, nobody else."""

import json

import pytest
from pydantic import ValidationError

from routing.config import (
    REVEAL,
    Capability,
    FieldChanges,
    ProxyConfig,
    RouteRule,
    Tracing,
    parse_config,
)
from routing.config.secret import shown_field
from routing.errors import InvalidConfig
from routing.table import RouteTable, route_of

CONFIG = (
    '{"migration": "test", "listen": {"port": 0}, "gateway": {"port": 0}, '
    '"monolith": "http://127.0.0.1:1", "tracing": {"headers": {"X-Key": "%s"}}}'
)


def test_who_sees_it() -> None:
    config = parse_config(CONFIG % "very secret", "routes.json")
    shown = (config.model_dump_json(), str(config.model_dump()), repr(config), str(config))
    assert not any("very secret" in text for text in shown)
    revealed = config.model_dump(mode="json", context=REVEAL)
    assert revealed["tracing"]["headers"] == {"X-Key": "very secret"}
    assert type(config).model_validate(revealed) == config


@pytest.mark.parametrize("value", ["", "secret\\r\\nX: y", "secret ", "sécret"])
def test_what_is_no_value_of_a_field(value: str) -> None:
    with pytest.raises(InvalidConfig, match=r"routes\.json: tracing\.headers\.X-Key: ") as raised:
        parse_config(CONFIG % value, "routes.json")
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", "Bearer abc", "REDACTED"),
        ("Proxy-Authorization", "Basic abc", "REDACTED"),
        ("Cookie", "uid=abc", "REDACTED"),
        ("Set-Cookie", "uid=abc", "REDACTED"),
        ("X-Api-Key", "abc", "REDACTED"),
        ("X_Functions_Key", "abc", "REDACTED"),
        ("X-AUTH", "abc", "REDACTED"),
        ("X-Origin-Secret", "abc", "REDACTED"),
        ("X-Session-Token", "abc", "REDACTED"),
        ("X-Keyboard", "azerty", "azerty"),
        ("Accept-Language", "dé", "dé"),
        ("Cache-Control", "no-store", "no-store"),
    ],
)
def test_fields_that_are_secret_by_their_name(name: str, value: str, shown: str) -> None:
    assert shown_field(name, value) == shown
    changes = FieldChanges(set={name: value})
    added = FieldChanges(add={name: value})
    assert (changes.model_dump()["set"], added.model_dump()["add"]) == ({name: shown},) * 2
    assert FieldChanges.model_validate(changes.model_dump(context=REVEAL)) == changes


ROUTE = {
    "path": "/articles/{id}",
    "service": "articles",
    "headers": {"X-Api-Key": "abc-1", "X-Plan": "gold", "X-Token": True},
    "query": {"access_token": "abc-2", "page": "1"},
    "request_headers": {"set": {"Authorization": "Bearer abc-3"}},
    "response_headers": {"add": {"Set-Cookie": "uid=abc-4"}},
}


def test_a_route_shows_no_secret() -> None:
    document = json.loads(CONFIG % "k")
    check = {"path": "/readyz?token=abc-5"}
    document["services"] = {"articles": {"endpoints": ["http://a"], "health_check": check}}
    elsewhere = {"location": "https://b.test/*?sig=abc-6", "status": 308}
    redirect = {"path": "/old/*", "service": "articles", "redirect": elsewhere}
    document["capabilities"] = {"publishing": {"flag": "f", "routes": [ROUTE, redirect]}}
    config = parse_config(json.dumps(document), "routes.json")
    assert "abc" not in config.model_dump_json()
    rule, _ = config.capabilities["publishing"].routes
    shown = rule.model_dump(mode="json")
    assert shown["headers"] == {"X-Api-Key": "REDACTED", "X-Plan": "gold", "X-Token": True}
    assert shown["query"] == {"access_token": "REDACTED", "page": "1"}
    assert "abc" not in str(route_of(rule, "publishing", "f"))
    for_a_worker = config.model_dump(mode="json", context=REVEAL)
    assert [json.dumps(for_a_worker).count(f"abc-{number}") for number in range(1, 7)] == [1] * 6
    assert ProxyConfig.model_validate(for_a_worker) == config


def test_redact_names_more_of_them() -> None:
    document = json.loads(CONFIG % "k")
    document["redact"] = {"headers": ["X_Origin_Verify"], "query": ["iban"]}
    document["services"] = {"articles": "http://a"}
    rule = {
        "path": "/",
        "service": "articles",
        "query": {"my_iban": "abc"},
        "request_headers": {"set": {"X-Origin-Verify": "abc"}, "add": {"X-Key": "abc"}},
    }
    document["capabilities"] = {"publishing": {"flag": "f", "routes": [rule]}}
    document["context"] = {
        "key": [{"claim": "sub"}],
        "jwt": {"jwks": "https://a/?iban=abc", "issuer": "i", "audience": None},
    }
    config = parse_config(json.dumps(document), "routes.json")
    shown = config.shown()
    assert "abc" not in json.dumps(shown)
    assert shown["tracing"]["headers"] == {"X-Key": "REDACTED"}
    assert shown["context"]["jwt"]["jwks"] == "https://a/?iban=REDACTED"


def test_no_error_shows_a_secret() -> None:
    for wrong in (
        {"request_headers": {"set": {"Authorization": "abc\n"}}},
        {"headers": {"Authorization": "abc\n"}},
    ):
        rule = {"path": "/", "service": "articles", **wrong}
        with pytest.raises((ValidationError, InvalidConfig)) as raised:
            RouteTable({"c": Capability(flag="f", routes=(RouteRule.model_validate(rule),))})
        assert "RFC 9110, 5.5" in str(raised.value)
        assert "abc" not in str(raised.value)


def test_addresses_with_a_password_are_refused() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        Tracing(endpoint="http://me:password@collector:4318")
