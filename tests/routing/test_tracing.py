"""Which requests are traced, their spans, and that a collector gets those of a running proxy."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from proxy_builders import ALane, a_lane, no_lane
from proxy_in_process import PATIENCE
from routing import tracing
from routing.config import Capability, Tracing
from routing.decision import Evaluation
from routing.hiding import Hiding
from routing.message import RequestHead, RequestReader
from routing.record import Lane, Record
from routing.recovery import Failure
from routing.stages import Side, Stage
from routing.table import RouteTable
from routing.tracing import RATIO, Spans, is_disabled, ratio_of
from socketless_proxy import CONFIG, socketless_proxy
from span_collector import SpanCollector

READER = RequestReader(["traceparent", "tracestate", "user-agent"])
LANE, ELSEWHERE = a_lane(), no_lane()
NEW, OLD = "http://[::1]:8080", "https://monolith.example/"
LIVE = Evaluation(Stage.LIVE, "RULE_MATCH", 7)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CAME = f"traceparent: 00-{TRACE}-{SPAN}-{{}}\r\ntracestate: a=b\r\n"


def a_head(fields: str = "", line: str = "GET /articles/7?token=abc HTTP/1.1") -> RequestHead:
    head = READER.read(f"{line}\r\nHost: a:80\r\n{fields}\r\n".encode())
    assert head is not None
    return head


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "_exporter", lambda _: exporter)
    return exporter


@contextlib.contextmanager
def spans(chance: float = 0.5, **config: object) -> Iterator[Spans]:
    made = Spans(Tracing.model_validate(config), {}, lambda: chance, 0.0)
    yield made
    made.close().join()


@pytest.mark.parametrize(
    ("fields", "ratio", "traced"),
    [
        pytest.param("", 0.51, True, id="by chance"),
        pytest.param("", 0.5, False, id="not by chance"),
        pytest.param(CAME.format("01"), 0, True, id="sampled by the caller"),
        pytest.param(CAME.format("00"), 1, False, id="not sampled by the caller"),
        pytest.param("traceparent: nonsense\r\n", 1, True, id="nonsense counts as nothing"),
    ],
)
@pytest.mark.usefixtures("exported")
def test_who_is_traced(fields: str, ratio: float, traced: bool) -> None:
    with spans(ratio=ratio) as made:
        assert (made.begin(a_head(fields), 0.0) is not None) == traced


@pytest.mark.usefixtures("exported")
def test_no_client_can_ask_for_more_than_the_limit() -> None:
    with spans(limit=2) as made:
        head = a_head(CAME.format("01"))
        assert [made.begin(head, now) is not None for now in (0, 0, 0, 0.5)] == [
            *(True, True, False, True)
        ]


def run(
    made: Spans,
    head: RequestHead,
    lane: Lane,
    *outcomes: int | Failure,
    status: int | None = None,
    complete: bool = True,
    scheme: bytes = b"http",
) -> list[bytes]:
    """One request with those attempts, first at NEW and then at OLD; what was sent to them."""
    trace = made.begin(head, 10.0)
    assert trace is not None
    evaluation = LIVE if lane.route else None
    record = Record(
        *(head, lane, evaluation, b"192.0.2.1"),
        edge=True,
        scheme=scheme,
        began=10.0,
        done=lambda _: None,
    )
    record.trace = trace
    sent = []
    for number, outcome in enumerate(outcomes):
        side, origin, now = *((Side.OLD, OLD), (Side.NEW, NEW))[number == 0], 11.0 + number
        if outcome is not Failure.UNREACHED:
            connection = Mock(peer=("::1", 8080))
            sent.append(record.asks(side, origin, head.forward + b"\r\n", connection, now))
        if isinstance(outcome, Failure):
            record.fails(side, origin, outcome, now)
        else:
            record.is_answered(side, origin, outcome, now)
    record.fell_back = len(outcomes) > 1
    record.status = status or record.status
    record.end(20.0, complete=complete)
    trace.end(record, Hiding())
    return sent


def test_the_spans(exported: InMemorySpanExporter) -> None:
    with spans() as made:
        (sent,) = run(made, a_head("User-Agent: b\r\n" + CAME.format("01")), LANE, 200)
    client, server = exported.get_finished_spans()
    assert f"\r\ntraceparent: 00-{TRACE}-{client.context.span_id:016x}-01\r\n".encode() in sent
    assert sent.count(b"traceparent") == 1
    assert b"tracestate: a=b\r\n" in sent
    assert (server.name, server.kind) == ("GET /articles/{id}", SpanKind.SERVER)
    assert (client.name, client.kind) == ("GET", SpanKind.CLIENT)
    assert server.parent is not None
    assert (f"{server.parent.trace_id:032x}", f"{server.parent.span_id:016x}") == (TRACE, SPAN)
    assert client.parent == server.context
    assert server.context.trace_state.get("a") == "b"
    assert duration(server) == 10.0
    assert duration(client) == 1.0
    assert dict(server.attributes or {}) == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": "/articles/7",
        "url.query": "token=REDACTED",
        "client.address": "192.0.2.1",
        "network.protocol.version": "1.1",
        "server.address": "a",
        "server.port": 80,
        "user_agent.original": "b",
        "http.route": "/articles/{id}",
        "http.response.status_code": 200,
        "migrator.listener": "edge",
        "migrator.origin": "new",
        "migrator.capability": "publishing",
        "migrator.stage": "live",
    }
    assert dict(client.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "::1",
        "server.port": 8080,
        "url.full": "http://[::1]:8080/articles/7?token=REDACTED",
        "network.peer.address": "::1",
        "network.peer.port": 8080,
        "http.response.status_code": 200,
        "migrator.origin": "new",
    }
    (event,) = server.events
    assert event.name == "feature_flag.evaluation"
    assert dict(event.attributes or {}) == {
        "feature_flag.key": "publishing",
        "feature_flag.provider.name": "LaunchDarkly",
        "feature_flag.result.variant": "live",
        "feature_flag.result.reason": "targeting_match",
        "feature_flag.version": "7",
    }


def duration(span: ReadableSpan) -> float:
    """In seconds."""
    assert span.start_time
    assert span.end_time
    return round((span.end_time - span.start_time) / 1e9, 5)


OK, ERROR = StatusCode.UNSET, StatusCode.ERROR


@pytest.mark.parametrize(
    ("outcomes", "status", "complete", "expected"),
    [
        pytest.param([404], None, True, [("404", ERROR), (None, OK)], id="not found"),
        pytest.param([500], None, True, [("500", ERROR), ("500", ERROR)], id="server error"),
        pytest.param(
            [Failure.RESET, 200],
            None,
            True,
            [("reset", ERROR), (None, OK), (None, OK)],
            id="fell back",
        ),
        pytest.param(
            [Failure.UNREACHED],
            503,
            True,
            [("unreached", ERROR), ("unreached", ERROR)],
            id="unreached",
        ),
        pytest.param([200], None, False, [(None, OK), ("client_gone", OK)], id="client gone"),
        pytest.param([], None, False, [("client_gone", OK)], id="client gone early"),
    ],
)
def test_failures(
    exported: InMemorySpanExporter,
    outcomes: list[int | Failure],
    status: int | None,
    complete: bool,
    expected: list[tuple[str | None, StatusCode]],
) -> None:
    with spans(ratio=1) as made:
        run(made, a_head(), ELSEWHERE, *outcomes, status=status, complete=complete)
    found = exported.get_finished_spans()
    assert [
        ((s.attributes or {}).get("error.type"), s.status.status_code) for s in found
    ] == expected
    assert found[-1].name == "GET"
    assert not found[-1].events
    assert [(s.attributes or {}).get("http.request.resend_count") for s in found[1:-1]] == [
        1
    ] * len(found[1:-1])


def test_where_attempts_went(exported: InMemorySpanExporter) -> None:
    """By the URL, also where nobody was reached; the service's path is the one that it is sent."""
    rewrite = {"path": "/articles/{id}", "service": "articles", "rewrite": {"path": "/v2/{id}"}}
    rules = Capability.model_validate({"flag": "publishing", "routes": [rewrite]})
    (route,) = RouteTable({"publishing": rules}).routes
    with spans(ratio=1) as made:
        lane = ALane(route, LANE.decision)
        run(made, a_head(), lane, Failure.UNREACHED, 200, scheme=b"https")
    reached_nobody, at_the_monolith, server = (
        dict(span.attributes or {}) for span in exported.get_finished_spans()
    )
    places = ("server.address", "server.port", "url.full", "network.peer.address", "error.type")
    assert [reached_nobody.get(name) for name in places] == [
        *("::1", 8080, "http://[::1]:8080/v2/7?token=REDACTED", None, "unreached")
    ]
    assert [at_the_monolith.get(name) for name in places] == [
        *("monolith.example", 443, "https://monolith.example/articles/7?token=REDACTED"),
        *("::1", None),
    ]
    assert server["url.scheme"] == "https"


def test_a_whole_server_has_no_path(exported: InMemorySpanExporter) -> None:
    with spans(ratio=1) as made:
        run(made, a_head(line="OPTIONS * HTTP/1.1"), ELSEWHERE, 200)
    attempt, _ = exported.get_finished_spans()
    assert (attempt.attributes or {})["url.full"] == NEW


def test_a_hedge_is_where_the_answer_came_from(exported: InMemorySpanExporter) -> None:
    head = a_head()
    with spans(ratio=1) as made:
        trace = made.begin(head, 10.0)
        assert trace is not None
        record = Record(
            *(head, LANE, LIVE, b""), edge=True, scheme=b"http", began=10.0, done=lambda _: None
        )
        record.trace = trace
        record.asks(Side.NEW, NEW, b"GET / HTTP/1.1\r\n\r\n", Mock(peer=("::1", 8080)), 10.0)
        record.is_answered(Side.NEW, "http://[::2]:8080", 200, 11.0)
        record.end(12.0, complete=True)
        trace.end(record, Hiding())
    attributes = exported.get_finished_spans()[0].attributes or {}
    assert attributes["server.address"] == "::2"
    assert "network.peer.address" not in attributes


@pytest.mark.parametrize(
    ("peer", "edge", "fields", "scheme"),
    [
        pytest.param("10.0.0.1", True, "X-Forwarded-Proto: https\r\n", "https", id="balancer"),
        pytest.param("10.0.0.1", True, "", "http", id="silent-balancer"),
        pytest.param("192.0.2.1", True, "X-Forwarded-Proto: https\r\n", "http", id="anybody"),
        pytest.param("10.0.0.1", False, "X-Forwarded-Proto: https\r\n", "http", id="gateway"),
    ],
)
def test_the_scheme(
    exported: InMemorySpanExporter, peer: str, edge: bool, fields: str, scheme: str
) -> None:
    traced = {"tracing": Tracing(ratio=1), "trusted": ("10.0.0.0/8",)}
    with socketless_proxy(CONFIG.model_copy(update=traced)) as make:
        proxy = make()
        proxy.refuse()
        client = proxy.client(peer, edge=edge)
        client.receive(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        proxy.settle()
        client.abort()
        proxy.settle()
        proxy.proxy.watch.close(patience=PATIENCE)
    *attempts, server = (dict(span.attributes or {}) for span in exported.get_finished_spans())
    assert server["url.scheme"] == scheme
    assert {attempt["url.full"] for attempt in attempts} == {"http://old/"}
    assert {attempt["error.type"] for attempt in attempts} == {"unreached"}


def test_unusual_methods(exported: InMemorySpanExporter) -> None:
    with spans(ratio=1) as made:
        run(made, a_head(line="BREW / HTTP/1.1"), ELSEWHERE, 200)
    for span in exported.get_finished_spans():
        assert span.name == "HTTP"
        assert (span.attributes or {})["http.request.method"] == "_OTHER"
        assert (span.attributes or {})["http.request.method_original"] == "BREW"


@pytest.mark.parametrize(
    ("ratio", "sampler", "argument", "expected"),
    [
        pytest.param(None, "", "", RATIO, id="default"),
        pytest.param(0.25, "always_on", "", 0.25, id="the configuration wins"),
        pytest.param(None, "parentbased_always_on", "", 1.0, id="always"),
        pytest.param(None, "always_off", "", 0.0, id="never"),
        pytest.param(None, "parentbased_traceidratio", "0.5", 0.5, id="ratio"),
        pytest.param(None, "traceidratio", "nonsense", 1.0, id="nonsense"),
    ],
)
def test_the_ratio(ratio: float | None, sampler: str, argument: str, expected: float) -> None:
    environment = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert ratio_of(Tracing(ratio=ratio), environment) == expected


def test_off_by_the_environment() -> None:
    assert is_disabled({"OTEL_SDK_DISABLED": "True"})
    assert not is_disabled({})


Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def test_a_collector_gets_them(
    begin: Begin, wait_until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that wait when the proxy ends; and the collector's key is shown to nobody."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")

    async def run() -> None:
        collector = SpanCollector()
        server = await asyncio.start_server(collector.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = {
            "endpoint": f"http://127.0.0.1:{port}",
            "headers": {"X-Collector-Key": "very-secret"},
            "ratio": 0,
        }
        async with server, begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy(tracing=settings)
            await world.ready(http)
            for flags, state in (("01", "a=b"), ("00", "c=d")):
                came = {"traceparent": f"00-{TRACE}-{SPAN}-{flags}", "tracestate": state}
                await http.get(f"{world.edge}/articles/1", headers=came)
            await http.get(f"{world.edge}/articles/1")

            async def received() -> bool:
                return len(collector.spans) == 2

            await wait_until(received)
            client, served = sorted(collector.spans, key=lambda span: -span.kind)
            sampled, passed_through, nothing = world.old.seen
            ours = f"traceparent: 00-{TRACE}-{client.span_id.hex()}-01".encode()
            assert ours in sampled
            assert b"tracestate: a=b" in sampled
            assert f"traceparent: 00-{TRACE}-{SPAN}-00".encode() in passed_through
            assert b"tracestate: c=d" in passed_through
            assert b"traceparent" not in nothing
            assert served.parent_span_id.hex() == SPAN
            assert client.parent_span_id == served.span_id
            assert collector.services == {"migrator-proxy"}
            assert all("x-collector-key: very-secret" in head for head in collector.headers)
            shown = (await http.get(f"{world.admin}/config")).json()
            assert shown["tracing"]["headers"] == {"X-Collector-Key": "REDACTED"}
            await http.get(f"{world.edge}/last", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
            await asyncio.to_thread(world.end)
            assert len(collector.spans) == 4
            assert "very-secret" not in (world.folder / "proxy.log").read_text()

    asyncio.run(run())
