"""What SDKs call, with the real LaunchDarkly SDK and with plain HTTP."""

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from ldclient import Config, Context, LDClient

if TYPE_CHECKING:
    from tests.flags.conftest import Server

Wait = Callable[[Callable[[], bool], str], None]
ALICE = Context.create("alice")
close, flush = methodcaller("close"), methodcaller("flush")  # the SDK has no types for them
ON, OFF = {"kind": "turnFlagOn"}, {"kind": "turnFlagOff"}


@contextmanager
def sdk(server: "Server", **options: Any) -> Iterator[LDClient]:
    """The SDK as a service sets it up: three addresses and a key."""
    config = Config(
        sdk_key=server.credentials.sdk_key,
        base_uri=server.origin,
        stream_uri=server.origin,
        events_uri=server.origin,
        initial_reconnect_delay=0.05,
        **options,
    )
    client = LDClient(config=config, start_wait=20)
    try:
        assert client.is_initialized()
        yield client
    finally:
        close(client)


streaming_or_polling = pytest.mark.parametrize(
    "options",
    [pytest.param({}, id="streaming"), pytest.param({"stream": False}, id="polling")],
)


@streaming_or_polling
def test_the_sdk_connects_and_evaluates(server: "Server", options: dict[str, Any]) -> None:
    server.migration("publishing")
    weights = {v["_id"]: 0 for v in server.get("publishing")["variations"]}
    shadow, live = list(weights)[2:4]
    server.patch(
        "publishing",
        ON,
        {
            "kind": "updateFallthroughVariationOrRollout",
            "rolloutContextKind": "user",
            "rolloutWeights": {live: 30_000, shadow: 70_000},
        },
        {"kind": "addTargets", "contextKind": "user", "variationId": live, "values": ["alice"]},
    )
    with sdk(server, **options) as client:
        detail = client.variation_detail("publishing", ALICE, "none")
        assert (detail.value, detail.reason["kind"]) == ("live", "TARGET_MATCH")
        stages = [
            client.variation("publishing", Context.create(f"user-{n}"), "none") for n in range(1000)
        ]
        assert set(stages) == {"shadow", "live"}
        assert 230 < stages.count("live") < 370
        assert client.variation("unknown", ALICE, "default") == "default"
        client.track("seen", ALICE)
        flush(client)


def test_growing_a_share_only_adds_contexts(server: "Server", wait: Wait) -> None:
    ids = [v["_id"] for v in server.migration("publishing")["variations"]]
    server.patch("publishing", ON)
    users = [Context.create(f"user-{n}") for n in range(300)]
    before: set[str] = set()

    def live() -> set[str]:
        return {u.key for u in users if client.variation("publishing", u, "") == "live"}

    def more_than(count: int) -> bool:
        return len(live()) > count

    with sdk(server) as client:
        for share in (10_000, 40_000, 90_000):
            weights = {ids[3]: share, ids[2]: 100_000 - share}
            kind = "updateFallthroughVariationOrRollout"
            server.patch("publishing", {"kind": kind, "rolloutWeights": weights})
            wait(functools.partial(more_than, len(before)), "the share to grow")
            assert live() > before
            before = live()


def test_a_change_by_rest_reaches_the_sdk(server: "Server", wait: Wait) -> None:
    server.create("articles-service")
    with sdk(server) as client:
        assert client.variation("articles-service", ALICE, None) is False
        server.patch("articles-service", ON)
        wait(lambda: client.variation("articles-service", ALICE, None) is True, "on")
        server.patch("articles-service", OFF)
        wait(lambda: client.variation("articles-service", ALICE, None) is False, "off")
        server.create("images-service")
        wait(lambda: client.variation("images-service", ALICE, None) is False, "a new flag")
        assert server.http.delete("/api/v2/flags/cms/images-service").status_code == 204
        wait(lambda: client.variation("images-service", ALICE, "gone") == "gone", "no such flag")


def test_a_prerequisite_that_is_off_makes_the_dependent_flag_off(
    server: "Server", wait: Wait
) -> None:
    """The kill switch of a service: every capability that needs it evaluates to `off`."""
    service = server.create("articles-service")
    ids = [v["_id"] for v in server.migration("publishing")["variations"]]
    server.patch("articles-service", ON)
    server.patch(
        "publishing",
        ON,
        {"kind": "updateFallthroughVariationOrRollout", "variationId": ids[5]},
        {
            "kind": "addPrerequisite",
            "key": "articles-service",
            "variationId": service["variations"][0]["_id"],
        },
    )
    with sdk(server) as client:
        assert client.variation("publishing", ALICE, "none") == "complete"
        server.patch("articles-service", OFF)
        wait(lambda: client.variation("publishing", ALICE, "none") == "off", "the kill switch")
        reason = client.variation_detail("publishing", ALICE, "none").reason
        assert reason == {"kind": "PREREQUISITE_FAILED", "prerequisiteKey": "articles-service"}
        server.patch("articles-service", ON)
        wait(lambda: client.variation("publishing", ALICE, "none") == "complete", "the way back")


def test_the_sdk_reconnects_after_a_restart(stopped: "Server", wait: Wait) -> None:
    with stopped.running():
        stopped.create("articles-service")
        opened = sdk(stopped)
        client = opened.__enter__()
        wait(lambda: stopped.http.get("/healthz").json()["sdks"] == 1, "the SDK's stream")
    assert client.variation("articles-service", ALICE, None) is False
    with stopped.running():
        stopped.patch("articles-service", ON)
        wait(lambda: client.variation("articles-service", ALICE, None) is True, "the SDK to follow")
        opened.__exit__(None, None, None)


def test_a_closed_sdk_is_no_connection_any_more(server: "Server", wait: Wait) -> None:
    def connections() -> int:
        return int(server.http.get("/healthz").json()["sdks"])

    with sdk(server), sdk(server):
        wait(lambda: connections() == 2, "both streams")
    wait(lambda: connections() == 0, "the end of both streams")


PATHS = [
    pytest.param("GET", "/all", id="stream"),
    pytest.param("GET", "/sdk/latest-all", id="poll"),
    pytest.param("POST", "/bulk", id="events"),
    pytest.param("POST", "/diagnostic", id="diagnostic"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("key", [None, "sdk-wrong-wrong-wrong", "mob-5f1c0a9e-2b7d-4c63"])
def test_wrong_key(server: "Server", method: str, path: str, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": key}
    answer = httpx.request(method, server.origin + path, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"code": "unauthorized", "message": "invalid SDK key"}


def test_stream(server: "Server") -> None:
    server.create("articles-service")
    headers = {"Authorization": server.credentials.sdk_key}
    with httpx.stream("GET", f"{server.origin}/all", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-ld-envid"] == server.credentials.client_side_id
        assert answer.headers["cache-control"] == "no-cache"
        lines = answer.iter_lines()
        assert next(lines) == "event: put"
        data = json.loads(next(lines).removeprefix("data: "))
        assert data["data"]["flags"]["articles-service"]["version"] == 1
        server.patch("articles-service", ON)
        assert [next(lines), next(lines)] == ["", "event: patch"]


def test_poll(server: "Server") -> None:
    server.create("articles-service")
    headers = {"Authorization": server.credentials.sdk_key}
    with httpx.Client(base_url=server.origin, headers=headers) as http:
        first = http.get("/sdk/latest-all")
        assert first.headers["content-encoding"] == "gzip"
        assert first.headers["x-ld-envid"] == server.credentials.client_side_id
        plain = http.get("/sdk/latest-all", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.json() == first.json()
        assert list(first.json()["flags"]) == ["articles-service"]
        tag = first.headers["etag"]
        again = http.get("/sdk/latest-all", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        server.patch("articles-service", ON)
        changed = http.get("/sdk/latest-all", headers={"If-None-Match": tag})
        assert changed.json()["flags"]["articles-service"]["on"] is True


@pytest.mark.parametrize("path", ["/bulk", "/diagnostic"])
def test_events_are_taken_up_to_a_size(server: "Server", path: str) -> None:
    headers = {"Authorization": server.credentials.sdk_key}
    small = httpx.post(server.origin + path, json=[{"kind": "custom"}], headers=headers)
    assert small.status_code == 202
    chunked = httpx.post(server.origin + path, content=iter([b"[", b"]"]), headers=headers)
    assert chunked.status_code == 202
    large = httpx.post(server.origin + path, content=b" " * (5 * 1024 * 1024), headers=headers)
    assert (large.status_code, large.json()["message"]) == (413, "too large")
