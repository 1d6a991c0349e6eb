"""Lines of every format, and what is not one."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.discover.access_log import parse, time_of
from migrator.discover.request import Malformed, Request, path_of
from routing.access_log import AccessLines
from routing.hiding import Hiding

AT = datetime(2025, 10, 10, 11, 55, 36, tzinfo=UTC).timestamp()
COMMON = '10.0.0.7 - - [10/Oct/2025:13:55:36 +0200] "GET /articles/7?q=secret HTTP/1.1" 200 2326'


def read(line: str) -> Request:
    request = parse(line)
    assert request is not None
    return request


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(COMMON, ("GET", "/articles/7", 200, AT, None), id="common"),
        pytest.param(
            f'{COMMON} "https://a/?token=x" "Mozilla \\"5\\""',
            ("GET", "/articles/7", 200, AT, None),
            id="combined",
        ),
        pytest.param(
            f'{COMMON} "-" "curl" 0.012 "more"',
            ("GET", "/articles/7", 200, AT, None),
            id="combined-and-more",
        ),
        pytest.param(
            '::1 - ann smith [10/Oct/2025:11:55:36 +0000] "POST /a//b HTTP/1.0" - -',
            ("POST", "/a/b", None, AT, "ann smith"),
            id="user-with-a-space-and-no-status",
        ),
        pytest.param(
            '1.2.3.4 - - [10/Oct/2025:11:55:36 +0000] "GET http://host/x?y HTTP/1.1" 304 0',
            ("GET", "/x", 304, AT, None),
            id="absolute-form",
        ),
    ],
)
def test_common(line: str, expected: tuple[object, ...]) -> None:
    request = read(line)
    assert (request.method, request.path, request.status, request.at, request.user) == expected


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            {
                "timestamp": "2025-10-10T11:55:36.000Z",
                "http.request.method": "GET",
                "url.path": "/articles/7",
                "http.response.status_code": 200,
            },
            id="ours",
        ),
        pytest.param(
            {
                "@timestamp": "2025-10-10T13:55:36+02:00",
                "http": {"request": {"method": "GET"}, "response": {"status_code": 200}},
                "url": {"path": "/articles/7"},
            },
            id="elastic-common-schema",
        ),
        pytest.param(
            {
                "time_local": "10/Oct/2025:13:55:36 +0200",
                "request": "GET /articles/7?a=b HTTP/1.1",
                "status": "200",
            },
            id="nginx-request",
        ),
        pytest.param(
            {
                "msec": str(AT),
                "request_method": "GET",
                "request_uri": "/articles/7?a=b",
                "status": 200,
            },
            id="nginx-parts",
        ),
        pytest.param(
            {
                "ts": AT,
                "request": {"method": "GET", "uri": "/articles/7?a=b", "remote_ip": "10.0.0.7"},
                "status": 200,
            },
            id="caddy",
        ),
        pytest.param(
            {
                "start_time": "2025-10-10T11:55:36.000Z",
                "method": "GET",
                "path": "/articles/7?a=b",
                "response_code": 200,
            },
            id="envoy",
        ),
        pytest.param(
            {
                "StartUTC": "2025-10-10T11:55:36Z",
                "RequestMethod": "GET",
                "RequestPath": "/articles/7",
                "DownstreamStatus": 200,
            },
            id="traefik",
        ),
    ],
)
def test_json(document: dict[str, Any]) -> None:
    request = read(json.dumps(document))
    assert request[:4] == ("GET", "/articles/7", 200, AT)


def test_a_refusal_of_our_proxy_tells_of_no_request() -> None:
    lines = AccessLines((), Hiding())
    assert parse(lines.refusal(400, b"10.0.0.7", AT, edge=True)) is None


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('1.2.3.4 - - [10/Oct/2025:11:55:36 +0000] "-" 408 0', id="nothing-came"),
        pytest.param(
            '1.2.3.4 - - [10/Oct/2025:11:55:36 +0000] "\\x16\\x03" 400 0', id="tls-on-http"
        ),
        pytest.param(
            '1.2.3.4 - - [10/Oct/2025:11:55:36 +0000] "PROPFIND / HTTP/1.1" 405 0', id="webdav"
        ),
        pytest.param(
            '1.2.3.4 - - [10/Oct/2025:11:55:36 +0000] "OPTIONS * HTTP/1.1" 200 0', id="asterisk"
        ),
    ],
)
def test_well_formed_without_a_request(line: str) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("hello", id="words"),
        pytest.param('1.2.3.4 - - "GET / HTTP/1.1" 200 0', id="no-time"),
        pytest.param('1.2.3.4 - - [32/Oct/2025:11:55:36 +0000] "GET / HTTP/1.1" 200 0', id="day"),
        pytest.param('1.2.3.4 - - [10/Okt/2025:11:55:36 +0000] "GET / HTTP/1.1" 200 0', id="month"),
        pytest.param('1.2.3.4 - - [10/Oct/2025:11:55:36 +9999] "GET / HTTP/1.1" 200 0', id="zone"),
        pytest.param('{"a": ', id="cut-json"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"a":' * 100_000, id="deep-json"),
        pytest.param('{"level": "info", "message": "started secret"}', id="another-log"),
    ],
)
def test_malformed_never_says_what_was_there(line: str) -> None:
    with pytest.raises(Malformed, match="expected") as caught:
        parse(line)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param({"user.id": "a"}, {"user.id": "a", "client.address": "x"}, True, id="user"),
        pytest.param({"user.id": "a"}, {"user.id": "b"}, False, id="users"),
        pytest.param(
            {"session.id": "a", "user.id": "a"}, {"session.id": "b", "user.id": "a"}, False,
            id="session-before-user",
        ),
        pytest.param(
            {"client.address": "x", "user_agent.original": "m"},
            {"client.address": "x", "user_agent.original": "n"},
            False,
            id="browsers-behind-one-address",
        ),
    ],
)  # fmt: skip
def test_who(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    base = {"method": "GET", "path": "/", "status": 200}
    assert (read(json.dumps(base | one)).who == read(json.dumps(base | other)).who) is same


def test_nobody() -> None:
    assert read('- - - [10/Oct/2025:11:55:36 +0000] "GET / HTTP/1.1" 200 0').who is None


@pytest.mark.parametrize(
    "value",
    [
        AT, AT * 1e3, AT * 1e6, int(AT) * 10**9, str(AT), "2025-10-10T11:55:36",
        "2025-10-10T11:55:36Z", "2025-10-10 13:55:36+02:00",
    ],
)  # fmt: skip
def test_times(value: object) -> None:
    assert time_of(value) == pytest.approx(AT)


@pytest.mark.parametrize("value", [None, True, "", "soon", -1, 0, 1e30, float("nan"), "inf"])
def test_no_time(value: object) -> None:
    assert time_of(value) is None


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a/?b", "/a/"),
        ("//a///b", "/a/b"),
        ("/a#b", "/a"),
        ("https://h", "/"),
        ("*", None),
        ("host:443", None),
        ("/" + "a" * 3000, None),
    ],
)
def test_path_of(target: str, path: str | None) -> None:
    assert path_of(target) == path
