"""History and undoing, segments, environments, tokens, connected SDKs."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.flags.conftest import Server
    from tests.flags.dashboard.conftest import Browser

ON = {"kind": "turnFlagOn"}
Problem = Callable[[httpx.Response], str]
Read = Callable[[str], str]


def is_on(server: "Server", key: str, environment: str = "production") -> object:
    return server.get(key)["environments"][environment]["on"]


def newest(page: str) -> str:
    found = re.search(r'action="/p/cms/production(/history/\d+)/revert"', page)
    assert found, "nothing to revert"
    return found[1]


def test_history_shows_who_changed_what_how_and_why(
    server: "Server", alice: "Browser", read: Read
) -> None:
    server.create("a")
    alice.submit("/flags/a/change/switch", to="on", comment="<i>ready</i>")
    for path in ("/history", "/flags/a/history"):
        page = alice.page(path)
        text = read(page)
        assert "alice turned a on just now · dashboard · version 2" in text
        assert "alice created a just now · API · version 1 · all environments" in text
        assert "production: state off on" in text
        assert "&lt;i&gt;ready&lt;/i&gt;" in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        pytest.param("?flag=a", {"created a"}, id="flag"),
        pytest.param("?member=alice", {"created a", "created b"}, id="member"),
        pytest.param("?member=ali", set(), id="whole-member"),
        pytest.param("?q=CREATED+b", {"created b"}, id="words"),
        pytest.param("?q=nothing", set(), id="no-match"),
    ],
)
def test_history_filter(
    server: "Server", alice: "Browser", read: Read, query: str, shown: set[str]
) -> None:
    server.create("a")
    server.create("b")
    found = read(alice.page(f"/history{query}"))
    assert {words for words in ("created a", "created b") if f"alice {words}" in found} == shown


def test_history_pages(server: "Server", alice: "Browser") -> None:
    server.create("a")
    for n in range(30):
        server.patch("a", {"kind": "updateName", "value": f"name {n}"})
    first = alice.page("/history?flag=a")
    assert first.count("<li data-row>") == 25
    older = re.search(r'href="/p/cms/production([^"]+)" rel="next"', first)
    assert older
    rest = alice.page(older[1].replace("&amp;", "&"))
    assert rest.count("<li data-row>") == 6
    assert 'rel="next"' not in rest


def test_revert_undoes_one_change_and_keeps_later_ones(
    server: "Server", alice: "Browser", read: Read
) -> None:
    server.create("a")
    server.patch("a", ON)
    entry = newest(alice.page("/flags/a/history"))
    server.patch("a", {"kind": "updateName", "value": "Later"})
    answer = alice.submit(f"{entry}/revert", comment="too early")
    assert "Undone: turned a on." in read(answer.text)
    assert is_on(server, "a") is False
    assert server.get("a")["name"] == "Later"
    assert "too early" in alice.page("/history")


def test_a_revert_can_be_previewed(server: "Server", alice: "Browser", read: Read) -> None:
    server.create("a")
    server.patch("a", ON)
    entry = newest(alice.page("/flags/a/history"))
    page = alice.submit(f"{entry}/revert", preview="1").text
    assert "production: state on off" in read(page)
    assert is_on(server, "a") is True
    alice.submit(f"{entry}/revert", confirmed="1")
    assert is_on(server, "a") is False


@pytest.mark.parametrize("how", ["preview", "confirmed"])
def test_what_changed_again_since_cannot_be_undone(
    server: "Server", alice: "Browser", problem: Problem, how: str
) -> None:
    server.create("a")
    server.patch("a", {"kind": "updateName", "value": "One"})
    entry = newest(alice.page("/flags/a/history"))
    server.patch("a", {"kind": "updateName", "value": "Two"})
    assert "was changed again since" in problem(alice.submit(f"{entry}/revert", **{how: "1"}))
    assert server.get("a")["name"] == "Two"


def test_what_cannot_be_reverted_says_why(
    server: "Server", alice: "Browser", problem: Problem
) -> None:
    server.create("a")
    page = alice.page("/history?flag=a")
    (entry,) = set(re.findall(r"(/history/\d+)\"", page))
    assert "was created then" in problem(alice.submit(f"{entry}/revert"))


def test_segment(server: "Server", alice: "Browser", read: Read, problem: Problem) -> None:
    alice.submit("/new-segment", key="staff", name="Staff")
    path = "/segments/staff/change/members"
    alice.submit(path, list="Included", values="alice\nbob")
    alice.submit(path, list="Excluded", values="mallory", context_kind="user")
    alice.submit(path, list="Included", chip="bob", context_kind="user")
    clause = {
        "clause-0-op": "endsWith",
        "clause-0-attribute": "email",
        "clause-0-values": "@a.example",
    }
    alice.submit("/segments/staff/rules/new", **clause, share="12.5", description="Mail")
    page = alice.page("/segments/staff")
    text = read(page)
    assert "Remove alice from included" in page
    assert "Remove bob" not in page
    assert "Mail if user email ends with @a.example, 12.5 % of them" in text
    (rule,) = re.findall(r'name="remove" value="([^"]{36})"', page)
    alice.submit("/segments/staff/change/rules", remove=rule)
    assert "None." in alice.page("/segments/staff")
    entry = newest(alice.page("/history?flag=staff"))
    alice.submit(f"{entry}/revert")
    assert "Mail" in alice.page("/segments/staff")
    answer = alice.submit(path, list="Included", values="x", version="1")
    assert problem(answer).startswith("Somebody changed this meanwhile")
    alice.submit("/segments/staff/delete", confirm="staff")
    assert alice.get("/p/cms/production/segments/staff").status_code == 404


def test_a_segments_change_can_be_previewed(server: "Server", alice: "Browser", read: Read) -> None:
    yes = server.create("a")["variations"][0]["_id"]
    server.patch("a", ON, {"kind": "updateFallthroughVariationOrRollout", "variationId": yes})
    alice.submit("/new-segment", key="staff")
    path = "/segments/staff/change/members"
    form = {"list": "Included", "values": "alice"}
    page = alice.submit(path, **form, preview="1").text
    assert "This will move nobody: no flag looks at staff." in read(page)
    assert "included user alice" in read(page)
    assert "Remove alice" not in alice.page("/segments/staff")
    alice.submit(path, **form, confirmed="1")
    assert "Remove alice" in alice.page("/segments/staff")
    entry = newest(alice.page("/history?flag=staff"))
    assert "Make this change" in alice.submit(f"{entry}/revert", preview="1").text
    assert "Remove alice" in alice.page("/segments/staff")


def test_a_segment_in_use_is_not_deleted(
    server: "Server", alice: "Browser", problem: Problem
) -> None:
    yes = server.create("a")["variations"][0]["_id"]
    alice.submit("/new-segment", key="staff")
    rule = {"clause-0-op": "segmentMatch", "clause-0-segments": "staff", "serve": yes}
    alice.submit("/flags/a/rules/new", **rule)
    answer = alice.submit("/segments/staff/delete", confirm="staff")
    assert "is used by flag 'a'" in problem(answer)


def test_environments(server: "Server", alice: "Browser", read: Read) -> None:
    server.create("a")
    answer = alice.submit("/new-environment", key="staging", name="Staging <b>", color="#aa5500")
    assert answer.url.path == "/p/cms/staging/environments"
    assert "Staging &lt;b&gt;" in answer.text
    assert 'fill="#aa5500"' in answer.text
    alice.post("/p/cms/staging/flags/a/change/switch", data={"csrf": alice.csrf(), "to": "on"})
    assert (is_on(server, "a"), is_on(server, "a", "staging")) == (False, True)
    assert "Staging &lt;b&gt; <b>on</b>" in alice.page("/flags/a")
    alice.submit("/environments/staging", name="Stage", color="#123456", require_comments="1")
    assert "reason required" in read(alice.page("/environments"))
    alice.submit("/environments/staging/delete", confirm="staging")
    assert "Stage" not in alice.page("/environments")


def test_keys_are_masked_until_revealed(
    server: "Server", member: Callable[[str], "Browser"]
) -> None:
    operator = member("writer")
    assert server.credentials.sdk_key not in operator.page("/environments")
    assert server.credentials.client_side_id in operator.page("/environments")
    form: dict[str, Any] = {"field": "sdk_key"}
    answer = operator.submit("/environments/production/reveal", **form)
    assert server.credentials.sdk_key in answer.text
    assert server.credentials.mobile_key not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_tokens(server: "Server", alice: "Browser", read: Read, problem: Problem) -> None:
    page = alice.submit("/tokens", name="build <i>", role="writer").text
    secret = re.search(r'value="(api-[0-9a-f]{40})"', page)
    assert secret
    assert "build &lt;i&gt;" in page
    headers = {"Authorization": secret[1]}
    who = f"{server.origin}/api/v2/caller-identity"
    assert httpx.get(who, headers=headers).status_code == 200
    again = alice.page("/tokens")
    assert secret[1] not in again
    assert secret[1][-4:] in again
    (revoke,) = re.findall(r"/p/cms/production(/tokens/[^/\"]+/revoke)", again)
    alice.submit(revoke)
    assert httpx.get(who, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"name": ""}, "name: expected 1 to 100 characters", id="no-name"),
        pytest.param({"name": "x" * 101}, "name: expected 1 to 100 characters", id="long"),
        pytest.param({"name": "a\nb"}, "name: expected 1 to 100 characters", id="lines"),
        pytest.param({"role": "king"}, "role: choose one", id="role"),
    ],
)
def test_no_token(alice: "Browser", problem: Problem, fields: dict[str, str], message: str) -> None:
    answer = alice.submit("/tokens", **{"name": "build", "role": "reader", **fields})
    assert problem(answer).startswith(message)


def test_connected_sdks(server: "Server", alice: "Browser", read: Read) -> None:
    assert "0 SDKs connected" in read(alice.page())
    assert "No SDK has an open stream" in alice.page("/sdks")
    headers = {"Authorization": server.credentials.sdk_key, "User-Agent": "Python<b>/1"}
    with httpx.stream("GET", f"{server.origin}/all", headers=headers) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: put"
        assert "1 SDK connected" in read(alice.page())
        page = alice.page("/sdks")
        assert "Python&lt;b&gt;/1" in page
        assert "up to date" in page


def test_changes_are_streamed_to_the_page(server: "Server", alice: "Browser") -> None:
    server.create("a")
    with alice.stream("GET", "/changes") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        server.patch("a", ON)
        lines = answer.iter_lines()
        line = next(line for line in lines if line.startswith("data:"))
        assert '"kind":"flag"' in line
        assert '"key":"a"' in line
