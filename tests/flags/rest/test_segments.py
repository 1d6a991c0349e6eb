"""`/api/v2/segments`: the life of a segment in one environment, and what is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rest_api import Api, semantic

INCLUDE = {"kind": "addIncludedTargets", "values": ["ann"]}
MERGE = {"Content-Type": "application/merge-patch+json"}


def test_create_get_list(api: Api) -> None:
    made = api.segment("beta", name="Beta", description="D", tags=["x"])
    assert (made["key"], made["name"], made["description"]) == ("beta", "Beta", "D")
    assert (made["version"], made["tags"], made["rules"]) == (1, ["x"], [])
    assert (made["included"], made["excluded"]) == ([], [])
    assert api.ask("GET", f"{api.segments}/beta") == made
    api.segment("alpha")
    listed = api.ask("GET", api.segments)
    assert [s["key"] for s in listed["items"]] == ["alpha", "beta"]
    assert listed["totalCount"] == 2
    staging = api.ask("GET", f"/api/v2/segments/{api.project}/staging")
    assert staging["items"] == []


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        pytest.param("?filter=tags:x", ["b"], id="tag"),
        pytest.param("?filter=query:SECOND", ["b"], id="words"),
        pytest.param("?filter=tags:x,query:first", [], id="both"),
        pytest.param("?limit=1", ["a"], id="limit"),
        pytest.param("?limit=1&offset=1", ["b"], id="page"),
    ],
)
def test_list(api: Api, query: str, keys: list[str]) -> None:
    api.segment("a", name="First")
    api.segment("b", name="Second", tags=["x"])
    assert [s["key"] for s in api.ask("GET", api.segments + query)["items"]] == keys


def test_patch(api: Api) -> None:
    api.segment("beta")
    changed = api.patch_segment(
        "beta",
        INCLUDE,
        {"kind": "addExcludedTargets", "contextKind": "organization", "values": ["acme"]},
        {
            "kind": "addRule",
            "clauses": [{"attribute": "plan", "op": "in", "values": ["internal"]}],
            "weight": 50_000,
        },
    )
    assert (changed["version"], changed["included"]) == (2, ["ann"])
    assert changed["excludedContexts"] == [{"contextKind": "organization", "values": ["acme"]}]
    (rule,) = changed["rules"]
    assert (rule["weight"], rule["rolloutContextKind"]) == (50_000, "user")
    assert rule["clauses"][0]["values"] == ["internal"]
    assert api.ask("GET", f"{api.segments}/beta") == changed


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"json": [{"op": "add", "path": "/included/-", "value": "ann"}]}, id="json-patch"
        ),
        pytest.param(
            {
                "json": {
                    "comment": "why",
                    "patch": [{"op": "add", "path": "/included", "value": ["ann"]}],
                }
            },
            id="with-comment",
        ),
        pytest.param({"content": b'{"included":["ann"]}', "headers": MERGE}, id="merge-patch"),
        pytest.param(
            {
                "content": json.dumps({"comment": "why", "merge": {"included": ["ann"]}}),
                "headers": MERGE,
            },
            id="merge-patch-with-comment",
        ),
    ],
)
def test_patch_of_the_document(api: Api, body: dict[str, Any]) -> None:
    api.segment("beta")
    changed = api.ask("PATCH", f"{api.segments}/beta", **body)
    assert (changed["included"], changed["version"]) == (["ann"], 2)
    newest = api.audit()[0]
    assert newest["comment"] == ("why" if b"why" in str(body).encode() else "")
    assert newest["titleVerb"] == "patched segment beta"


def test_delete(api: Api) -> None:
    api.segment("beta")
    api.ask("DELETE", f"{api.segments}/beta?comment=gone", 204)
    api.refused("GET", f"{api.segments}/beta", 404, "not_found")
    newest = api.audit()[0]
    assert (newest["titleVerb"], newest["comment"]) == ("deleted segment beta", "gone")
    assert api.segment("beta")["version"] == 3, "SDKs must see that it is newer"


def test_duplicate(api: Api) -> None:
    api.segment("beta")
    body = {"key": "beta", "name": "again"}
    message = api.refused("POST", api.segments, 409, "conflict", json=body)
    assert message == "segment 'beta' exists already"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"name": "x"}, "key: Field required", id="no-key"),
        pytest.param({"key": "a b", "name": "x"}, "key: String should match", id="key"),
        pytest.param({"key": "a", "name": ""}, "name: String should have", id="no-name"),
        pytest.param({"key": "a", "name": "x", "tags": "x"}, "tags: Input should", id="tags"),
        pytest.param({"key": "a", "name": "x", "unbounded": True}, "unbounded: Input", id="big"),
    ],
)
def test_bad_segment(api: Api, body: Any, message: str) -> None:
    found = api.refused("POST", api.segments, 400, "invalid_request", json=body)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("instructions", "message"),
    [
        pytest.param([], "semantic patch: instructions: List should have", id="none"),
        pytest.param(
            [INCLUDE, {"kind": "turnFlagOn"}],
            "instructions[1].kind: unknown instruction 'turnFlagOn'",
            id="of-flags",
        ),
        pytest.param(
            [{"kind": "addIncludedTargets", "values": "ann"}],
            "instructions[0] (addIncludedTargets): values: Input should be a valid list",
            id="type",
        ),
        pytest.param(
            [
                {
                    "kind": "addRule",
                    "clauses": [{"op": "segmentMatch", "values": ["beta"]}],
                }
            ],
            "instructions[0] (addRule): the segment would contain itself: 'beta'",
            id="itself",
        ),
        pytest.param(
            [
                {
                    "kind": "addRule",
                    "clauses": [{"op": "segmentMatch", "values": ["nope"]}],
                }
            ],
            "instructions[0] (addRule): segment 'nope' does not exist",
            id="unknown-segment",
        ),
    ],
)
def test_bad_patch(api: Api, instructions: Any, message: str) -> None:
    api.segment("beta")
    body = semantic(*instructions)
    found = api.refused("PATCH", f"{api.segments}/beta", 400, "invalid_request", **body)
    assert found.startswith(message)


def test_what_a_flag_uses_stays(api: Api) -> None:
    api.segment("beta")
    variation = api.create("a")["variations"][0]["_id"]
    clause = {"op": "segmentMatch", "values": ["beta"]}
    api.patch("a", {"kind": "addRule", "variationId": variation, "clauses": [clause]})
    message = api.refused("DELETE", f"{api.segments}/beta", 409, "conflict")
    assert message == "segment 'beta' is used by flag 'a'"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda: semantic(INCLUDE), id="semantic"),
        pytest.param(
            lambda: {"json": [{"op": "replace", "path": "/name", "value": "B"}]}, id="json-patch"
        ),
    ],
)
def test_if_match(api: Api, given: Callable[[], dict[str, Any]]) -> None:
    api.segment("beta")
    path, body = f"{api.segments}/beta", given()
    assert api.http.get(path).headers["ETag"] == '"1"'
    api.patch_segment("beta", {"kind": "updateDescription", "value": "D"})
    body["headers"] = {**body.get("headers", {}), "If-Match": '"1"'}
    message = api.refused("PATCH", path, 409, "optimistic_locking_error", **body)
    assert message == "segment 'beta' has version 2, not 1: read it again"
    body["headers"]["If-Match"] = '"2"'
    assert api.http.request("PATCH", path, **body).headers["ETag"] == '"3"'


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "", {"json": {"key": "new", "name": "New"}}, id="create"),
        pytest.param("PATCH", "/beta", semantic(INCLUDE), id="semantic"),
        pytest.param(
            "PATCH",
            "/beta",
            {"json": [{"op": "add", "path": "/included/-", "value": "ann"}]},
            id="json-patch",
        ),
        pytest.param("DELETE", "/beta", {}, id="delete"),
    ],
)
def test_a_comment_is_required(api: Api, method: str, path: str, body: dict[str, Any]) -> None:
    api.segment("beta")
    require = [{"op": "replace", "path": "/requireComments", "value": True}]
    api.ask("PATCH", f"{api.environments}/production", json=require)
    message = api.refused(method, api.segments + path, 400, "invalid_request", **body)
    assert message == "comment: environment 'production' requires one for every change"
