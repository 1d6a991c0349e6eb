"""LaunchDarkly's SDK for browsers, unmodified, on a page in Chromium."""

import hmac
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser

from browser_page import SdkPage, page_server, posted
from flag_builders import CLAUSE, OFF, ON, Wait
from node_sdk import browser_bundle

if TYPE_CHECKING:
    from tests.flags.conftest import Server
    from tests.flags.sdk.conftest import Segments

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]
ALICE = {"kind": "user", "key": "alice"}
BOB = {"kind": "user", "key": "bob", "plan": "internal"}
OPEN = {"usingEnvironmentId": True}
CLOSED = {"usingEnvironmentId": False}
SECOND: dict[str, Any] = {"dataSystem": {}}
generations = pytest.mark.parametrize(
    "options", [pytest.param({}, id="first"), pytest.param(SECOND, id="second")]
)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with page_server(browser_bundle()) as origin:
        yield origin


@pytest.fixture
def page(chromium: Browser, origin: str) -> Iterator[SdkPage]:
    """With an empty storage."""
    with chromium.new_context() as context:
        yield SdkPage(context.new_page(), origin)


@pytest.fixture
def ready(server: "Server") -> "Server":
    """With a flag for browsers, and one that is not for them."""
    server.create("beta", clientSideAvailability=OPEN)
    server.create("closed", clientSideAvailability=CLOSED)
    return server


def begin(page: SdkPage, server: "Server", **options: Any) -> None:
    started = page.begin(server.origin, server.credentials.client_side_id, ALICE, **options)
    assert started == "complete", page.errors


@generations
def test_it_follows_changes(ready: "Server", page: SdkPage, options: dict[str, Any]) -> None:
    begin(page, ready, **options)
    assert page.flags() == {"beta": False}
    assert page.variation("closed", "default") == "default"
    ready.patch("beta", ON)
    page.wait_for("beta", True)
    ready.patch("beta", OFF)
    page.wait_for("beta", False)
    ready.create("new", clientSideAvailability=OPEN)
    page.wait_for("new", False)
    assert ready.http.delete("/api/v2/flags/cms/new").status_code == 204
    page.wait_for("new", None)
    assert set(page.run("changes")) == {"beta", "new"}
    expected = "/sdk/stream/eval/" if options else "/eval/0123456789abcdef01234567/"
    assert page.asked("GET", expected)
    assert not page.errors


@generations
def test_a_segment_and_a_prerequisite_reach_it(
    ready: "Server", page: SdkPage, segment: "Segments", options: dict[str, Any]
) -> None:
    """Changes of things that the page knows nothing of."""
    segment("staff")
    yes, no = (v["_id"] for v in ready.get("beta")["variations"])
    needed = ready.get("closed")["variations"][0]["_id"]
    is_staff = {**CLAUSE, "attribute": "", "op": "segmentMatch", "values": ["staff"]}
    ready.patch("closed", ON)
    ready.patch(
        "beta",
        ON,
        {"kind": "updateFallthroughVariationOrRollout", "variationId": no},
        {"kind": "addRule", "variationId": yes, "clauses": [is_staff]},
        {"kind": "addPrerequisite", "key": "closed", "variationId": needed},
    )
    begin(page, ready, **options)
    assert page.flags() == {"beta": False}
    segment("staff", {"kind": "addIncludedTargets", "contextKind": "user", "values": ["alice"]})
    page.wait_for("beta", True)
    ready.patch("closed", OFF)
    page.wait_for("beta", False)
    assert page.flags() == {"beta": False}


@generations
def test_another_context(ready: "Server", page: SdkPage, options: dict[str, Any]) -> None:
    yes, no = (v["_id"] for v in ready.get("beta")["variations"])
    ready.patch(
        "beta",
        ON,
        {"kind": "updateFallthroughVariationOrRollout", "variationId": no},
        {"kind": "addRule", "variationId": yes, "clauses": [CLAUSE]},
    )
    begin(page, ready, **options)
    assert page.variation("beta") is False
    bob = '{ kind: "user", key: "bob", plan: "internal" }'
    assert page.run(f"client.identify({bob}).then(r => r.status)") == "completed"
    assert page.variation("beta") is True
    ready.patch("beta", OFF)
    page.wait_for("beta", False)


@generations
def test_without_a_stream(ready: "Server", page: SdkPage, options: dict[str, Any]) -> None:
    begin(page, ready, streaming=False, **options)
    assert page.flags() == {"beta": False}
    assert not page.asked("GET", "/eval/")
    assert not page.asked("GET", "/sdk/stream/")


def test_report_mode(ready: "Server", page: SdkPage) -> None:
    """The context is in the body, so the stream only says when to poll."""
    begin(page, ready, useReport=True)
    assert page.flags() == {"beta": False}
    ready.patch("beta", ON)
    page.wait_for("beta", True)
    assert len(page.asked("REPORT", "/sdk/evalx/0123456789abcdef01234567/context")) >= 2
    assert page.asked("GET", "/ping/0123456789abcdef01234567")
    assert not page.asked("GET", "/sdk/evalx/")


@generations
def test_reasons(ready: "Server", page: SdkPage, options: dict[str, Any]) -> None:
    begin(page, ready, evaluationReasons=True, withReasons=True, **options)
    detail = page.run('client.variationDetail("beta", null)')
    assert (detail["value"], detail["variationIndex"], detail["reason"]) == (
        False, 1, {"kind": "OFF"},
    )  # fmt: skip
    ready.patch("beta", ON)
    page.wait_for("beta", True)
    detail = page.run('client.variationDetail("beta", null)')
    assert detail["reason"] == {"kind": "FALLTHROUGH"}


def test_what_it_reports_is_taken(ready: "Server", page: SdkPage, wait: Wait) -> None:
    begin(page, ready)
    page.variation("beta")
    page.run('client.track("paid", null, 9.5)')
    assert page.run("client.flush().then(r => r.result)") is True
    status = "/api/v2/flag-statuses/cms/production/beta"
    wait(lambda: ready.http.get(status).json()["name"] != "new", "the count to be written")
    events = page.asked("POST", "/events/bulk/0123456789abcdef01234567")
    kinds = {event["kind"] for request in events for event in posted(request)}
    assert {"identify", "summary", "custom"} <= kinds
    assert page.asked("POST", "/events/diagnostic/0123456789abcdef01234567")
    assert page.asked("GET", "/sdk/goals/0123456789abcdef01234567")
    assert {a.status for a in page.answers if "/events/" in a.url} <= {202, 204}
    assert not page.errors


@generations
def test_secure_mode(ready: "Server", page: SdkPage, options: dict[str, Any]) -> None:
    answer = ready.http.patch(
        "/api/v2/projects/cms/environments/production",
        json=[{"op": "replace", "path": "/secureMode", "value": True}],
    )
    assert answer.status_code == 200, answer.text
    right = hmac.new(ready.credentials.sdk_key.encode(), b"alice", "sha256").hexdigest()
    begin(page, ready, start={"identifyOptions": {"hash": right}}, **options)
    assert page.flags() == {"beta": False}
    ready.patch("beta", ON)
    page.wait_for("beta", True)


def test_an_unknown_client_side_id(ready: "Server", page: SdkPage) -> None:
    assert page.begin(ready.origin, "f" * 24, ALICE) == "failed"
    assert any(answer.status == 404 for answer in page.answers)
