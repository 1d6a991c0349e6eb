"""Changing flags without script: every form, previews, refusals, and what roles may do."""

import re
from collections.abc import Callable
from html import unescape
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.flags.conftest import Server
    from tests.flags.dashboard.conftest import Browser

ON = {"kind": "turnFlagOn"}
SWITCH = "/flags/a/change/switch"
Problem = Callable[[httpx.Response], str]
Read = Callable[[str], str]


def config(server: "Server", key: str) -> dict[str, Any]:
    found: dict[str, Any] = server.get(key)["environments"]["production"]
    return found


def hidden(page: str) -> dict[str, list[str]]:
    """What the confirmation page would send."""
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<textarea name="([^"]+)" hidden>\n([^<]*)</textarea>', page):
        fields.setdefault(unescape(name), []).append(unescape(value))
    return fields


def test_list(server: "Server", alice: "Browser") -> None:
    server.create("articles-service", tags=["ops"])
    server.migration("publishing")
    server.create("banner", description="a word to find")
    page = alice.page()
    order = [page.index(text) for text in ("Capabilities", "Services", "Other flags")]
    assert order == sorted(order)
    found = alice.page("/?q=WORD+find")
    assert 'id="flag-banner"' in found
    assert 'id="flag-publishing"' not in found
    tagged = alice.page("/?tag=ops")
    assert 'id="flag-articles-service"' in tagged
    assert 'id="flag-banner"' not in tagged
    assert "No flag matches." in alice.page("/?q=zzz")


def test_archived_flags_are_hidden_unless_asked_for(server: "Server", alice: "Browser") -> None:
    server.create("a")
    alice.submit("/flags/a/settings/archive", archive="1")
    assert 'id="flag-a"' not in alice.page()
    assert 'id="flag-a"' in alice.page("/?archived=1")
    assert "This flag is archived" in alice.page("/flags/a")
    alice.submit("/flags/a/settings/archive", restore="1")
    assert 'id="flag-a"' in alice.page()


def test_kill_switch(server: "Server", alice: "Browser", read: Read) -> None:
    server.create("a")
    answer = alice.submit(SWITCH, to="on", comment=" incident over ")
    assert answer.url.path == "/p/cms/production/flags/a"
    assert config(server, "a")["on"] is True
    answer = alice.submit(SWITCH, to="off", back="/p/cms/production/?q=a")
    assert str(answer.url).endswith("/p/cms/production/?q=a")
    assert "You turned a off in production." in read(answer.text)
    assert config(server, "a")["on"] is False
    assert "incident over" in alice.page("/flags/a/history")


def test_switching_what_is_so_already_is_no_change(server: "Server", alice: "Browser") -> None:
    server.create("a")
    version = server.get("a")["_version"]
    assert "Nothing had to change" in alice.submit(SWITCH, to="off").text
    assert server.get("a")["_version"] == version


def test_percentages(server: "Server", alice: "Browser") -> None:
    server.migration("publishing")
    shares = {"share-2": "94.5", "share-3": "5.5", "comment": "go"}
    page = alice.submit("/flags/publishing/change/default", **shares).text
    assert config(server, "publishing")["fallthrough"]["rollout"]["variations"] == [
        {"variation": 2, "weight": 94_500},
        {"variation": 3, "weight": 5_500},
    ]
    assert re.search(r'name="share-3"[^>]* value="5\.5"', alice.page("/flags/publishing"))
    assert "You changed the default rule of publishing" in page


def test_targets(server: "Server", alice: "Browser") -> None:
    live = server.migration("publishing")["variations"][3]["_id"]
    path, target = "/flags/publishing/change/targets", "<b>bob</b>"
    page = alice.submit(
        path, values=target, variation=live, back="/p/cms/production/flags/publishing"
    ).text
    assert "&lt;b&gt;bob&lt;/b&gt;" in page
    assert target not in page
    assert config(server, "publishing")["targets"] == [
        {"contextKind": "user", "variation": 3, "values": [target]}
    ]
    alice.submit(path, chip=target, variation=live, context_kind="user")
    assert not any(t["values"] for t in config(server, "publishing")["targets"])


def rule_form(**fields: str) -> dict[str, str]:
    return {
        "clause-0-op": "in", "clause-0-attribute": "plan", "clause-0-values": "trial, 7",
        **fields,
    }  # fmt: skip


def test_rules(server: "Server", alice: "Browser", read: Read) -> None:
    made = server.migration("publishing")
    off, live = (made["variations"][i]["_id"] for i in (0, 3))
    alice.submit("/flags/publishing/rules/new", **rule_form(serve=live, description="Trials"))
    alice.submit("/flags/publishing/rules/new", **rule_form(serve=off, description="Others"))
    assert "Trials if user plan is one of trial, 7 serve live" in read(
        alice.page("/flags/publishing")
    )
    first, second = config(server, "publishing")["rules"]
    alice.submit("/flags/publishing/change/rules", up=second["_id"])
    assert [r["description"] for r in config(server, "publishing")["rules"]] == ["Others", "Trials"]
    alice.submit("/flags/publishing/change/rules", remove=first["_id"])
    shares = {"serve": "percentages", "share-2": "40", "share-3": "60", "description": "Half"}
    clause = {"clause-0-id": second["clauses"][0]["_id"], "clause-0-op": "!startsWith"}
    alice.submit(f"/flags/publishing/rules/{second['_id']}", **rule_form(**shares, **clause))
    (rule,) = config(server, "publishing")["rules"]
    assert rule["description"] == "Half"
    assert [v["weight"] for v in rule["rollout"]["variations"]] == [40_000, 60_000]
    assert (rule["clauses"][0]["op"], rule["clauses"][0]["negate"]) == ("startsWith", True)
    assert rule["clauses"][0]["_id"] == second["clauses"][0]["_id"]


def test_the_rules_editor_needs_no_script(server: "Server", alice: "Browser") -> None:
    server.migration("publishing")
    path = "/flags/publishing/rules/new"
    page = alice.submit(path, **rule_form(description="mine", **{"add-clause": "1"})).text
    assert 'name="clause-1-op"' in page
    assert 'value="mine"' in page
    assert "trial, 7" in page
    page = alice.submit(path, **rule_form(**{"clause-1-op": "in", "remove-clause": "0"})).text
    assert 'name="clause-1-op"' not in page
    assert "trial, 7" not in page
    assert config(server, "publishing")["rules"] == []


def test_segments_in_rules(server: "Server", alice: "Browser", read: Read) -> None:
    live = server.migration("publishing")["variations"][3]["_id"]
    alice.submit("/new-segment", key="staff", name="Staff <i>")
    form = {"clause-0-op": "segmentMatch", "clause-0-segments": "staff", "serve": live}
    assert "Staff &lt;i&gt;" in alice.page("/flags/publishing/rules/new")
    alice.submit("/flags/publishing/rules/new", **form)
    assert "if is in the segment staff serve live" in read(alice.page("/flags/publishing"))
    assert "used by publishing" in read(alice.page("/segments"))


def test_prerequisites(server: "Server", alice: "Browser", read: Read) -> None:
    server.create("a")
    yes = server.create("b")["variations"][0]["_id"]
    alice.submit("/flags/a/change/prerequisites", needs=f"b/{yes}")
    assert "b serves true" in read(alice.page("/flags/a"))
    alice.submit("/flags/a/change/prerequisites", remove="b")
    assert config(server, "a")["prerequisites"] == []


def test_off_variation(server: "Server", alice: "Browser") -> None:
    yes = server.create("a")["variations"][0]["_id"]
    alice.submit("/flags/a/change/off-variation", variation=yes)
    assert config(server, "a")["offVariation"] == 0


def test_settings(server: "Server", alice: "Browser") -> None:
    server.create("a", tags=["old"])
    form = {"name": "A <b>", "description": "d", "tags": "x y", "browser": "1", "temporary": "1"}
    page = alice.submit("/flags/a/settings/names", **form).text
    assert "A &lt;b&gt;" in page
    made = server.get("a")
    assert (made["name"], made["description"], made["tags"]) == ("A <b>", "d", ["x", "y"])
    assert made["clientSideAvailability"] == {"usingEnvironmentId": True, "usingMobileKey": False}


def test_variations(server: "Server", alice: "Browser") -> None:
    alice.submit("/new-flag", key="colour", kind="multivariate", values="red\ngreen")
    path = "/flags/colour/settings/variation"
    alice.submit(path, value='{"a": 1}', name="Object")
    *_, last = server.get("colour")["variations"]
    assert (last["value"], last["name"]) == ({"a": 1}, "Object")
    alice.submit(path, id=last["_id"], value="blue", name="Blue")
    assert [v["value"] for v in server.get("colour")["variations"]] == ["red", "green", "blue"]
    alice.submit(path, remove=last["_id"])
    assert [v["value"] for v in server.get("colour")["variations"]] == ["red", "green"]


def test_a_new_flag_and_its_end(server: "Server", alice: "Browser", problem: Problem) -> None:
    answer = alice.submit("/new-flag", key="shop", kind="migration", stages="4")
    assert answer.url.path.endswith("/flags/shop")
    assert [v["value"] for v in server.get("shop")["variations"]] == [
        "off", "shadow", "live", "complete",
    ]  # fmt: skip
    answer = alice.submit("/new-flag", key="shop", kind="boolean", description="typed")
    assert problem(answer) == "flag 'shop' exists already"
    assert "typed" in answer.text
    assert problem(alice.submit("/flags/shop/delete", confirm="other")) == "Type shop to delete it."
    alice.submit("/flags/shop/delete", confirm="shop")
    assert server.http.get("/api/v2/flags/cms/shop").status_code == 404


@pytest.mark.parametrize(
    ("path", "fields", "message", "kept"),
    [
        pytest.param(
            "default", {"share-0": "50", "share-3": "12.5"},
            "the percentages sum to 62.5, expected 100", 'value="12.5"', id="sum",
        ),
        pytest.param(
            "default", {"share-0": "NaN"},
            "off: expected 0 to 100 with up to 3 decimals, found 'NaN'", 'value="NaN"', id="number",
        ),
        pytest.param(
            "targets", {"values": " ", "context_kind": "org"},
            "keys: expected the key of a context", 'value="org"', id="no-key",
        ),
        pytest.param(
            "targets", {"values": "bob", "variation": "zz"},
            "instructions[0] (addTargets): variation 'zz' is not of flag", "\nbob<", id="variation",
        ),
        pytest.param(
            "switch", {"to": "on", "comment": "x" * 2001},
            "reason: 2001 characters, expected at most 2000", "xxxxx", id="long-reason",
        ),
        pytest.param(
            "default", {"share-0": "100", "version": "77", "comment": "because"},
            "Somebody changed this meanwhile (version 1).", 'value="because"', id="outdated",
        ),
    ],
)  # fmt: skip
def test_a_refused_change_says_why_and_keeps_what_was_typed(
    server: "Server", alice: "Browser", problem: Problem, path: str, fields: dict[str, str],
    message: str, kept: str,
) -> None:  # fmt: skip
    made = server.migration("publishing")
    answer = alice.submit(f"/flags/publishing/change/{path}", **fields)
    assert answer.status_code in {400, 409}
    assert problem(answer).startswith(message)
    assert kept in answer.text
    assert server.get("publishing") == made


def test_a_refused_rule_keeps_what_was_typed(
    server: "Server", alice: "Browser", problem: Problem
) -> None:
    server.migration("publishing")
    form = rule_form(description="mine", **{"clause-0-op": "lessThan", "clause-0-values": "x"})
    answer = alice.submit("/flags/publishing/rules/new", **form)
    assert problem(answer) == "condition 1, values: expected a number, found 'x'"
    assert 'value="mine"' in answer.text
    assert re.search(r'value="lessThan" selected', answer.text)


def test_a_preview_changes_nothing_until_it_is_confirmed(
    server: "Server", alice: "Browser", read: Read
) -> None:
    server.migration("publishing")
    server.patch("publishing", ON)
    made = server.get("publishing")
    events = [
        {"kind": "index", "creationDate": 1, "context": {"kind": "user", "key": f"user-{i}"}}
        for i in range(40)
    ]
    headers = {"Authorization": server.credentials.sdk_key}
    assert httpx.post(f"{server.origin}/bulk", json=events, headers=headers).status_code == 202
    path = "/flags/publishing/change/default"
    page = alice.submit(path, preview="1", comment="why", **{"share-3": "100"}).text
    text = read(page)
    assert "This will move about 40 of 40 recently seen contexts." in text
    assert "off live 40" in text
    assert 'value="why"' in page
    assert server.get("publishing") == made
    alice.submit(path, **hidden(page), comment="why")
    assert config(server, "publishing")["fallthrough"] == {"variation": 3}


def test_a_preview_of_something_that_changed_since_is_not_confirmed(
    server: "Server", alice: "Browser", problem: Problem
) -> None:
    server.migration("publishing")
    path = "/flags/publishing/change/default"
    page = alice.submit(path, preview="1", **{"share-3": "100"}).text
    server.patch("publishing", ON)
    answer = alice.submit(path, **hidden(page))
    assert problem(answer).startswith("Somebody changed this meanwhile")


@pytest.mark.parametrize(
    ("choices", "fields", "is_asked"),
    [
        pytest.param({}, {}, False, id="neither"),
        pytest.param({"require_comments": "1"}, {"comment": "why"}, False, id="reason-given"),
        pytest.param({"require_comments": "1"}, {}, True, id="reason-missing"),
        pytest.param({"confirm_changes": "1"}, {"comment": "why"}, True, id="always-preview"),
    ],
)
def test_what_an_environment_asks_for(
    server: "Server", alice: "Browser", careful: Callable[..., None], choices: dict[str, str],
    fields: dict[str, str], is_asked: bool,
) -> None:  # fmt: skip
    server.create("a")
    careful(**choices)
    page = alice.submit(SWITCH, to="on", **fields).text
    assert ("Make this change" in page) is is_asked
    if is_asked:
        assert config(server, "a")["on"] is False
        alice.submit(SWITCH, **hidden(page), comment="why")
    assert config(server, "a")["on"] is True


def test_a_required_reason_cannot_be_confirmed_away(
    server: "Server", alice: "Browser", careful: Callable[..., None]
) -> None:
    server.create("a")
    careful(require_comments="1")
    assert "requires a reason" in alice.submit(SWITCH, to="on", confirmed="1").text
    assert config(server, "a")["on"] is False


def test_schedule(server: "Server", alice: "Browser", read: Read, problem: Problem) -> None:
    server.migration("publishing")
    path = "/flags/publishing/schedule"
    alice.submit(path, what="off", due="2999-01-01T06:00", comment="night <i>")
    form = {"what": "percentages", "due": "2999-01-02T06:00", "share-2": "90", "share-3": "10"}
    page = alice.submit(path, **form).text
    text = read(page)
    assert "2999-01-01 06:00:00 UTC: turn off by alice" in text
    assert "night &lt;i&gt;" in page
    assert "shadow 90 % live 10 %" in text
    cancel, _ = re.findall(r'action="/p/cms/production(/flags/publishing/schedule/[^"]+)"', page)
    assert "2999-01-01" not in alice.submit(cancel).text
    answer = alice.submit(path, what="on", due="2001-01-01T06:00", comment="kept")
    assert "is not in the future" in problem(answer)
    assert 'value="kept"' in answer.text


def test_evaluations(server: "Server", alice: "Browser", read: Read) -> None:
    server.create("a")
    assert "No SDK has reported" in alice.page("/flags/a/evaluations")
    assert "last 24 hours" in alice.page("/flags/a/evaluations?span=day")
    assert alice.page("/flags/a/evaluations?span=%3Cb%3E")


MAY_NOT = (
    "/flags/a/change/switch", "/flags/a/change/default", "/flags/a/rules/new", "/flags/a/schedule",
    "/flags/a/settings/names", "/flags/a/settings/archive", "/flags/a/delete", "/new-flag",
    "/new-segment", "/segments/s/change/members", "/segments/s/rules/new", "/segments/s/delete",
    "/history/2/revert", "/environments/production/reveal", "/environments/production",
    "/new-environment", "/environments/production/delete", "/tokens", "/tokens/x/revoke",
)  # fmt: skip


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        pytest.param("reader", MAY_NOT, id="viewer"),
        pytest.param("writer", MAY_NOT[14:], id="operator"),
    ],
)
def test_what_a_role_may_not_do(
    server: "Server", alice: "Browser", member: Callable[[str], "Browser"], problem: Problem,
    role: str, paths: tuple[str, ...],
) -> None:  # fmt: skip
    made = server.create("a")
    alice.submit("/new-segment", key="s")
    browser = member(role)
    form = {"to": "on", "archive": "1", "confirm": "a", "key": "k", "kind": "boolean"}
    for path in paths:
        answer = browser.submit(path, **form, name="n", role="admin", field="sdk_key")
        assert answer.status_code == 403, path
        assert "needs the role" in problem(answer), path
    assert server.get("a") == made


def test_a_viewer_sees_no_controls(
    server: "Server", alice: "Browser", member: Callable[[str], "Browser"]
) -> None:
    server.migration("publishing")
    alice.submit("/new-segment", key="s")
    viewer = member("reader")
    for path in (
        "/", "/flags/publishing", "/flags/publishing/schedule", "/flags/publishing/settings",
        "/flags/publishing/history", "/segments", "/segments/s", "/history", "/environments",
    ):  # fmt: skip
        forms = re.findall(r'<form method="post" action="([^"]+)"', viewer.page(path))
        assert forms == ["/logout"], path
    assert 'role="switch"' not in viewer.page()
    assert "API tokens" not in viewer.page()
    assert viewer.get("/p/cms/production/tokens").status_code == 403
