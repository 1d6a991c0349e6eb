"""Traces of the collector's file exporter."""

import json
from typing import Any

import pytest

from migrator.discover.otlp import Traces
from migrator.discover.request import Malformed, Request


def parse(text: str) -> list[Request]:
    return Traces().parse(text)


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


def child(id: str, parent: str, **attributes: object) -> dict[str, Any]:
    return {**span(3, **attributes), "spanId": id, "parentSpanId": parent}


GET = span(2, http_request_method="POST", url_path="/a")
ROOT = GET["spanId"]
ORDERS = child("d1", "f1", db_collection_name="orders", db_operation_name="INSERT")


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([[child("f1", ROOT), ORDERS, GET]], id="one-line"),
        pytest.param([[GET, child("f1", ROOT), ORDERS]], id="any-order"),
        pytest.param([[ORDERS], [child("f1", ROOT)], [GET]], id="as-they-end"),
        pytest.param([[ORDERS, child("x", "x")], [child("f1", ROOT), GET]], id="circles"),
    ],
)
def test_tables_belong_to_the_request_above(lines: list[list[dict[str, Any]]]) -> None:
    traces = Traces()
    (request,) = [each for spans in lines for each in traces.parse(line(*spans))]
    assert request.tables == {"orders"}


def test_tables_of_two_servers_in_one_trace() -> None:
    inner = {**span(2, http_request_method="GET", url_path="/b"), "spanId": "s2"}
    inner["parentSpanId"] = ROOT
    (outer, within) = parse(line(GET, inner, child("d", "s2", db_statement="DELETE FROM stock")))
    assert not outer.tables
    assert within.tables == {"stock"}
