"""What people, orchestrators and Prometheus may ask, without a key and without learning one."""

from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from event_stream import connection, stream
from flag_builders import OFF, ON, Wait
from python_sdk import python_sdk

if TYPE_CHECKING:
    from tests.flags.conftest import Server

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the SDK's sockets
Samples = dict[tuple[str, str], float]


def metrics(server: "Server") -> Samples:
    """By name and kind of stream."""
    answer = httpx.get(f"{server.origin}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, sample.labels["kind"]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels["environment"] == "production"
    }


def test_health(server: "Server") -> None:
    for path in ("/healthz", "/readyz"):
        answer = httpx.get(server.origin + path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "sdks": 0})
    with stream(server.origin, "/all", {"Authorization": server.credentials.sdk_key}):
        assert httpx.get(f"{server.origin}/healthz").json()["sdks"] == 1


def test_status(server: "Server") -> None:
    server.create("articles-service")
    credentials = server.credentials
    with (
        python_sdk(server.origin, credentials.sdk_key),
        stream(server.origin, "/mping", {"Authorization": credentials.mobile_key}),
    ):
        answer = httpx.get(f"{server.origin}/status")
        status = answer.json()
    assert status["status"] == "healthy"
    assert status["uptime_seconds"] >= 0
    assert list(status["environments"]) == ["cms production"]
    environment = status["environments"]["cms production"]
    assert environment["client_side_id"] == credentials.client_side_id
    assert (environment["flags"], environment["sdks"]) == (1, 2)
    assert environment["most_behind_seconds"] == 0
    assert {(s["kind"], s["sdk"].partition("/")[0]) for s in environment["streams"]} == {
        ("server", "PythonClient"),
        ("ping", "unknown"),
    }
    for secret in (credentials.sdk_key, credentials.mobile_key, credentials.session_secret):
        assert secret not in answer.text
    assert environment["sdk_key"].endswith(credentials.sdk_key[-4:])
    assert environment["sequence"] >= 1


def test_the_agent_of_a_browser_is_its_own_header(server: "Server") -> None:
    """Browsers may not set User-Agent; and nobody may fill the memory with it."""
    headers = {
        "User-Agent": "Mozilla/5.0",
        "X-LaunchDarkly-User-Agent": "JSClient/4 " + "x" * 1000,
    }
    with stream(server.origin, f"/ping/{server.credentials.client_side_id}", headers):
        environment = httpx.get(f"{server.origin}/status").json()["environments"]["cms production"]
        (agent,) = (s["sdk"] for s in environment["streams"])
    assert agent.startswith("JSClient/4 xxx")
    assert len(agent) == 200


def test_metrics(server: "Server") -> None:
    key = {"Authorization": server.credentials.sdk_key}
    kinds = ("server", "server-v2", "client", "ping")
    assert metrics(server) == {
        (name, kind): 0.0
        for name in ("flags_streams", "flags_stream_behind_seconds")
        for kind in kinds
    }
    with (
        stream(server.origin, "/all", key),
        stream(server.origin, "/all", key),
        stream(server.origin, "/sdk/stream", key),
    ):
        counts = {kind: metrics(server)["flags_streams", kind] for kind in kinds}
    assert counts == {"server": 2, "server-v2": 1, "client": 0, "ping": 0}


def test_no_key_is_in_the_metrics(server: "Server") -> None:
    text = httpx.get(f"{server.origin}/metrics").text
    for secret in (server.credentials.sdk_key, server.credentials.mobile_key):
        assert secret not in text


def test_who_lacks_a_change_is_behind(server: "Server", wait: Wait) -> None:
    """A reader that takes nothing, while more is said than the buffers hold."""
    values = [{"value": f"{number} " + "x" * 60_000} for number in range(8)]
    server.create("large", variations=values, defaults={"onVariation": 0, "offVariation": 1})
    at = "flags_stream_behind_seconds", "server"
    with connection(server.origin, receive_buffer=4096) as raw:
        raw.request("GET", "/all", {"Authorization": server.credentials.sdk_key})
        for number in range(1000):
            server.patch("large", OFF if number % 2 else ON)
            if metrics(server)[at] > 0:
                break
        environment = httpx.get(f"{server.origin}/status").json()["environments"]["cms production"]
        assert environment["most_behind_seconds"] > 0
        assert environment["streams"][0]["behind_seconds"] > 0
    wait(lambda: metrics(server)[at] == 0, "the stream to be gone")


def test_the_dashboards_stream_needs_a_session(server: "Server") -> None:
    assert httpx.get(f"{server.origin}/changes").status_code == 401
    key = {"Authorization": server.credentials.tokens["alice"]}
    assert httpx.get(f"{server.origin}/changes", headers=key).status_code == 401
    forged = {"flags_session": "eyJzaWQiOiJ4In0.aaaaaa.bbbbbbbbbbbbbbbb"}
    assert httpx.get(f"{server.origin}/changes", cookies=forged).status_code == 401


def test_the_dashboards_stream(server: "Server") -> None:
    with httpx.Client(base_url=server.origin, timeout=20) as browser:
        token = server.credentials.tokens["alice"]
        assert browser.post("/login", data={"token": token}).status_code == 302
        with browser.stream("GET", "/changes") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            server.create("articles-service")
            assert next(lines) == (
                'data: {"project":"cms","environment":null,"kind":"flag","key":"articles-service"}'
            )
