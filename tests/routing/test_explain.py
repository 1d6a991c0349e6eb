"""What is said of a request is what the proxy does with it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, get_args

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.config import ForwardedStyle, ProxyConfig
from routing.context import ContextReader, RequestContext, parse_header
from routing.decision import Evaluation
from routing.decisions import Decisions, write
from routing.errors import BadMessage, CannotStart
from routing.explain import Evaluate, Explanation, explain
from routing.known_flags import known_flags
from routing.signing import Keyring, Keyrings
from routing.stages import Stage
from routing.trust import Trust
from socketless_proxy import socketless_proxy

CONFIG = ProxyConfig.model_validate(
    {
        "migration": "test",
        "listen": {"port": 0},
        "gateway": {"port": 0},
        "context": {"key": [{"header": "x-user"}]},
        "monolith": "http://127.0.0.1:1",
        "services": {"articles": "http://127.0.0.1:2"},
        "capabilities": {
            "publishing": {
                "flag": "publishing-flag",
                "switches": ["articles-service"],
                "routes": [{"path": "/articles/{id}", "service": "articles"}],
            }
        },
    }
)

NONE = Trust(Keyrings(decisions=None, overrides=None), None)


def head(first: str, *fields: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (first, "Host: a", *fields)).encode() + b"\r\n"


def at(stage: Stage) -> Callable[[str, RequestContext], Evaluation]:
    return lambda flag, _: Evaluation(stage, f"{flag} SAID SO", 7)


def told(request: bytes, evaluate: Evaluate, *, edge: bool = True) -> Explanation:
    return explain(CONFIG, request, evaluate, NONE, 0.0, peer="127.0.0.1", edge=edge)


@pytest.mark.parametrize(
    ("first", "stage", "side", "also", "url", "fallback"),
    [
        pytest.param("GET /articles/1 HTTP/1.1", Stage.OFF, "old", None, 1, None, id="off"),
        pytest.param("GET /articles/1 HTTP/1.1", Stage.SHADOW, "old", "new", 1, None, id="shadow"),
        pytest.param("GET /articles/1 HTTP/1.1", Stage.LIVE, "new", "old", 2, 1, id="live-read"),
        pytest.param("PUT /articles/1 HTTP/1.1", Stage.LIVE, "new", "old", 2, 1, id="live-write"),
        pytest.param("GET /other HTTP/1.1", Stage.LIVE, "old", None, 1, None, id="no-route"),
    ],
)
def test_origin(
    first: str, stage: Stage, side: str, also: str | None, url: int, fallback: int | None
) -> None:
    document = told(head(first, "X-User: alice"), at(stage)).document()
    endpoints = (f"http://127.0.0.1:{url}",)
    assert document["origin"] == {"side": side, "endpoints": endpoints, "source": "configuration"}
    assert document["also"] == also
    assert document["fallback"] == (fallback and (f"http://127.0.0.1:{fallback}",))
    assert document["context"] == {"kind": "user", "key": "alice"}
    assert not document["minted"]


@pytest.mark.parametrize(
    ("method", "prerequisite", "also"),
    [("PUT", "articles-service", "new"), ("GET", "articles-service", None), ("PUT", "beta", None)],
)
def test_a_service_that_is_switched_off(method: str, prerequisite: str, also: str | None) -> None:
    reason = "PREREQUISITE_FAILED"
    found = told(
        head(f"{method} /articles/1 HTTP/1.1"),
        lambda *_: Evaluation(Stage.OFF, reason, 7, prerequisite=prerequisite),
    ).document()
    assert (found["origin"]["side"], found["also"]) == ("old", also)
    assert found["flag"]["reason"] == reason


def test_flag_and_route() -> None:
    document = told(head("PUT /articles/1?x=y HTTP/1.1"), at(Stage.LIVE)).document()
    assert document["flag"] == {
        "key": "publishing-flag",
        "version": 7,
        "stage": "live",
        "reason": "publishing-flag SAID SO",
    }
    assert document["route"]["access"] == "write"
    assert document["request"] == {"method": "PUT", "path": "/articles/1", "client": "127.0.0.1"}
    assert document["minted"]
    assert document["context"]["anonymous"]


def test_several_endpoints() -> None:
    endpoints = ("http://127.0.0.1:2", "http://127.0.0.1:3")
    document = CONFIG.model_dump(mode="json")
    document["services"]["articles"] = {"endpoints": endpoints, "health_check": {"path": "/"}}
    config = ProxyConfig.model_validate(document)
    request = head("GET /articles/1 HTTP/1.1")
    told = explain(config, request, at(Stage.LIVE), NONE, 0.0, peer="", edge=True)
    assert told.document()["origin"]["endpoints"] == endpoints
    assert str(told.origin) == "http://127.0.0.1:2, http://127.0.0.1:3"


def test_endpoints_that_the_proxy_kept() -> None:
    for stage, located, expected in (
        (Stage.LIVE, {"articles": ["http://127.0.0.1:3"]}, ("http://127.0.0.1:3", "kept")),
        (Stage.LIVE, {"images": ["http://127.0.0.1:3"]}, ("http://127.0.0.1:2", "configuration")),
        (Stage.OFF, {"articles": ["http://127.0.0.1:3"]}, ("http://127.0.0.1:1", "configuration")),
    ):
        request = head("GET /articles/1 HTTP/1.1")
        origin = explain(
            *(CONFIG, request, at(stage), NONE, 0.0), peer="", edge=True, located=located
        ).document()["origin"]
        assert ((*origin["endpoints"],), origin["source"]) == (expected[:1], expected[1])


BALANCED = ProxyConfig.model_validate(
    {
        **CONFIG.model_dump(),
        "trusted": ["10.0.0.0/8"],
        "context": {
            "key": [{"header": "x-real-ip"}, {"client": {}}],
            "attributes": {"network": {"client": {"v4": 32, "v6": 64}}},
        },
        "capabilities": {
            "publishing": {
                "flag": "publishing",
                "routes": [
                    {
                        "path": "/articles/{id}",
                        "service": "articles",
                        "headers": {"X-Forwarded-Prefix": True},
                    }
                ],
            }
        },
    }
)
PREFIX = "X-Forwarded-Prefix: /shop"


@pytest.mark.parametrize(
    ("peer", "fields", "client", "key", "routed"),
    [
        pytest.param(
            *("10.0.0.1", ("X-Forwarded-For: 203.0.113.9", PREFIX)),
            *("203.0.113.9", "203.0.113.0/24", True),
            id="balancer",
        ),
        pytest.param(
            *("192.0.2.7", ("X-Forwarded-For: 203.0.113.9", PREFIX)),
            *("192.0.2.7", "192.0.2.0/24", False),
            id="anybody",
        ),
        pytest.param(
            *("10.0.0.1", ("X-Real-IP: 203.0.113.9",)),
            *("10.0.0.1", "203.0.113.9", False),
            id="field-of-a-balancer",
        ),
        pytest.param(
            *("192.0.2.7", ("X-Real-IP: 203.0.113.9",)),
            *("192.0.2.7", "192.0.2.0/24", False),
            id="field-of-anybody",
        ),
    ],
)
def test_whose_word_counts(
    peer: str, fields: tuple[str, ...], client: str, key: str, routed: bool
) -> None:
    request = head("GET /articles/1 HTTP/1.1", *fields)
    told = explain(BALANCED, request, at(Stage.LIVE), NONE, 0.0, peer=peer, edge=True)
    assert (told.client, told.context["key"]) == (client, key)
    assert (told.route is not None) is routed
    assert told.document()["request"]["client"] == client


ADDRESSES = ("10.0.0.1", "10.9.9.9", "192.0.2.7", "203.0.113.9", "2001:db8::7", "unknown")
LINES = (
    *("X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 203.0.113.9, 10.0.0.2", PREFIX),
    *("X-Forwarded-For: unknown", "Forwarded: for=203.0.113.9", 'Forwarded: for="[2001:db8::7]:1"'),
    *("X-Real-IP: 203.0.113.9", "X_Real_IP: 203.0.113.9", "Cookie: migrator_id=abc"),
    "X-Migrator-Context: eyJraW5kIjoidXNlciIsImtleSI6ImEifQ",  # of user a
)


@given(
    st.sampled_from(get_args(ForwardedStyle)),
    st.sampled_from(ADDRESSES),
    st.lists(st.sampled_from(LINES), unique=True, max_size=4),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_proxy_does_what_is_said(
    style: ForwardedStyle, peer: str, lines: list[str], edge: bool
) -> None:
    """Route and context are those that an origin is told of by the proxy's own client side."""
    config = BALANCED.model_copy(update={"forwarded": style})
    request = head("GET /articles/1 HTTP/1.1", *lines)
    with socketless_proxy(config, Stage.LIVE) as make:
        proxy = make()
        wire = proxy.client(peer, edge=edge)
        wire.receive(request)
        proxy.settle()
        sent = proxy.origins[-1].written
    told = explain(config, request, at(Stage.LIVE), NONE, 0.0, peer=peer, edge=edge)
    found = parse_header(sent.partition(b"X-Migrator-Context: ")[2].partition(b"\r")[0])
    assert found is not None
    if told.minted:
        assert found.pop("key") != told.context["key"]
    assert found == {name: told.context[name] for name in told.context if name in found}
    assert (b"X-Migrator-Stage: publishing=live\r\n" in sent) is (told.route is not None)


def test_what_a_route_changes() -> None:
    routes = [
        {"path": "/articles/{id}", "service": "articles", "rewrite": {"path": "/v2/{id}"}},
        {"path": "/old/*", "service": "articles", "redirect": {"location": "https://b.test/*"}},
    ]
    config = CONFIG.model_dump() | {"capabilities": {"c": {"flag": "f", "routes": routes}}}
    changed = ProxyConfig.model_validate(config)

    def told(target: str, stage: Stage) -> tuple[str, str | None]:
        request = head(f"GET {target} HTTP/1.1")
        found = explain(changed, request, at(stage), NONE, 0.0, peer="", edge=True)
        return found.target, found.redirect

    assert told("/articles/7?x", Stage.LIVE) == ("/v2/7?x", None)
    assert told("/articles/7?x", Stage.OFF) == ("/articles/7?x", None)
    assert told("/old/a?x", Stage.LIVE) == ("/old/a?x", "https://b.test/a?x")
    assert told("/old/a?x", Stage.OFF) == ("/old/a?x", None)


def test_a_service_is_one_nobody() -> None:
    explanation = told(head("GET /other HTTP/1.1"), at(Stage.LIVE), edge=False)
    assert explanation.context == {"kind": "user", "key": "gateway", "anonymous": True}
    assert not explanation.minted


@pytest.mark.parametrize(
    ("own", "now", "edge", "stage", "reason"),
    [
        pytest.param("FALLTHROUGH", 101.0, False, Stage.LIVE, "CARRIED", id="carried"),
        pytest.param("FALLTHROUGH", 200.0, False, Stage.OFF, "FALLTHROUGH", id="late"),
        pytest.param("OFF", 101.0, False, Stage.OFF, "OFF", id="killed"),
        pytest.param("FALLTHROUGH", 101.0, True, Stage.OFF, "FALLTHROUGH", id="from-outside"),
    ],
)
def test_carried_decisions(own: str, now: float, edge: bool, stage: Stage, reason: str) -> None:
    ring = Keyring("decisions", [b"k" * 32])
    contexts = ContextReader(CONFIG.context)
    header = contexts.build(contexts.at_gateway({b"x-user": b"alice"})).header
    live = {"publishing": Evaluation(Stage.LIVE, "CARRIED", 7, 3)}
    token = write(Decisions(100, live), ring, header)
    assert token is not None
    fields = (f"X-Migrator-Context: {header.decode()}", f"X-Migrator-Decisions: {token.decode()}")
    evaluation = explain(
        CONFIG,
        head("GET /articles/1 HTTP/1.1", *fields),
        lambda *_: Evaluation(Stage.OFF, own, 8),
        Trust(Keyrings(ring, None), None),
        now,
        peer="127.0.0.1",
        edge=edge,
    ).evaluation
    assert evaluation is not None
    assert (evaluation.stage, evaluation.reason) == (stage, reason)


def test_what_the_proxy_refuses() -> None:
    with pytest.raises(BadMessage, match="CONNECT"):
        told(head("CONNECT a:1 HTTP/1.1"), at(Stage.LIVE))


Begin = Callable[[], AbstractAsyncContextManager[Any]]


def test_a_running_proxy_agrees(begin: Begin) -> None:
    """40 users at 50 %: by the flags on disk each gets the side that the proxy gives it."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy()
            await world.ready(http)
            await world.stage(http, "live", share=50_000)
            config = ProxyConfig.model_validate(world.config())
            with known_flags(world.folder, world.environment()["LAUNCHDARKLY_SDK_KEY"]) as flags:
                sides = set()
                for number in range(40):
                    user = f"X-User: user-{number}"
                    request = head("GET /articles/1 HTTP/1.1", user)
                    told = explain(config, request, flags, NONE, 0.0, peer="", edge=True)
                    answer = await http.get(
                        f"{world.edge}/articles/1", headers={"X-User": f"user-{number}"}
                    )
                    decision = answer.headers["x-migrator-decision"]
                    assert told.evaluation is not None
                    assert f"origin={told.decision.origin};" in decision
                    assert (
                        f"reason={told.evaluation.reason}; version={told.evaluation.version}"
                        in (decision)
                    )
                    sides.add(told.decision.origin)
            assert len(sides) == 2
            with pytest.raises(CannotStart, match="no flags of this SDK key"):
                with known_flags(world.folder, "sdk-another"):
                    pass

    asyncio.run(run())
