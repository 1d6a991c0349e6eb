"""`/api/v2/flags` and `/api/v2/flag-statuses`: the life of a flag, and what is refused."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from rest_api import Api, semantic

ON, OFF = {"kind": "turnFlagOn"}, {"kind": "turnFlagOff"}
FALLTHROUGH = "updateFallthroughVariationOrRollout"


def ids(flag: dict[str, Any]) -> list[str]:
    return [v["_id"] for v in flag["variations"]]


def test_create_get_list(api: Api) -> None:
    made = api.create("articles-service", tags=["ops"], description="D")
    api.migration("publishing")
    assert (made["key"], made["kind"], made["_version"], made["tags"]) == (
        "articles-service", "boolean", 1, ["ops"],
    )  # fmt: skip
    assert [v["value"] for v in made["variations"]] == [True, False]
    assert list(made["environments"]) == ["production", "staging"]
    for environment in made["environments"].values():
        assert (environment["on"], environment["offVariation"]) == (False, 1)
        assert environment["fallthrough"] == {"variation": 0}
    assert api.get("articles-service") == made
    listed = api.ask("GET", api.flags)
    assert listed["totalCount"] == 2
    assert listed["items"] == [made, api.get("publishing")]


@pytest.mark.parametrize(
    ("query", "keys", "total"),
    [
        pytest.param("", ["a", "b", "c"], 3, id="all"),
        pytest.param("?tag=ops", ["b"], 1, id="tag"),
        pytest.param("?tag=ops&tag=web", [], 0, id="both-tags"),
        pytest.param("?tag=none", [], 0, id="unknown-tag"),
        pytest.param("?filter=tags:web", ["c"], 1, id="filter-tag"),
        pytest.param("?filter=query:a%2Bthird", ["c"], 1, id="words"),
        pytest.param("?filter=query:THIRD%2Bc,tags:web", ["c"], 1, id="words-and-tag"),
        pytest.param("?limit=2", ["a", "b"], 3, id="limit"),
        pytest.param("?limit=2&offset=2", ["c"], 3, id="page"),
        pytest.param("?offset=7", [], 3, id="beyond"),
        pytest.param("?env=production", ["a", "b", "c"], 3, id="environment"),
        pytest.param("?sort=-key", ["c", "b", "a"], 3, id="by-key"),
        pytest.param("?sort=name", ["c", "a", "b"], 3, id="by-name"),
        pytest.param("?sort=-creationDate&limit=1", ["b"], 3, id="newest"),
        pytest.param("?archived=true", ["gone"], 1, id="archived"),
        pytest.param("?filter=state:archived", ["gone"], 1, id="filter-archived"),
        pytest.param("?filter=state:live%2Barchived", ["a", "b", "c", "gone"], 4, id="both-states"),
    ],
)
def test_list(api: Api, query: str, keys: list[str], total: int) -> None:
    for key, name, tags in (
        ("gone", "Gone", []),
        ("c", "A third", ["web"]),
        ("a", "Second", []),
        ("b", "Third", ["ops"]),
    ):
        made = api.create(key, name=name, tags=tags)
        while time.time() * 1000 <= made["creationDate"]:
            pass  # until the next millisecond: flags are sorted by when they were made
    api.patch("gone", {"kind": "archiveFlag"})
    listed = api.ask("GET", api.flags + query)
    assert [f["key"] for f in listed["items"]] == keys
    assert listed["totalCount"] == total


@pytest.mark.parametrize(
    ("query", "environments"),
    [
        pytest.param("", ["production", "staging"], id="all"),
        pytest.param("?env=staging", ["staging"], id="one"),
        pytest.param("?env=staging&env=production", ["production", "staging"], id="repeated"),
        pytest.param("?env=staging,production", ["production", "staging"], id="listed"),
    ],
)
def test_environments_that_are_asked_for(api: Api, query: str, environments: list[str]) -> None:
    api.create("a")
    assert list(api.ask("GET", f"{api.flags}/a{query}")["environments"]) == environments
    (listed,) = api.ask("GET", api.flags + query)["items"]
    assert list(listed["environments"]) == environments


def test_filter_by_environment(api: Api) -> None:
    api.create("a")
    (listed,) = api.ask("GET", f"{api.flags}?filter=filterEnv:staging")["items"]
    assert list(listed["environments"]) == ["staging"]


@pytest.mark.parametrize("words", [("0", "1"), ("false", "true")], ids="/".join)
def test_summary_leaves_targeting_out(api: Api, words: tuple[str, str]) -> None:
    api.create("a")
    whole, short = (
        api.ask("GET", f"{api.flags}?summary={summary}")["items"][0]["environments"]["production"]
        for summary in words
    )
    assert set(whole) - set(short) == {
        "targets", "contextTargets", "rules", "fallthrough", "offVariation", "prerequisites",
    }  # fmt: skip


def test_patch(api: Api) -> None:
    api.create("a")
    flag = api.patch("a", ON, comment="why")
    assert (flag["environments"]["production"]["on"], flag["_version"]) == (True, 2)
    assert flag["environments"]["staging"]["on"] is False
    assert [flag["environments"][e]["version"] for e in ("production", "staging")] == [2, 1]
    assert api.get("a") == flag
    assert api.audit()[0]["comment"] == "why"


def test_a_patch_without_effect_leaves_no_trace(api: Api) -> None:
    api.create("a")
    before = api.everything()
    api.patch("a", OFF)
    assert api.everything() == before


def test_the_environment_may_be_in_the_query(api: Api) -> None:
    api.create("a")
    flag = api.ask("PATCH", f"{api.flags}/a?env=staging", **semantic(ON))
    assert flag["environments"]["staging"]["on"] is True
    assert list(flag["environments"]) == ["staging"]


def test_json_patch_and_merge_patch(api: Api) -> None:
    """All three manners of patches change the same flag; each is in the audit log."""
    made = api.create("a")
    path = "/environments/production/on"
    api.ask("PATCH", f"{api.flags}/a", json=[{"op": "replace", "path": path, "value": True}])
    with_comment = {
        "comment": "named",
        "patch": [{"op": "replace", "path": "/name", "value": "A"}],
    }
    api.ask("PATCH", f"{api.flags}/a", json=with_comment)
    merge = {"Content-Type": "application/merge-patch+json"}
    api.ask("PATCH", f"{api.flags}/a", content=b'{"tags":["x"]}', headers=merge)
    commented = json.dumps({"comment": "permanent", "merge": {"temporary": False}})
    flag = api.ask("PATCH", f"{api.flags}/a", content=commented, headers=merge)
    assert (flag["environments"]["production"]["on"], flag["name"]) == (True, "A")
    assert (flag["tags"], flag["temporary"]) == (["x"], False)
    assert flag["_version"] == made["_version"] + 4
    entries = api.audit()[:4]
    assert [e["comment"] for e in entries] == ["permanent", "", "named", ""]
    assert {e["titleVerb"] for e in entries} == {"patched a"}
    assert entries[2]["instructions"] == with_comment["patch"]


def test_migration_settings(api: Api) -> None:
    flag = api.migration("publishing")
    assert (flag["_purpose"], flag["kind"]) == ("migration", "multivariate")
    assert flag["migrationSettings"] == {"contextKind": "user", "stageCount": 6}
    assert flag["environments"]["production"]["migrationSettings"] == {"checkRatio": 1}
    assert "migrationSettings" not in api.create("a")


def test_on_from_the_start(api: Api) -> None:
    made = api.create("a", isFlagOn=True)
    assert [c["on"] for c in made["environments"].values()] == [True, True]


@pytest.mark.parametrize(
    "delete",
    [
        pytest.param(
            lambda api: api.ask("DELETE", f"{api.flags}/a?comment=gone", 204), id="delete"
        ),
        pytest.param(
            lambda api: api.ask(
                "PATCH", f"{api.flags}/a", 204, **semantic({"kind": "deleteFlag"}, comment="gone")
            ),
            id="instruction",
        ),
    ],
)
def test_delete(api: Api, delete: Callable[[Api], None]) -> None:
    api.create("a")
    delete(api)
    api.refused("GET", f"{api.flags}/a", 404, "not_found")
    newest = api.audit()[0]
    assert (newest["titleVerb"], newest["comment"]) == ("deleted a", "gone")
    again = api.create("a")
    assert again["_version"] == 3, "SDKs must see that it is newer than the one deleted"


def test_duplicate(api: Api) -> None:
    api.create("a")
    message = api.refused("POST", api.flags, 409, "conflict", json={"key": "a", "name": "again"})
    assert message == "flag 'a' exists already"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param([], "body: Input should be", id="list"),
        pytest.param("a", "body: Input should be", id="text"),
        pytest.param({"name": "x"}, "key: Field required", id="no-key"),
        pytest.param({"key": "a/b", "name": "x"}, "key: String should match", id="bad-key"),
        pytest.param(
            {"key": "a", "name": "x", "temporary": "no"}, "temporary: Input should", id="type"
        ),
        pytest.param(
            {"key": "a", "name": "x", "migrationSettings": {"stageCount": 2}},
            "migrationSettings: only with",
            id="settings",
        ),
    ],
)
def test_bad_flag(api: Api, body: Any, message: str) -> None:
    found = api.refused("POST", api.flags, 400, "invalid_request", json=body)
    assert found.startswith(message)


def test_flags_are_not_cloned(api: Api) -> None:
    api.create("a")
    body = {"key": "b", "name": "b"}
    message = api.refused("POST", f"{api.flags}?clone=a", 400, "invalid_request", json=body)
    assert message == "clone: flags cannot be cloned here; create one and patch it"


NO_SUCH = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("instructions", "message"),
    [
        pytest.param([], "semantic patch: instructions: List should have at least 1", id="none"),
        pytest.param([ON] * 101, "semantic patch: instructions: List should have at", id="many"),
        pytest.param(["turnFlagOn"], "semantic patch: instructions.0: Input should", id="text"),
        pytest.param(
            [ON, {"kind": "turnOn"}],
            "instructions[1].kind: unknown instruction 'turnOn'",
            id="kind",
        ),
        pytest.param([ON, {}], "instructions[1].kind: unknown instruction 'None'", id="no-kind"),
        pytest.param(
            [ON, {"kind": "deleteFlag"}],
            "instructions: deleteFlag is given alone, or not at all",
            id="delete-and-more",
        ),
        pytest.param(
            [{"kind": "turnFlagOn", "value": 1}],
            "instructions[0] (turnFlagOn): value: Extra inputs are not permitted",
            id="extra",
        ),
        pytest.param(
            [ON, {"kind": "updateOffVariation", "variationId": 1}],
            "instructions[1] (updateOffVariation): variationId: Input should be a valid string",
            id="type",
        ),
        pytest.param(
            [ON, {"kind": "updateOffVariation", "variationId": NO_SUCH}],
            f"instructions[1] (updateOffVariation): variation '{NO_SUCH}' is not of flag 'a'",
            id="variation",
        ),
        pytest.param(
            [{"kind": "addTags", "values": ["a b"]}],
            "instructions[0] (addTags): values.0: String should match pattern",
            id="tag",
        ),
        pytest.param(
            [{"kind": "addPrerequisite", "key": "nope", "variationId": NO_SUCH}],
            "instructions[0] (addPrerequisite): prerequisite flag 'nope' does not exist",
            id="prerequisite",
        ),
        pytest.param(
            [{"kind": "removeRule", "ruleId": "nope"}],
            "instructions[0] (removeRule): there is no rule 'nope'; known: none",
            id="rule",
        ),
    ],
)
def test_bad_patch(api: Api, instructions: Any, message: str) -> None:
    api.create("a")
    body = semantic(*instructions, environment="production")
    found = api.refused("PATCH", f"{api.flags}/a", 400, "invalid_request", **body)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param([60_000, 30_000], "weights sum to 90000, expected 100000", id="too-little"),
        pytest.param([60_000, 60_000], "weights sum to 120000, expected 100000", id="too-much"),
        pytest.param([-1, 100_001], "weight: Input should be greater than", id="negative"),
        pytest.param([0.5, 99_999.5], "Input should be a valid integer", id="fraction"),
    ],
)
def test_percentages_must_sum_up(api: Api, weights: Sequence[float], message: str) -> None:
    shares = dict(zip(ids(api.create("a")), weights, strict=True))
    body = semantic({"kind": FALLTHROUGH, "rolloutWeights": shares}, environment="production")
    assert message in api.refused("PATCH", f"{api.flags}/a", 400, "invalid_request", **body)


def test_prerequisites_must_not_go_round(api: Api) -> None:
    one, other = api.create("a"), api.create("b")

    def needs(flag: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "addPrerequisite", "key": flag["key"], "variationId": ids(flag)[0]}

    api.patch("a", needs(other))
    body = semantic(needs(one), environment="production")
    message = api.refused("PATCH", f"{api.flags}/b", 400, "invalid_request", **body)
    assert message.endswith("prerequisite 'a' would make a cycle with 'b'")
    add = {
        "op": "add",
        "path": "/environments/production/prerequisites/-",
        "value": {"key": "a", "variation": 0},
    }
    message = api.refused("PATCH", f"{api.flags}/b", 400, "invalid_request", json=[add])
    assert message.endswith("would make a cycle with 'b'")


@pytest.fixture
def needed(api: Api) -> Api:
    """With the flag `base`, of which the flag `user` is in need of variation 1."""
    base = api.choice("base", "x", "y", "z")
    api.create("user")
    prerequisite = {"kind": "addPrerequisite", "key": "base", "variationId": ids(base)[1]}
    api.patch("user", prerequisite)
    return api


@pytest.mark.parametrize(
    ("instruction", "status", "code", "message"),
    [
        pytest.param(
            {"kind": "archiveFlag"},
            400, "invalid_request", "flag 'base' is a prerequisite of user", id="archive",
        ),
        pytest.param(
            {"kind": "deleteFlag"},
            409, "conflict", "flag 'base' is a prerequisite of user", id="delete",
        ),
        pytest.param(
            {"kind": "removeVariation", "variationId": 1},
            400, "invalid_request", "flag 'user' needs it, or a later one, in 'production'",
            id="variation",
        ),
    ],
)  # fmt: skip
def test_what_others_need_stays(
    needed: Api, instruction: dict[str, Any], status: int, code: str, message: str
) -> None:
    if "variationId" in instruction:
        instruction = {**instruction, "variationId": ids(needed.get("base"))[1]}
    path = f"{needed.flags}/base"
    assert needed.refused("PATCH", path, status, code, **semantic(instruction)).endswith(message)


@pytest.mark.parametrize("merge", [False, True], ids=["json-patch", "merge-patch"])
def test_what_others_need_is_not_archived_by_a_document(needed: Api, merge: bool) -> None:
    body: dict[str, Any] = {"json": [{"op": "replace", "path": "/archived", "value": True}]}
    if merge:
        headers = {"Content-Type": "application/merge-patch+json"}
        body = {"content": b'{"archived":true}', "headers": headers}
    path = f"{needed.flags}/base"
    message = needed.refused("PATCH", path, 400, "invalid_request", **body)
    assert message == "flag 'base' is a prerequisite of user"


def test_delete_what_others_need(needed: Api) -> None:
    message = needed.refused("DELETE", f"{needed.flags}/base", 409, "conflict")
    assert message == "flag 'base' is a prerequisite of user"


@pytest.mark.parametrize(
    ("index", "use"),
    [
        pytest.param(0, "the variation is a default of new environments", id="default"),
        pytest.param(1, "rule 1 serves it", id="rule"),
        pytest.param(2, "it has individual targets", id="target"),
    ],
)
def test_a_variation_in_use_stays(api: Api, index: int, use: str) -> None:
    variations = ids(api.choice("a", "p", "q", "r", "s"))
    clause = {"attribute": "plan", "op": "in", "values": ["internal"]}
    api.patch(
        "a",
        {"kind": "addRule", "variationId": variations[1], "clauses": [clause]},
        {"kind": "addTargets", "variationId": variations[2], "values": ["ann"]},
    )
    body = semantic({"kind": "removeVariation", "variationId": variations[index]})
    assert use in api.refused("PATCH", f"{api.flags}/a", 400, "invalid_request", **body)
    shorter = [{"op": "remove", "path": f"/variations/{index}"}]
    message = api.refused("PATCH", f"{api.flags}/a", 400, "invalid_request", json=shorter)
    assert message.startswith(f"/variations/{index}: variations are removed or moved by")


@pytest.mark.parametrize(
    "environment", [pytest.param("test", id="unknown"), pytest.param("../x", id="odd")]
)
def test_patch_in_an_unknown_environment(api: Api, environment: str) -> None:
    api.create("a")
    body = semantic(ON, environment=environment)
    message = api.refused("PATCH", f"{api.flags}/a", 404, "not_found", **body)
    assert message.startswith(f"environment {environment!r} does not exist in project")


def test_patch_without_an_environment(api: Api) -> None:
    api.create("a")
    message = api.refused("PATCH", f"{api.flags}/a", 400, "invalid_request", **semantic(ON))
    assert message.endswith("expected environmentKey beside instructions: this changes one of them")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda: semantic({"kind": "updateName", "value": "B"}), id="semantic"),
        pytest.param(
            lambda: {"json": [{"op": "replace", "path": "/name", "value": "B"}]}, id="json-patch"
        ),
    ],
)
def test_if_match(api: Api, given: Callable[[], dict[str, Any]]) -> None:
    api.create("a")
    path = f"{api.flags}/a"
    read = api.http.get(path)
    assert read.headers["ETag"] == '"1"'
    api.patch("a", ON)
    body = given()
    outdated = {**body, "headers": {**body.get("headers", {}), "If-Match": read.headers["ETag"]}}
    message = api.refused("PATCH", path, 409, "optimistic_locking_error", **outdated)
    assert message == "flag 'a' has version 2, not 1: read it again"
    for match in ('"2"', 'W/"3"', "*"):
        body["headers"] = {**body.get("headers", {}), "If-Match": match}
        assert api.http.request("PATCH", path, **body).headers["ETag"] == '"3"'
    body["headers"]["If-Match"] = '"of another server"'
    message = api.refused("PATCH", path, 409, "optimistic_locking_error", **body)
    assert message == "flag 'a' has version 3, not 0: read it again"


@pytest.fixture
def strict(api: Api) -> Api:
    """Changes in production need a comment."""
    require = [{"op": "replace", "path": "/requireComments", "value": True}]
    api.create("a")
    api.ask("PATCH", f"{api.environments}/production", json=require)
    return api


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("PATCH", "/a", semantic(ON, environment="production"), id="semantic"),
        pytest.param(
            "PATCH", "/a", semantic(ON, environment="production", comment="  "), id="blank"
        ),
        pytest.param(
            "PATCH",
            "/a",
            {"json": [{"op": "replace", "path": "/environments/production/on", "value": True}]},
            id="json-patch",
        ),
        pytest.param("DELETE", "/a", {}, id="delete"),
    ],
)
def test_a_comment_is_required(strict: Api, method: str, path: str, body: dict[str, Any]) -> None:
    message = strict.refused(method, strict.flags + path, 400, "invalid_request", **body)
    assert message == "comment: environment 'production' requires one for every change"


def test_with_a_comment(strict: Api) -> None:
    assert strict.patch("a", ON, comment="why")["environments"]["production"]["on"] is True
    strict.patch("a", ON, environment="staging")


def test_comments_are_bounded(api: Api) -> None:
    api.create("a")
    path = f"{api.flags}/a"
    body = semantic(ON, environment="production", comment="x" * 2001)
    assert "comment: String should" in api.refused("PATCH", path, 400, "invalid_request", **body)
    comments: list[Any] = [5, {}, False, "x" * 2001]
    for comment in comments:
        document = {"comment": comment, "patch": [{"op": "replace", "path": "/name", "value": "B"}]}
        message = api.refused("PATCH", path, 400, "invalid_request", json=document)
        assert message == "comment: expected a text of at most 2000 characters"


def statuses(api: Api) -> dict[str, dict[str, Any]]:
    path = f"/api/v2/flag-statuses/{api.project}/production"
    listed = api.ask("GET", path)["items"]
    return {item["_links"]["parent"]["href"].rpartition("/")[2]: item for item in listed}


def test_statuses(api: Api) -> None:
    api.create("a")
    found = statuses(api)["a"]
    assert (found["name"], "lastRequested" in found) == ("new", False)
    assert api.ask("GET", f"/api/v2/flag-statuses/{api.project}/production/a") == found


def test_status_after_an_evaluation(
    api: Api, stranger: httpx.Client, wait: Callable[[Callable[[], bool], str], None]
) -> None:
    api.create("a")
    environment = api.ask("GET", f"{api.environments}/production")
    now = int(time.time() * 1000)
    summary = {
        "kind": "summary",
        "startDate": now,
        "endDate": now,
        "features": {
            "a": {
                "default": False,
                "contextKinds": ["user"],
                "counters": [{"variation": 0, "version": 1, "value": True, "count": 3}],
            }
        },
    }
    headers = {"Authorization": environment["apiKey"], "X-LaunchDarkly-Event-Schema": "4"}
    assert stranger.post("/bulk", json=[summary], headers=headers).status_code == 202
    wait(lambda: statuses(api)["a"]["name"] == "active", "the status of a flag that is in use")
    assert statuses(api)["a"]["lastRequested"].endswith(":00Z")
