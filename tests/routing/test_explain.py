"""What is said of a request is what the proxy does with it."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from routing.config import ProxyConfig
from routing.context import RequestContext
from routing.decision import Evaluation
from routing.errors import BadMessage, CannotStart
from routing.explain import explain
from routing.known_flags import known_flags
from routing.stages import Stage

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
                "routes": [{"path": "/articles/{id}", "service": "articles"}],
            }
        },
    }
)


def head(first: str, *fields: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (first, "Host: a", *fields)).encode() + b"\r\n"


def at(stage: Stage) -> Callable[[str, RequestContext], Evaluation]:
    return lambda flag, _: Evaluation(stage, f"{flag} SAID SO", 7)


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
    told = explain(CONFIG, head(first, "X-User: alice"), at(stage), edge=True).document()
    assert told["origin"] == {"side": side, "url": f"http://127.0.0.1:{url}"}
    assert told["also"] == also
    assert told["fallback"] == (fallback and f"http://127.0.0.1:{fallback}")
    assert told["context"] == {"kind": "user", "key": "alice"}
    assert not told["minted"]


def test_flag_and_route() -> None:
    told = explain(CONFIG, head("PUT /articles/1?x=y HTTP/1.1"), at(Stage.LIVE), edge=True)
    document = told.document()
    assert document["flag"] == {
        "key": "publishing-flag",
        "version": 7,
        "stage": "live",
        "reason": "publishing-flag SAID SO",
    }
    assert document["route"]["access"] == "write"
    assert document["request"] == {"method": "PUT", "path": "/articles/1"}
    assert document["minted"]
    assert document["context"]["anonymous"]


def test_what_a_route_changes() -> None:
    routes = [
        {"path": "/articles/{id}", "service": "articles", "rewrite": {"path": "/v2/{id}"}},
        {"path": "/old/*", "service": "articles", "redirect": {"location": "https://b.test/*"}},
    ]
    config = CONFIG.model_dump() | {"capabilities": {"c": {"flag": "f", "routes": routes}}}
    changed = ProxyConfig.model_validate(config)

    def told(target: str, stage: Stage) -> tuple[str, str | None]:
        found = explain(changed, head(f"GET {target} HTTP/1.1"), at(stage), edge=True)
        return found.target, found.redirect

    assert told("/articles/7?x", Stage.LIVE) == ("/v2/7?x", None)
    assert told("/articles/7?x", Stage.OFF) == ("/articles/7?x", None)
    assert told("/old/a?x", Stage.LIVE) == ("/old/a?x", "https://b.test/a?x")
    assert told("/old/a?x", Stage.OFF) == ("/old/a?x", None)


def test_a_service_is_one_nobody() -> None:
    told = explain(CONFIG, head("GET /other HTTP/1.1"), at(Stage.LIVE), edge=False)
    assert told.context == {"kind": "user", "key": "gateway", "anonymous": True}
    assert not told.minted


def test_what_the_proxy_refuses() -> None:
    with pytest.raises(BadMessage, match="CONNECT"):
        explain(CONFIG, head("CONNECT a:1 HTTP/1.1"), at(Stage.LIVE), edge=True)


Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def test_a_running_proxy_agrees(begin: Begin, wait_until: Until) -> None:
    """40 users at 50 %: by the flags on disk each gets the side that the proxy gives it."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy(0)

            async def started() -> bool:
                log = (world.folder / "proxy.log").read_text()
                found = re.search(r"listens on ([0-9.]+):(\d+)", log)
                if found:
                    world.edge = f"http://{found[1]}:{found[2]}"
                return bool(found)

            await wait_until(started)
            await world.stage(http, "live", share=50_000)
            config = ProxyConfig.model_validate(world.config())
            with known_flags(world.folder, world.environment()["LAUNCHDARKLY_SDK_KEY"]) as flags:
                sides = set()
                for number in range(40):
                    user = f"X-User: user-{number}"
                    told = explain(config, head("GET /articles/1 HTTP/1.1", user), flags, edge=True)
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
