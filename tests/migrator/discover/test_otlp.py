"""Traces of the collector's file exporter."""

import json
from typing import Any

import pytest

from migrator.discover.otlp import parse
from migrator.discover.request import Malformed


def line(*spans: dict[str, Any]) -> str:
    return json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": spans}]}]})


def span(kind: object = 2, **attributes: object) -> dict[str, Any]:
    return {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "kind": kind,
        "startTimeUnixNano": "1760097336000000000",
        "attributes": [
            {"key": key.replace("_", "."), "value": {"intValue" if isinstance(value, int) else
             "stringValue": str(value)}}
            for key, value in attributes.items()
        ],
    }  # fmt: skip


def test_a_servers_span() -> None:
    attributes = {"url_path": "/a/7", "http_route": "/a/{id}", "user_id": "ann"}
    described = span(**attributes, http_request_method="GET")
    described["attributes"].append(
        {"key": "http.response.status_code", "value": {"intValue": "503"}}
    )
    (request,) = parse(line(described))
    assert request[:4] == ("GET", "/a/7", 503, 1760097336.0)
    assert (request.route, request.user) == ("/a/{id}", "ann")
    assert request.trace is not None


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        pytest.param({"http_target": "/a/7?token=x"}, "/a/7", id="target"),
        pytest.param({"http_url": "http://h/a/7?token=x"}, "/a/7", id="url"),
        pytest.param({"http_route": "/a/{id}"}, "/a/{id}", id="only-the-route"),
    ],
)
def test_names_of_before(attributes: dict[str, str], path: str) -> None:
    (request,) = parse(line(span("SPAN_KIND_SERVER", http_method="POST", **attributes)))
    assert (request.method, request.path) == ("POST", path)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(span(3, http_method="GET", http_target="/"), id="client"),
        pytest.param(span(2, rpc_system="grpc"), id="no-http"),
        pytest.param({"kind": 2}, id="bare"),
        pytest.param({"kind": 2, "attributes": [None, {"key": "a"}, {"value": {}}]}, id="odd"),
    ],
)
def test_other_spans(other: dict[str, Any]) -> None:
    assert parse(line(other)) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"resourceSpans": 1}', '{"resourceMetrics":[]}'])
def test_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="expected"):
        parse(text)
