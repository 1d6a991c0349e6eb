"""What browsers and phones poll, how they may ask, and what they may see."""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from flag_builders import ON
from flags.sdk.seen import Seen
from flags.streams.protocol import MAX_CONTEXT

if TYPE_CHECKING:
    from tests.flags.conftest import Server

ALICE = {"kind": "user", "key": "alice"}
ID = "0123456789abcdef01234567"


def encoded(context: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(context).encode()).decode().rstrip("=")


IN_PATH = encoded(ALICE)
PADDED = base64.urlsafe_b64encode(json.dumps(ALICE).encode()).decode()
assert PADDED != IN_PATH
USER = encoded({"key": "alice", "custom": {"plan": "trial"}})
BROWSER, MOBILE, SERVER = {"browser", "both"}, {"mobile", "both"}, {"browser", "mobile", "both"}
BROWSER_POLLS = [
    pytest.param("GET", f"/sdk/evalx/{ID}/contexts/{IN_PATH}", id="path"),
    pytest.param("GET", f"/sdk/evalx/{ID}/contexts/{PADDED}", id="padded"),
    pytest.param("REPORT", f"/sdk/evalx/{ID}/context", id="report"),
    pytest.param("GET", f"/sdk/evalx/{ID}/users/{USER}", id="user"),
    pytest.param("REPORT", f"/sdk/evalx/{ID}/user", id="user-report"),
]
MOBILE_POLLS = [
    pytest.param("GET", f"/msdk/evalx/contexts/{IN_PATH}", id="mobile"),
    pytest.param("REPORT", "/msdk/evalx/context", id="mobile-report"),
    pytest.param("GET", f"/msdk/evalx/users/{USER}", id="mobile-user"),
    pytest.param("REPORT", "/msdk/evalx/user", id="mobile-user-report"),
]
SERVER_POLLS = [
    pytest.param("GET", f"/sdk/evalx/contexts/{IN_PATH}", id="server"),
    pytest.param("REPORT", "/sdk/evalx/context", id="server-report"),
]
SECOND_POLLS = [
    pytest.param("GET", f"/sdk/poll/eval/{IN_PATH}?auth={ID}", id="second"),
    pytest.param("POST", f"/sdk/poll/eval?auth={ID}", id="second-post"),
]


def ask(
    server: "Server", method: str, target: str, key: str = "", body: object = ALICE, **kw: Any
) -> httpx.Response:
    content = json.dumps(body).encode() if method in ("REPORT", "POST") else None
    headers = {"Authorization": key, **kw.pop("headers", {})} if key else kw.pop("headers", {})
    return httpx.request(
        method, server.origin + target, content=content, headers=headers, timeout=20
    )


@pytest.fixture
def four(server: "Server") -> None:
    """Flags of each availability."""
    for key, browser, mobile in (
        ("neither", False, False),
        ("browser", True, False),
        ("mobile", False, True),
        ("both", True, True),
    ):
        availability = {"usingEnvironmentId": browser, "usingMobileKey": mobile}
        server.create(key, clientSideAvailability=availability)


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("method", "target"), BROWSER_POLLS)
def test_browsers(server: "Server", method: str, target: str) -> None:
    answer = ask(server, method, target)
    assert answer.status_code == 200
    assert set(answer.json()) == BROWSER
    assert answer.headers["x-ld-envid"] == ID
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("method", "target"), MOBILE_POLLS)
def test_phones(server: "Server", method: str, target: str) -> None:
    answer = ask(server, method, target, server.credentials.mobile_key)
    assert (answer.status_code, set(answer.json())) == (200, MOBILE)


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("method", "target"), SERVER_POLLS)
def test_servers(server: "Server", method: str, target: str) -> None:
    answer = ask(server, method, target, server.credentials.sdk_key)
    assert (answer.status_code, set(answer.json())) == (200, SERVER | {"neither"})


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("method", "target"), SECOND_POLLS)
def test_second_generation(server: "Server", method: str, target: str) -> None:
    answer = ask(server, method, target)
    assert answer.status_code == 200
    events = answer.json()["events"]
    assert [e["event"] for e in events] == [
        "server-intent", "put-object", "put-object", "payload-transferred",
    ]  # fmt: skip
    assert events[0]["data"]["payloads"][0]["intentCode"] == "xfer-full"
    assert {e["data"]["key"] for e in events[1:3]} == BROWSER
    assert {e["data"]["kind"] for e in events[1:3]} == {"flag-eval"}
    first_flags = ask(server, "GET", f"/sdk/evalx/{ID}/contexts/{IN_PATH}").json()
    assert {e["data"]["key"]: e["data"]["object"] for e in events[1:3]} == first_flags
    state = events[-1]["data"]["state"]
    joiner = "&" if "?" in target else "?"
    again = ask(server, method, f"{target}{joiner}basis={state}").json()["events"]
    assert {e["data"]["key"] for e in again[1:3]} == BROWSER


@pytest.mark.usefixtures("four")
def test_second_generation_for_phones(server: "Server") -> None:
    answer = ask(server, "GET", f"/sdk/poll/eval/{IN_PATH}", server.credentials.mobile_key)
    assert {e["data"]["key"] for e in answer.json()["events"][1:-1]} == MOBILE


def test_a_flag_as_a_browser_sees_it(server: "Server") -> None:
    yes = server.create("beta", clientSideAvailability={"usingEnvironmentId": True})["variations"][
        0
    ]["_id"]
    server.patch(
        "beta",
        ON,
        {"kind": "addTargets", "contextKind": "user", "variationId": yes, "values": ["alice"]},
    )
    target = f"/sdk/evalx/{ID}/contexts/{IN_PATH}"
    flag = ask(server, "GET", target).json()["beta"]
    version = flag.pop("version")
    assert flag == {"value": True, "variation": 0, "flagVersion": 2, "trackEvents": False}
    assert ask(server, "GET", f"{target}?withReasons=true").json()["beta"] == {
        **flag,
        "version": version,
        "reason": {"kind": "TARGET_MATCH"},
    }
    server.create("another")
    assert ask(server, "GET", target).json()["beta"]["version"] == version + 1


@pytest.mark.parametrize(("method", "target"), [BROWSER_POLLS[0], BROWSER_POLLS[2]])
def test_what_has_not_changed_is_not_sent_again(server: "Server", method: str, target: str) -> None:
    server.create("beta", clientSideAvailability={"usingEnvironmentId": True})
    tag = ask(server, method, target).headers["etag"]
    again = ask(server, method, target, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["access-control-allow-origin"] == "*"
    server.patch("beta", ON)
    assert ask(server, method, target, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("method", "target", "key", "status"),
    [
        pytest.param("GET", f"/sdk/evalx/{'f' * 24}/contexts/{IN_PATH}", "", 404, id="browser"),
        pytest.param("REPORT", f"/sdk/evalx/{'f' * 24}/context", "", 404, id="report"),
        pytest.param("GET", f"/sdk/goals/{'f' * 24}", "", 404, id="goals"),
        pytest.param("GET", f"/sdk/poll/eval/{IN_PATH}?auth={'f' * 24}", "", 404, id="second"),
        pytest.param("GET", f"/sdk/poll/eval/{IN_PATH}", "sdk", 401, id="second-mobile"),
        pytest.param("GET", f"/msdk/evalx/contexts/{IN_PATH}", "sdk", 401, id="mobile"),
        pytest.param("GET", f"/sdk/evalx/contexts/{IN_PATH}", "mobile", 401, id="server"),
    ],
)
def test_wrong_key(
    shared_server: "Server", method: str, target: str, key: str, status: int
) -> None:
    keys = {
        "sdk": shared_server.credentials.sdk_key,
        "mobile": shared_server.credentials.mobile_key,
    }
    answer = ask(shared_server, method, target, keys.get(key, key))
    assert answer.status_code == status
    assert answer.json()["code"] == {401: "unauthorized", 404: "not_found"}[status]
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "context",
    [
        pytest.param("!!!", id="not-base64"),
        pytest.param(encoded([]), id="list"),
        pytest.param(encoded({"kind": "user"}), id="no-key"),
        pytest.param(encoded({"kind": "kind", "key": "a"}), id="kind"),
        pytest.param(base64.urlsafe_b64encode(b"[" * 30_000).decode(), id="deep"),
    ],
)
def test_bad_context(shared_server: "Server", context: str) -> None:
    for path in (f"/sdk/evalx/{ID}/contexts/", "/sdk/poll/eval/"):
        answer = ask(shared_server, "GET", f"{path}{context}?auth={ID}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({"kind": "user"}, 400, "invalid_request", id="no-key"),
        pytest.param([], 400, "invalid_request", id="list"),
        pytest.param(
            {"kind": "user", "key": "x" * MAX_CONTEXT}, 413, "request_entity_too_large", id="large"
        ),
    ],
)
def test_bad_report(shared_server: "Server", body: object, status: int, code: str) -> None:
    answer = ask(shared_server, "REPORT", f"/sdk/evalx/{ID}/context", body=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


PREFLIGHTS = [
    f"/sdk/evalx/{ID}/contexts/{IN_PATH}",
    f"/sdk/evalx/{ID}/context",
    f"/sdk/goals/{ID}",
    f"/sdk/poll/eval/{IN_PATH}",
    "/sdk/poll/eval",
    f"/sdk/stream/eval/{IN_PATH}",
    f"/eval/{ID}/{IN_PATH}",
    f"/eval/{ID}",
    f"/ping/{ID}",
    f"/events/bulk/{ID}",
    f"/events/diagnostic/{ID}",
    f"/sdk/goals/{'f' * 24}",
]


@pytest.mark.parametrize("path", PREFLIGHTS)
def test_preflight(shared_server: "Server", path: str) -> None:
    """A browser asks before it sends the SDK's headers; whatever the key, it may ask."""
    sent = {
        "Origin": "https://www.example.com",
        "Access-Control-Request-Method": "REPORT",
        "Access-Control-Request-Headers": "content-type,x-launchdarkly-user-agent",
    }
    answer = httpx.options(shared_server.origin + path, headers=sent)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert {"GET", "POST", "REPORT"} <= listed(answer.headers, "access-control-allow-methods")
    assert {
        "content-type",
        "x-launchdarkly-user-agent",
        "x-launchdarkly-event-schema",
        "x-launchdarkly-payload-id",
        "x-launchdarkly-wrapper",
        "x-launchdarkly-tags",
        "if-none-match",
    } <= listed(answer.headers, "access-control-allow-headers")


def listed(headers: Mapping[str, str], name: str) -> set[str]:
    found = {part.strip() for part in headers[name].split(",")}
    return found if name.endswith("methods") else {part.lower() for part in found}


def test_goals(shared_server: "Server") -> None:
    answer = ask(shared_server, "GET", f"/sdk/goals/{ID}")
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["access-control-allow-origin"] == "*"


def test_secure_mode_of_the_second_generation(server: "Server") -> None:
    answer = server.http.patch(
        "/api/v2/projects/cms/environments/production",
        json=[{"op": "replace", "path": "/secureMode", "value": True}],
    )
    assert answer.status_code == 200, answer.text
    right = hmac.new(server.credentials.sdk_key.encode(), b"alice", "sha256").hexdigest()
    target = f"/sdk/poll/eval/{IN_PATH}?auth={ID}"
    assert ask(server, "GET", target).status_code == 400
    assert ask(server, "GET", f"{target}&h={right}").status_code == 200
    phone = ask(server, "GET", f"/sdk/poll/eval/{IN_PATH}", server.credentials.mobile_key)
    assert phone.status_code == 200


@pytest.mark.parametrize(
    ("method", "target"), [BROWSER_POLLS[0], BROWSER_POLLS[2], SECOND_POLLS[0], SECOND_POLLS[1]]
)
def test_who_asks_is_known_for_previews(
    server: "Server", monkeypatch: pytest.MonkeyPatch, method: str, target: str
) -> None:
    known: list[str] = []
    monkeypatch.setattr(
        Seen, "add", lambda _self, _environment, context: known.append(context.canonical_key)
    )
    ask(server, method, target)
    assert known == ["alice"]
