"""Routes that ask for host, header fields and query."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import FrameType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import routing.table
from routing.conditions import MAX_HOST, Details, parameters
from routing.config import Capability, RouteRule, parse_config
from routing.errors import InvalidConfig
from routing.lanes import Routing
from routing.message import RequestReader
from routing.outbox import Outbox
from routing.outcomes import Outcomes
from routing.stats import Stats
from routing.table import RouteTable
from routing.upstreams import Upstreams


@dataclass
class Request:
    host: bytes = b""
    fields: dict[bytes, bytes] = field(default_factory=dict)
    query: bytes = b""


def rule(path: str = "/x", **conditions: Any) -> RouteRule:
    return RouteRule(path=path, service=conditions.pop("service", "s"), **conditions)


def table(*rules: RouteRule) -> RouteTable:
    return RouteTable({f"c{n}": Capability(flag="f", routes=(one,)) for n, one in enumerate(rules)})


def chosen(
    routes: RouteTable, request: Details | None, path: bytes = b"/x", method: bytes = b"GET"
) -> int | None:
    """The number of the rule."""
    route = routes.match(method, path, request)
    return None if route is None else int(route.capability[1:])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param(b"a.example.org", 0, id="exact"),
        pytest.param(b"A.Example.ORG:8080", 0, id="case-and-port"),
        pytest.param(b"a.example.org.", 0, id="final-dot"),
        pytest.param(b"b.example.org", 1, id="wildcard"),
        pytest.param(b"b.c.example.org", 1, id="wildcard-many-labels"),
        pytest.param(b"b.deep.example.org", 2, id="longer-wildcard"),
        pytest.param(b"deep.example.org", 1, id="wildcard-is-not-the-domain-itself"),
        pytest.param(b"example.org", 4, id="no-label-before-the-domain"),
        pytest.param(b".example.org", 4, id="empty-label"),
        pytest.param(b"[::1]:8080", 3, id="ipv6"),
        pytest.param(b"", 4, id="no-host"),
        pytest.param(b"x." * MAX_HOST + b"example.org", 4, id="too-long"),
    ],
)
def test_hosts(host: bytes, expected: int) -> None:
    routes = table(
        rule(host="a.Example.org"),
        rule(host="*.example.org"),
        rule(host="*.deep.example.org"),
        rule(host="[::1]"),
        rule(),
    )
    assert chosen(routes, Request(host)) == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(Request(fields={b"x-a": b"1", b"x-b": b""}), 0, id="most-conditions"),
        pytest.param(Request(fields={b"x-a": b"1"}), 1, id="value-before-presence"),
        pytest.param(Request(fields={b"x-a": b"2"}), 2, id="presence"),
        pytest.param(Request(fields={b"x-a": b"1, 1"}), 2, id="repeated"),
        pytest.param(Request(b"h", {b"x-a": b"1"}), 3, id="host-before-conditions"),
        pytest.param(Request(), 4, id="none-holds"),
        pytest.param(None, 4, id="nothing-known"),
    ],
)
def test_headers(request_: Request | None, expected: int) -> None:
    routes = table(
        rule(headers={"X-A": "1", "X-B": True}),
        rule(headers={"x-a": "1"}),
        rule(headers={"x-a": True}),
        rule(host="h"),
        rule(),
    )
    assert chosen(routes, request_) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(b"v=2&w", 0, id="most-conditions"),
        pytest.param(b"v=2&v=3", 1, id="first-of-repeated-counts"),
        pytest.param(b"v=3&v=2", 2, id="second-does-not"),
        pytest.param(b"%76=%32", 1, id="escapes"),
        pytest.param(b"V=2", 3, id="names-have-case"),
        pytest.param(b"", 3, id="no-query"),
    ],
)
def test_query(query: bytes, expected: int) -> None:
    routes = table(
        rule(query={"v": "2", "w": True}),
        rule(query={"v": "2"}),
        rule(query={"v": True}),
        rule(),
    )
    assert chosen(routes, Request(query=query)) == expected


def test_what_does_not_hold_gives_way() -> None:
    """To the next method, then to the next template."""
    routes = table(
        rule("/a/b", methods=("GET",), headers={"x": "1"}),
        rule("/a/b", query={"q": True}),
        rule("/a/{id}", host="h"),
        rule("/*"),
    )
    cases: list[tuple[Request, bytes, int]] = [
        (Request(b"h", {b"x": b"1"}, b"q"), b"GET", 0),
        (Request(b"h", {b"x": b"1"}, b"q"), b"HEAD", 0),
        (Request(b"h", {b"x": b"1"}, b"q"), b"PUT", 1),
        (Request(b"h", {}, b"q"), b"HEAD", 1),
        (Request(b"h", {b"x": b"1"}), b"PUT", 2),
        (Request(), b"GET", 3),
    ]
    assert [chosen(routes, r, b"/a/b", method) for r, method, _ in cases] == [
        expected for _, _, expected in cases
    ]


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param((rule(host="a.b"), rule(host="A.B")), id="hosts-that-differ-in-case"),
        pytest.param((rule(host="*.b"), rule(host="*.B")), id="wildcards"),
        pytest.param((rule(headers={"x": "1"}), rule(headers={"X": "1"})), id="same-header"),
        pytest.param((rule(headers={"x": "1"}), rule(headers={"y": "1"})), id="other-header"),
        pytest.param((rule(headers={"x": "1"}), rule(query={"x": "1"})), id="header-and-query"),
        pytest.param((rule(query={"x": True}), rule(query={"y": True})), id="presence"),
        pytest.param(
            (rule(query={"x": "1", "y": True}), rule(query={"x": True, "y": "1"})),
            id="value-and-presence-crossed",
        ),
        pytest.param((rule(host="a:80"),), id="host-with-port"),
        pytest.param((rule(host="a.*"),), id="asterisk-at-the-end"),
        pytest.param((rule(host="*"),), id="asterisk-alone"),
        pytest.param((rule(host=""),), id="no-host"),
        pytest.param((rule(headers={"Host": "a"}),), id="host-as-header"),
        pytest.param((rule(headers={"x": "1", "X": "2"}),), id="header-twice"),
        pytest.param((rule(headers={"x": " 1"}),), id="value-no-field-has"),
    ],
)
def test_bad_tables(rules: tuple[RouteRule, ...]) -> None:
    with pytest.raises(InvalidConfig) as caught:
        table(*rules)
    assert all(f"c{number}: * /x" in str(caught.value) for number in range(len(rules)))


def test_values_that_exclude_each_other_are_no_conflict() -> None:
    routes = table(rule(headers={"x": "1"}, query={"q": "1"}), rule(headers={"x": "2", "y": "1"}))
    assert chosen(routes, Request(fields={b"x": b"2", b"y": b"1"}, query=b"q=1")) == 1
    assert chosen(routes, Request(fields={b"x": b"1", b"y": b"1"}, query=b"q=1")) == 0


def test_parameters() -> None:
    assert parameters(b"a=1+2&&b&a=3&c=%3D=%zz") == {b"a": b"1 2", b"b": b"", b"c": b"==%zz"}


# Against a naive reference.

HOSTS = ["a.b", "*.b", "*.a.b", "b"]
VALUES = st.sampled_from(["1", "2", True])
CONDITIONS = st.dictionaries(st.sampled_from(["p", "q"]), VALUES, max_size=2)
RULES = st.builds(
    RouteRule,
    path=st.sampled_from(["/a", "/{x}", "/a/*", "/*"]),
    service=st.just("s"),
    methods=st.sampled_from([None, None, ("GET",), ("HEAD",), ("GET", "PUT")]),
    host=st.sampled_from([None, None, *HOSTS]),
    headers=CONDITIONS,
    query=CONDITIONS,
)
FOUND = st.dictionaries(st.sampled_from(["p", "q"]), st.sampled_from(["1", "2"]))
REQUESTS = st.tuples(
    st.sampled_from(["GET", "HEAD", "PUT"]),
    st.sampled_from(["/a", "/c", "/a/c"]),
    st.sampled_from(["a.b", "c.b", "c.a.b", "b", "c", ""]),
    FOUND,
    FOUND,
)


def place(
    one: RouteRule,
    method: str,
    path: str,
    host: str,
    fields: dict[str, str],
    query: dict[str, str],
) -> tuple[Any, ...] | None:
    """Oracle: where the rule stands among those that match, smallest first; None: no match."""
    ranks = {
        "/a": {"/a": [0], "/{x}": [1], "/*": [2]},
        "/c": {"/{x}": [1], "/*": [2]},
        "/a/c": {"/a/*": [0, 2], "/*": [2]},
    }[path]
    if one.path not in ranks:
        return None
    if one.methods is None:
        by_method = 2
    elif method in one.methods:
        by_method = 0
    elif method == "HEAD" and "GET" in one.methods:
        by_method = 1
    else:
        return None
    by_host = 0
    if one.host is not None:
        by_host = -len(one.host) if one.host.startswith("*") else -100
        suffix = one.host.removeprefix("*")
        if host != one.host and not (suffix != one.host and host.endswith(suffix)):
            return None
    count = exact = 0
    for conditions, found in ((one.headers, fields), (one.query, query)):
        for name, value in conditions.items():
            if name not in found or value not in (True, found[name]):
                return None
            count += 1
            exact += value is not True
    return ranks[one.path], by_method, by_host, -count, -exact


@given(st.lists(RULES, max_size=12), st.lists(REQUESTS, min_size=1, max_size=4))
def test_agrees_with_trying_every_route(
    rules: list[RouteRule], requests: list[tuple[str, str, str, dict[str, str], dict[str, str]]]
) -> None:
    kept: list[RouteRule] = []
    for one in rules:
        with contextlib.suppress(InvalidConfig):
            table(*kept, one)
            kept.append(one)
    routes = table(*kept)
    for method, path, host, fields, query in requests:
        places = sorted(
            (where, number)
            for number, one in enumerate(kept)
            if (where := place(one, method, path, host, fields, query)) is not None
        )
        assert len({str(where) for where, _ in places}) == len(places), "a tie was accepted"
        request = Request(
            host.encode(),
            {name.encode(): value.encode() for name, value in fields.items()},
            "&".join(f"{name}={value}" for name, value in query.items()).encode(),
        )
        expected = places[0][1] if places else None
        assert chosen(routes, request, path.encode(), method.encode()) == expected


# The work of one match.


def literal_rules(number: int) -> RouteRule:
    return rule(f"/r{number}/7")


def rules_by_path(number: int) -> RouteRule:
    return rule(f"/r{number}/{{id}}", headers={"x": str(number)})


def rules_by_host(number: int) -> RouteRule:
    return rule("/r0/{id}", host=f"h{number}.example.org", headers={"x": str(number)})


def rules_by_header(number: int) -> RouteRule:
    return rule("/r0/{id}", headers={"x": str(number)})


def rules_by_query(number: int) -> RouteRule:
    return rule("/r0/{id}", query={"x": str(number)})


def executed(call: Callable[[], object]) -> int:
    """Byte codes that run in `routing` during `call`: a loop over routes shows wherever it is."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if not frame.f_globals["__name__"].startswith("routing."):
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.skipif(not routing.table.__file__.endswith(".py"), reason="compiled: no byte code")
@pytest.mark.parametrize(
    ("make", "path"),
    [
        pytest.param(literal_rules, b"/r%d/7", id="literals"),
        pytest.param(rules_by_path, b"/r%d/7", id="templates"),
        pytest.param(rules_by_host, b"/r0/%d", id="hosts"),
        pytest.param(rules_by_header, b"/r0/%d", id="headers"),
        pytest.param(rules_by_query, b"/r0/%d", id="queries"),
    ],
)
def test_the_work_does_not_grow_with_the_routes(
    make: Callable[[int], RouteRule], path: bytes
) -> None:
    work: dict[tuple[int, int], int] = {}
    for size in (10, 1000):
        routes = table(*(make(number) for number in range(size)))
        for wanted in (0, size - 1):
            number = b"%d" % wanted
            fields = {b"x": number}
            request = Request(b"h%b.example.org" % number, fields, b"x=%b" % number)
            match = partial(routes.match, b"GET", path % wanted, request)
            found = match()
            assert found is not None
            assert found.capability == f"c{wanted}"
            work[size, wanted] = executed(match)
    assert 0 < min(work.values()) == max(work.values()), work


def test_a_table_without_conditions_looks_at_nothing() -> None:
    class Untouchable:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    details: Any = Untouchable()
    assert chosen(table(rule()), details) == 0
    assert chosen(table(rule(), rule("/y", host="h")), details) == 0
    assert table(rule()).wanted == frozenset()


def test_from_the_document_to_the_lane(outbox: Outbox) -> None:
    """The reader looks at the fields that the routes of the document ask for."""
    config = parse_config(
        """{"migration": "m", "listen": {"port": 0}, "gateway": {"port": 0},
        "monolith": "http://127.0.0.1:1", "services": {"s": "http://127.0.0.1:2"},
        "capabilities": {"c0": {"flag": "f", "routes": [{"path": "/x", "service": "s",
        "host": "*.example.org", "headers": {"X-Tenant": "a"}, "query": {"v": true}}]}}}""",
        "test",
    )

    upstreams = Upstreams(SimpleNamespace(now=0.0), Mock(), outbox, Outcomes())
    ready = Routing(config, Stats(), upstreams.prepare(config), lambda *_: None)
    good = b"GET /x?v HTTP/1.1\r\nHost: a.example.org\r\nx-tenant: a\r\n\r\n"
    for data, expected in ((good, 0), (good.replace(b": a\r", b": b\r"), None)):
        head = ready.reader.read(data)
        assert head is not None
        assert chosen(ready.table, head, head.path) == expected
    plain = RequestReader().read(good)
    assert plain is not None
    assert (plain.path, plain.query, plain.fields.get(b"x-tenant")) == (b"/x", b"v", None)


@pytest.mark.parametrize("value", [1, 1.0, 0, False, None, ["1"]], ids=repr)
def test_a_condition_is_a_text_or_true(value: object) -> None:
    for place_ in ("headers", "query"):
        with pytest.raises(ValidationError):
            RouteRule.model_validate({"path": "/x", "service": "s", place_: {"x": value}})
