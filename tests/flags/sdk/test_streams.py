"""Event streams byte for byte: heads, chunks, who may open one, and how it ends."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from event_stream import RawConnection, connection, stream
from flag_builders import OFF, ON, Wait
from flags.credentials import Credentials
from flags.streams.protocol import MAX_CONTEXT

if TYPE_CHECKING:
    from tests.flags.conftest import Server
    from tests.flags.sdk.conftest import Segments

ALICE = {"kind": "user", "key": "alice"}
CLIENT_SIDE_ID = "0123456789abcdef01234567"
AVAILABLE = {"usingEnvironmentId": True, "usingMobileKey": True}


def encoded(context: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(context).encode()).decode().rstrip("=")


def server_key(credentials: Credentials) -> dict[str, str]:
    return {"Authorization": credentials.sdk_key}


def mobile_key(credentials: Credentials) -> dict[str, str]:
    return {"Authorization": credentials.mobile_key}


def no_key(_: Credentials) -> dict[str, str]:
    return {}


Keys = Callable[[Credentials], Mapping[str, str]]
STREAMS = [
    pytest.param("GET", "/all", server_key, "put", id="server"),
    pytest.param("GET", "/all/", server_key, "put", id="slash"),
    pytest.param("GET", "/all?filter=x", server_key, "put", id="query"),
    pytest.param("GET", "/sdk/stream", server_key, "server-intent", id="server-second"),
    pytest.param("GET", f"/eval/{CLIENT_SIDE_ID}/{encoded(ALICE)}", no_key, "put", id="browser"),
    pytest.param("REPORT", f"/eval/{CLIENT_SIDE_ID}", no_key, "put", id="browser-report"),
    pytest.param(
        "GET",
        f"/sdk/stream/eval/{encoded(ALICE)}?auth={CLIENT_SIDE_ID}",
        no_key,
        "server-intent",
        id="browser-second",
    ),
    pytest.param("GET", f"/ping/{CLIENT_SIDE_ID}", no_key, "ping", id="browser-ping"),
    pytest.param("GET", f"/meval/{encoded(ALICE)}", mobile_key, "put", id="mobile"),
    pytest.param("REPORT", "/meval", mobile_key, "put", id="mobile-report"),
    pytest.param(
        "GET",
        f"/sdk/stream/eval/{encoded(ALICE)}",
        mobile_key,
        "server-intent",
        id="mobile-second",
    ),
    pytest.param("GET", "/mping", mobile_key, "ping", id="mobile-ping"),
]
every_stream = pytest.mark.parametrize(("method", "target", "keys", "first"), STREAMS)


def opened(server: "Server", method: str, target: str, keys: Keys) -> Any:
    body = json.dumps(ALICE).encode() if method == "REPORT" else b""
    return stream(server.origin, target, keys(server.credentials), method=method, body=body)


def sdks(server: "Server") -> int:
    return int(server.http.get("/healthz").json()["sdks"])


@every_stream
def test_head_and_first_event(
    shared_server: "Server", method: str, target: str, keys: Keys, first: str
) -> None:
    with opened(shared_server, method, target, keys) as raw:
        assert raw.headers["content-type"] == "text/event-stream"
        assert raw.headers["cache-control"] == "no-cache"
        assert raw.headers["transfer-encoding"] == "chunked"
        assert raw.headers["x-ld-envid"] == CLIENT_SIDE_ID
        assert raw.headers["access-control-allow-origin"] == "*"
        assert raw.headers["date"].endswith(" GMT")
        assert "x-ld-fd-fallback" not in raw.headers
        assert "content-length" not in raw.headers
        assert raw.event()[0] == first


@every_stream
def test_a_change_is_heard(
    server: "Server", method: str, target: str, keys: Keys, first: str
) -> None:
    last = "payload-transferred" if first == "server-intent" else first
    changed = {"put": "patch", "server-intent": "put-object", "ping": "ping"}[first]
    server.create("articles-service", clientSideAvailability=AVAILABLE)
    with opened(server, method, target, keys) as raw:
        assert "false" in json.dumps(raw.events(last)) or first == "ping"
        server.patch("articles-service", ON)
        name, data = raw.event()
        assert name == changed
        assert first == "ping" or "true" in json.dumps(data)


@every_stream
def test_the_server_ends_it_properly(
    stopped: "Server", method: str, target: str, keys: Keys, first: str
) -> None:
    last = "payload-transferred" if first == "server-intent" else first
    with ExitStack() as stack:
        with stopped.running():
            raw = stack.enter_context(opened(stopped, method, target, keys))
            raw.events(last)
        assert raw.ended()


@pytest.mark.parametrize(
    ("method", "target", "key", "status", "code"),
    [
        pytest.param("GET", "/all", None, 401, "unauthorized", id="no-key"),
        pytest.param("GET", "/all", "sdk-wrong-wrong-wrong", 401, "unauthorized", id="unknown"),
        pytest.param("GET", "/all", "mobile", 401, "unauthorized", id="mobile-key"),
        pytest.param("GET", "/all", "client", 401, "unauthorized", id="client-side-id"),
        pytest.param("GET", "/sdk/stream", None, 401, "unauthorized", id="second"),
        pytest.param("GET", "/mping", "sdk", 401, "unauthorized", id="mobile-ping"),
        pytest.param("GET", f"/meval/{encoded(ALICE)}", "sdk", 401, "unauthorized", id="mobile"),
        pytest.param("REPORT", "/meval", None, 401, "unauthorized", id="mobile-report"),
        pytest.param("GET", f"/ping/{'f' * 24}", None, 404, "not_found", id="ping"),
        pytest.param(
            "GET", f"/eval/{'f' * 24}/{encoded(ALICE)}", None, 404, "not_found", id="browser"
        ),
        pytest.param("REPORT", f"/eval/{'f' * 24}", None, 404, "not_found", id="browser-report"),
        pytest.param(
            "GET",
            f"/sdk/stream/eval/{encoded(ALICE)}?auth={'f' * 24}",
            None,
            404,
            "not_found",
            id="browser-second",
        ),
        pytest.param(
            "GET",
            f"/sdk/stream/eval/{encoded(ALICE)}",
            "sdk",
            401,
            "unauthorized",
            id="mobile-second",
        ),
    ],
)
def test_wrong_key(
    shared_server: "Server", method: str, target: str, key: str | None, status: int, code: str
) -> None:
    credentials = shared_server.credentials
    known = {
        "sdk": credentials.sdk_key,
        "mobile": credentials.mobile_key,
        "client": credentials.client_side_id,
    }
    headers = {} if key is None else {"Authorization": known.get(key, key)}
    with connection(shared_server.origin) as raw:
        raw.request(method, target, headers, json.dumps(ALICE).encode() * (method == "REPORT"))
        assert (raw.status, json.loads(raw.body())["code"]) == (status, code)


@pytest.mark.parametrize(
    "context",
    [
        pytest.param("!!!", id="not-base64"),
        pytest.param(base64.urlsafe_b64encode(b"{").decode(), id="not-json"),
        pytest.param(encoded([]), id="list"),
        pytest.param(encoded({"kind": "user"}), id="no-key"),
        pytest.param(encoded({"kind": "user", "key": ""}), id="empty-key"),
        pytest.param(encoded({"kind": "multi"}), id="empty-multi"),
        pytest.param("%FF", id="not-utf-8"),
    ],
)
@pytest.mark.parametrize("path", [f"/eval/{CLIENT_SIDE_ID}", "/meval", "/sdk/stream/eval"])
def test_bad_context(shared_server: "Server", path: str, context: str) -> None:
    with connection(shared_server.origin) as raw:
        raw.request("GET", f"{path}/{context}", mobile_key(shared_server.credentials))
        assert raw.status == 400
        error = json.loads(raw.body())
        assert error["code"] == "invalid_request"
        assert error["message"].startswith("context")
        assert raw.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="not-json"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"kind":"user"}', id="no-key"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b'{"kind":"user","key":""}', id="empty-key"),
    ],
)
def test_bad_context_in_a_report(shared_server: "Server", body: bytes) -> None:
    with connection(shared_server.origin) as raw:
        raw.request("REPORT", f"/eval/{CLIENT_SIDE_ID}", {}, body)
        assert raw.status == 400
        assert json.loads(raw.body())["code"] == "invalid_request"
        assert raw.headers["access-control-allow-origin"] == "*"
        assert raw.at_end()


def test_a_huge_report_is_cut_off(shared_server: "Server") -> None:
    with connection(shared_server.origin) as raw:
        with pytest.raises((ConnectionError, IndexError)):
            raw.request("REPORT", f"/eval/{CLIENT_SIDE_ID}", {}, b" " * (MAX_CONTEXT + 1))


def test_a_request_that_never_ends_is_no_stream(server: "Server", wait: Wait) -> None:
    """Nothing is kept of one that announces a body and goes away."""
    head = f"GET /ping/{CLIENT_SIDE_ID} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
    for _ in range(3):
        with connection(server.origin) as raw:
            raw.socket.sendall(head.encode())
            server.http.get("/healthz")  # the loop has seen it by now, or will never
    assert sdks(server) == 0
    assert server.http.get("/status").json()["environments"]["cms production"]["sdks"] == 0


def test_in_small_pieces(shared_server: "Server") -> None:
    """A request may come a byte at a time."""
    with connection(shared_server.origin) as raw:
        key = shared_server.credentials.sdk_key
        head = f"GET /all HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n"
        for byte in head.encode():
            raw.socket.send(bytes([byte]))
        raw.read_head()
        assert (raw.status, raw.event()[0]) == (200, "put")


def test_a_stream_on_a_connection_that_was_used_before(server: "Server", wait: Wait) -> None:
    """As SDKs with a pool do: posts of events and polls, then the stream."""
    key = server_key(server.credentials)
    with connection(server.origin) as raw:
        raw.request("POST", "/bulk", key, b"[]")
        assert (raw.status, raw.body()) == (202, b"")
        raw.request("POST", "/diagnostic", key, b"{}")
        assert (raw.status, raw.body()) == (202, b"")
        raw.request("GET", "/sdk/latest-all", key)
        assert json.loads(raw.body()) == {"flags": {}, "segments": {}}
        raw.request("GET", "/all", key)
        assert (raw.status, raw.event()[0]) == (200, "put")
        server.create("articles-service")
        assert raw.event()[0] == "patch"
        assert sdks(server) == 1
    wait(lambda: sdks(server) == 0, "the end of the stream")


def test_what_is_said_on_a_stream_is_not_answered(server: "Server") -> None:
    with opened(server, "GET", "/all", server_key) as raw:
        raw.event()
        raw.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        server.create("articles-service")
        assert raw.event()[0] == "patch"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_open_no_stream(shared_server: "Server", method: str) -> None:
    with connection(shared_server.origin) as raw:
        raw.request(method, "/all", server_key(shared_server.credentials))
        assert raw.status in (401, 405)


def test_first_generation(server: "Server", segment: "Segments") -> None:
    server.create("articles-service")
    with opened(server, "GET", "/all", server_key) as raw:
        name, data = raw.event()
        assert (name, data["path"]) == ("put", "/")
        assert data["data"]["flags"]["articles-service"]["version"] == 1
        assert data["data"]["segments"] == {}
        server.patch("articles-service", ON)
        name, data = raw.event()
        assert (name, data["path"]) == ("patch", "/flags/articles-service")
        assert (data["data"]["version"], data["data"]["on"]) == (2, True)
        segment("staff")
        name, data = raw.event()
        assert (name, data["path"], data["data"]["version"]) == ("patch", "/segments/staff", 1)
        assert server.http.delete("/api/v2/segments/cms/production/staff").status_code == 204
        assert raw.event() == ("delete", {"path": "/segments/staff", "version": 2})
        assert server.http.delete("/api/v2/flags/cms/articles-service").status_code == 204
        name, data = raw.event()
        assert (name, data["path"]) == ("delete", "/flags/articles-service")
        assert data["version"] > 2
        deleted = data["version"]
        server.create("articles-service")
        name, data = raw.event()
        assert (name, data["path"]) == ("patch", "/flags/articles-service")
        assert data["data"]["version"] > deleted  # else SDKs would ignore it


def test_second_generation(server: "Server") -> None:
    server.create("articles-service")
    with opened(server, "GET", "/sdk/stream", server_key) as raw:
        intent, put, transferred = raw.events("payload-transferred")
        assert intent[1]["payloads"][0]["intentCode"] == "xfer-full"
        assert (put[0], put[1]["kind"], put[1]["key"]) == ("put-object", "flag", "articles-service")
        basis = transferred[1]["state"]
    with opened(server, "GET", f"/sdk/stream?basis={basis}", server_key) as raw:
        _, data = raw.event()
        assert data["payloads"][0]["intentCode"] == "none"
        server.patch("articles-service", ON)
        (put, transferred) = raw.events("payload-transferred")
        assert (put[0], put[1]["object"]["on"]) == ("put-object", True)
        assert transferred[1]["version"] == data["payloads"][0]["target"] + 1
        assert server.http.delete("/api/v2/flags/cms/articles-service").status_code == 204
        (gone, _) = raw.events("payload-transferred")
        assert (gone[0], gone[1]["key"]) == ("delete-object", "articles-service")
    with opened(server, "GET", f"/sdk/stream?basis={basis}", server_key) as raw:
        intent, gone, transferred = raw.events("payload-transferred")
        assert intent[1]["payloads"][0]["intentCode"] == "xfer-changes"
        assert (gone[0], gone[1]["key"]) == ("delete-object", "articles-service")


@pytest.mark.parametrize(
    ("target", "keys", "wanted"),
    [
        pytest.param(f"/eval/{CLIENT_SIDE_ID}/", no_key, {"browser"}, id="browser"),
        pytest.param("/meval/", mobile_key, {"mobile"}, id="mobile"),
    ],
)
@pytest.mark.parametrize("reasons", [False, True])
def test_client_side_streams_have_what_is_available(
    server: "Server", target: str, keys: Keys, wanted: set[str], reasons: bool
) -> None:
    server.create("neither")
    server.create("browser", clientSideAvailability={"usingEnvironmentId": True})
    server.create(
        "mobile", clientSideAvailability={"usingEnvironmentId": False, "usingMobileKey": True}
    )
    query = "?withReasons=true" if reasons else ""
    with opened(server, "GET", f"{target}{encoded(ALICE)}{query}", keys) as raw:
        _, data = raw.event()
        assert set(data) == wanted
        (key,) = wanted
        assert data[key]["value"] is False
        assert ("reason" in data[key]) is reasons
        server.patch("neither", ON)  # not heard
        server.patch(key, ON)
        name, patch = raw.event()
        assert (name, patch["key"], patch["value"]) == ("patch", key, True)
        assert ("reason" in patch) is reasons


def test_second_generation_for_browsers(server: "Server") -> None:
    server.create("closed")
    server.create("articles-service", clientSideAvailability=AVAILABLE)
    target = f"/sdk/stream/eval/{encoded(ALICE)}?auth={CLIENT_SIDE_ID}"
    with opened(server, "GET", target, no_key) as raw:
        intent, put, transferred = raw.events("payload-transferred")
        assert intent[1]["payloads"][0]["intentCode"] == "xfer-full"
        assert {k: put[1][k] for k in ("kind", "key")} == {
            "kind": "flag-eval",
            "key": "articles-service",
        }
        assert put[1]["object"]["value"] is False
        server.patch("closed", ON)
        server.patch("articles-service", ON)
        put, after = raw.events("payload-transferred")
        assert (put[0], put[1]["object"]["value"]) == ("put-object", True)
        assert put[1]["version"] == after[1]["version"] > transferred[1]["version"]
        assert server.http.delete("/api/v2/flags/cms/articles-service").status_code == 204
        gone, _ = raw.events("payload-transferred")
        assert (gone[0], gone[1]["kind"]) == ("delete-object", "flag-eval")


def hash_of(credentials: Credentials, key: str) -> str:
    return hmac.new(credentials.sdk_key.encode(), key.encode(), "sha256").hexdigest()


MULTI = {"kind": "multi", "user": {"key": "alice"}, "organization": {"key": "a:b%c"}}


@pytest.mark.parametrize(
    ("context", "key"),
    [
        pytest.param(ALICE, "alice", id="user"),
        pytest.param({"kind": "organization", "key": "acme"}, "organization:acme", id="kind"),
        pytest.param(MULTI, "organization:a%3Ab%25c:user:alice", id="several"),
    ],
)
def test_secure_mode(server: "Server", context: object, key: str) -> None:
    """A browser has to bring the hash of its context; phones have a secret key."""
    answer = server.http.patch(
        "/api/v2/projects/cms/environments/production",
        json=[{"op": "replace", "path": "/secureMode", "value": True}],
    )
    assert answer.status_code == 200, answer.text
    target = f"/eval/{CLIENT_SIDE_ID}/{encoded(context)}"
    poll = f"/sdk/evalx/{CLIENT_SIDE_ID}/contexts/{encoded(context)}"
    right = hash_of(server.credentials, key)
    for wrong in ("", "?h=", "?h=0", f"?h={right}0", "?h=%C3%A9"):
        with connection(server.origin) as raw:
            raw.request("GET", target + wrong)
            assert (raw.status, json.loads(raw.body())["code"]) == (400, "invalid_request")
        assert server.http.get(poll + wrong).status_code == 400
        body = json.dumps(context).encode()
        with connection(server.origin) as raw:
            raw.request("REPORT", f"/eval/{CLIENT_SIDE_ID}{wrong}", {}, body)
            assert (raw.status, json.loads(raw.body())["code"]) == (400, "invalid_request")
    with opened(server, "GET", f"{target}?h={right}", no_key) as raw:
        assert raw.event()[0] == "put"
    assert server.http.get(f"{poll}?h={right}").status_code == 200
    with opened(server, "GET", f"/meval/{encoded(context)}", mobile_key) as raw:
        assert raw.event()[0] == "put"


def test_two_environments_hear_only_their_changes(
    server: "Server", new_environment: Callable[[str], dict[str, Any]]
) -> None:
    server.create("articles-service")
    staging = new_environment("staging")
    headers = {"Authorization": staging["apiKey"]}
    with (
        stream(server.origin, "/all", headers) as there,
        opened(server, "GET", "/all", server_key) as here,
    ):
        assert there.headers["x-ld-envid"] == staging["_id"]
        assert list(there.event()[1]["data"]["flags"]) == ["articles-service"]
        here.event()
        server.patch("articles-service", ON)  # in production
        server.create("images-service")  # in both
        assert here.event()[1]["path"] == "/flags/articles-service"
        assert here.event()[1]["path"] == "/flags/images-service"
        assert there.event()[1]["path"] == "/flags/images-service"


def test_a_deleted_environment_ends_its_streams(
    server: "Server", new_environment: Callable[[str], dict[str, Any]]
) -> None:
    staging = new_environment("staging")
    headers = {"Authorization": staging["apiKey"]}
    with (
        stream(server.origin, "/all", headers) as there,
        opened(server, "GET", "/all", server_key) as here,
    ):
        there.event()
        here.event()
        path = "/api/v2/projects/cms/environments/staging"
        assert server.http.delete(path).status_code == 204
        assert there.ended()
        server.create("articles-service")
        assert here.event()[0] == "patch"
    with connection(server.origin) as raw:
        raw.request("GET", "/all", headers)
        assert raw.status == 401


@pytest.mark.parametrize(
    ("path", "targets"),
    [
        pytest.param("apiKey", [("/all", server_key), ("/sdk/stream", server_key)], id="sdk"),
        pytest.param(
            "mobileKey",
            [("/mping", mobile_key), (f"/meval/{encoded(ALICE)}", mobile_key)],
            id="mobile",
        ),
    ],
)
def test_a_new_key_ends_streams_with_the_old_one(
    server: "Server", path: str, targets: list[tuple[str, Keys]]
) -> None:
    streams: list[RawConnection] = []
    for target, keys in targets:
        raw = RawConnection(server.origin)
        raw.request("GET", target, keys(server.credentials))
        raw.events("payload-transferred") if target == "/sdk/stream" else raw.event()
        streams.append(raw)
    answer = server.http.post(f"/api/v2/projects/cms/environments/production/{path}")
    assert answer.status_code == 200, answer.text
    for raw in streams:
        assert raw.ended()
        raw.close()
    for target, keys in targets:
        with connection(server.origin) as refused:
            refused.request("GET", target, keys(server.credentials))
            assert refused.status == 401


def test_a_slow_reader_catches_up_with_one_put(server: "Server", wait: Wait) -> None:
    """On a real socket: it reads nothing while far more is said than the buffers hold."""

    def behind() -> bool:
        environments = server.http.get("/status").json()["environments"]
        return bool(environments["cms production"]["most_behind_seconds"] > 0)

    values = [{"value": f"{number} " + "x" * 60_000} for number in range(8)]
    server.create("large", variations=values, defaults={"onVariation": 0, "offVariation": 1})
    with connection(server.origin, receive_buffer=4096) as raw:
        raw.request("GET", "/all", server_key(server.credentials))
        number = 0
        while not behind():
            number += 1
            assert number < 1000, "the server keeps everything for a reader that takes nothing"
            server.patch("large", ON if number % 2 else OFF)
        for _ in range(20):  # nothing more is kept for it
            number += 1
            server.patch("large", ON if number % 2 else OFF)
        newest = 1 + number
        events = raw.events("put")
        while events[-1][0] != "put" or version(events[-1]) != newest:
            events.append(raw.event())
        puts = [event for event in events if event[0] == "put"]
        assert len(puts) >= 2
        assert len(events) < number
        wait(lambda: not behind(), "the server to know")
        server.patch("large", OFF if number % 2 else ON)
        name, data = raw.event()
        assert (name, data["data"]["version"]) == ("patch", newest + 1)


def version(event: tuple[str, Any]) -> int:
    return int(event[1]["data"]["flags"]["large"]["version"])
