"""`/api/v2/auditlog`: who changed what, what it was before and after, and undoing it."""

from typing import Any

import pytest

from rest_api import Api

ON, OFF = {"kind": "turnFlagOn"}, {"kind": "turnFlagOff"}


def tag(*tags: str) -> dict[str, Any]:
    return {"kind": "addTags", "values": list(tags)}


def test_audit_log(api: Api) -> None:
    for key in ("a", "b"):
        api.create(key)
    api.patch("a", ON, comment="ready")
    said = {"X-Migrator-Via": "cli"}
    on = [{"op": "replace", "path": "/environments/production/on", "value": True}]
    api.ask("PATCH", f"{api.flags}/b", json=on, headers=said)
    titles = [e["title"] for e in api.audit()]
    assert titles == [
        "alice patched b",
        "alice turned a on",
        "alice created b",
        "alice created a",
        f"alice created project {api.project}",
    ]
    newest, *_ = api.audit(f"spec=proj/{api.project}:env/production:flag/a")
    assert (newest["member"]["email"], newest["via"], newest["comment"]) == (
        "alice", "api", "ready",
    )  # fmt: skip
    assert (newest["version"], newest["instructions"]) == (2, [ON])
    assert newest["target"]["resources"] == [f"proj/{api.project}:env/production:flag/a"]
    assert api.audit()[0]["via"] == "cli"


def test_a_client_does_not_choose_how_it_came_in(api: Api) -> None:
    body = {"key": "a", "name": "a"}
    api.ask("POST", api.flags, 201, json=body, headers={"X-Migrator-Via": "dashboard"})
    assert api.audit()[0]["via"] == "api"


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        pytest.param("spec=proj/{project}&limit=1", ["turned a off"], id="limit"),
        pytest.param("spec=proj/{project}&limit=1&offset=1", ["turned a on"], id="offset"),
        pytest.param(
            "spec=proj/{project}:env/production:flag/a", ["turned a on", "created a"], id="flag"
        ),
        pytest.param(
            "spec=proj/{project}:env/*:flag/a",
            ["turned a off", "turned a on", "turned a on", "created a"],
            id="any-environment",
        ),
        pytest.param(
            "spec=proj/{project}:env/production:segment/s", ["created segment s"], id="segment"
        ),
        pytest.param(
            "spec=proj/{project}:env/production:segment/*", ["created segment s"], id="any-segment"
        ),
        pytest.param(
            "spec=proj/{project}:env/staging",
            ["turned a off", "turned a on", "created a", "created project {project}"],
            id="environment-and-what-all-share",
        ),
        pytest.param("q=because", ["turned a on"], id="words-of-the-comment"),
        pytest.param("q=turned+off", ["turned a off"], id="words-of-the-title"),
        pytest.param("q=turned+nobody", [], id="all-words"),
        pytest.param("q=%25", [], id="no-pattern"),
        pytest.param("before=1", [], id="before"),
        pytest.param("after=99999999999999", [], id="after"),
    ],
)
def test_queries(api: Api, query: str, titles: list[str]) -> None:
    api.create("a")
    api.patch("a", ON, comment="because of it")
    api.segment("s")
    api.patch("a", ON, environment="staging")
    api.patch("a", OFF, environment="staging")
    found = [e["titleVerb"] for e in api.audit(query.format(project=api.project))]
    assert found == [title.format(project=api.project) for title in titles]


def test_one_entry_has_what_was_before_and_after(api: Api) -> None:
    api.create("a")
    api.patch("a", tag("x"))
    newest, created, *_ = api.audit()
    assert "previousVersion" not in newest
    whole = api.ask("GET", f"/api/v2/auditlog/{newest['_id']}")
    assert {k: v for k, v in whole.items() if k in newest} == newest
    assert (whole["previousVersion"]["tags"], whole["currentVersion"]["tags"]) == ([], ["x"])
    first = api.ask("GET", f"/api/v2/auditlog/{created['_id']}")
    assert (first["previousVersion"], first["currentVersion"]["key"]) == (None, "a")


def revert(api: Api, entry: dict[str, Any], query: str = "") -> dict[str, Any]:
    undone: dict[str, Any] = api.ask("POST", f"/api/v2/auditlog/{entry['_id']}/revert{query}")
    return undone


def test_revert_leaves_what_came_later(api: Api) -> None:
    api.create("a")
    api.patch("a", ON)
    wrong = api.audit()[0]
    api.patch("a", tag("later"))
    undone = revert(api, wrong, "?comment=oops")
    assert (undone["environments"]["production"]["on"], undone["tags"]) == (False, ["later"])
    assert undone == api.get("a")
    newest = api.audit()[0]
    assert (newest["titleVerb"], newest["comment"]) == (
        "reverted a: undid “turned a on”", "oops",
    )  # fmt: skip


def test_revert_a_revert(api: Api) -> None:
    api.create("a")
    api.patch("a", ON)
    revert(api, api.audit()[0])
    assert revert(api, api.audit()[0])["environments"]["production"]["on"] is True


def test_revert_a_deletion(api: Api) -> None:
    made = api.create("a", tags=["x"])
    api.patch("a", ON)
    api.ask("DELETE", f"{api.flags}/a", 204)
    again = revert(api, api.audit()[0])
    assert (again["tags"], again["variations"]) == (["x"], made["variations"])
    assert again["environments"]["production"]["on"] is True
    assert again["_version"] == 4


def test_revert_a_change_of_a_segment(api: Api) -> None:
    api.segment("s")
    api.patch_segment("s", {"kind": "addIncludedTargets", "values": ["ann"]})
    wrong = api.audit()[0]
    api.patch_segment("s", {"kind": "addTags", "values": ["later"]})
    undone = revert(api, wrong)
    assert (undone["included"], undone["tags"]) == ([], ["later"])


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(
            lambda api: api.create("a"),
            "'a' was created then: archive or delete it instead",
            id="creation-of-a-flag",
        ),
        pytest.param(
            lambda api: api.segment("s"),
            "segment 's' was created then: delete it instead",
            id="creation-of-a-segment",
        ),
        pytest.param(
            lambda api: api.ask("POST", f"{api.environments}/staging/apiKey"),
            "environment: such changes cannot be undone here",
            id="environment",
        ),
        pytest.param(lambda api: None, "project: such changes cannot be undone", id="project"),
    ],
)
def test_what_is_not_reverted(api: Api, prepare: Any, message: str) -> None:
    prepare(api)
    path = f"/api/v2/auditlog/{api.audit()[0]['_id']}/revert"
    assert api.refused("POST", path, 409, "conflict").startswith(message)


def test_a_revert_that_no_longer_fits(api: Api) -> None:
    """The variation that it would bring back into use is gone."""
    variations = [v["_id"] for v in api.choice("a", "p", "q", "r", "s")["variations"]]
    api.patch("a", {"kind": "updateOffVariation", "variationId": variations[2]})
    api.patch("a", {"kind": "updateOffVariation", "variationId": variations[1]})
    entry = api.audit()[0]
    api.patch("a", {"kind": "removeVariation", "variationId": variations[2]})
    answer = api.http.post(f"/api/v2/auditlog/{entry['_id']}/revert")
    assert answer.status_code in {400, 409}, answer.text
    assert api.config("a")["offVariation"] == 1


def test_a_revert_of_a_flag_that_is_gone(api: Api) -> None:
    api.create("a")
    api.patch("a", ON)
    entry = api.audit()[0]
    api.ask("DELETE", f"{api.flags}/a", 204)
    path = f"/api/v2/auditlog/{entry['_id']}/revert"
    api.refused("POST", path, 404, "not_found")


def test_a_revert_needs_a_comment_where_changes_do(api: Api) -> None:
    api.create("a")
    api.patch("a", ON)
    wrong = api.audit()[0]
    require = [{"op": "replace", "path": "/requireComments", "value": True}]
    api.ask("PATCH", f"{api.environments}/production", json=require)
    path = f"/api/v2/auditlog/{wrong['_id']}/revert"
    message = api.refused("POST", path, 400, "invalid_request")
    assert message == "comment: environment 'production' requires one for every change"
    revert(api, wrong, "?comment=why")
