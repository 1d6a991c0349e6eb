"""The REST API over HTTP: LaunchDarkly's shapes, errors and limits."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from launchdarkly_api.models.audit_log_entry_listing_rep_collection import (
    AuditLogEntryListingRepCollection,
)
from launchdarkly_api.models.feature_flag import FeatureFlag

if TYPE_CHECKING:
    from tests.flags.conftest import Server

FLAGS = "/api/v2/flags/cms"
ON, OFF = {"kind": "turnFlagOn"}, {"kind": "turnFlagOff"}
SEMANTIC = {"Content-Type": "application/json; domain-model=launchdarkly.semanticpatch"}


def error(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert set(body) == {"code", "message"}
    return answer.status_code, body["code"], body["message"]


def test_create_get_list(server: "Server") -> None:
    made = server.create("articles-service", tags=["ops"], description="D")
    server.migration("publishing")
    assert (made["key"], made["kind"], made["_version"], made["tags"]) == (
        "articles-service", "boolean", 1, ["ops"],
    )  # fmt: skip
    assert [v["value"] for v in made["variations"]] == [True, False]
    environment = made["environments"]["production"]
    assert (environment["on"], environment["offVariation"]) == (False, 1)
    assert environment["fallthrough"] == {"variation": 0}
    assert server.get("articles-service") == made
    listed = server.http.get(FLAGS).json()
    assert listed["totalCount"] == 2
    assert listed["items"] == [made, server.get("publishing")]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        pytest.param("", ["a", "b", "c"], id="all"),
        pytest.param("?tag=ops", ["b"], id="tag"),
        pytest.param("?tag=none", [], id="unknown-tag"),
        pytest.param("?limit=2", ["a", "b"], id="limit"),
        pytest.param("?limit=2&offset=2", ["c"], id="page"),
        pytest.param("?env=production", ["a", "b", "c"], id="environment"),
    ],
)
def test_list(server: "Server", query: str, keys: list[str]) -> None:
    for key in ("c", "a", "b"):
        server.create(key, tags=["ops"] if key == "b" else [])
    assert [f["key"] for f in server.http.get(FLAGS + query).json()["items"]] == keys


def test_patch(server: "Server") -> None:
    server.create("a")
    flag = server.patch("a", ON, comment="why")
    assert (flag["environments"]["production"]["on"], flag["_version"]) == (True, 2)
    assert server.get("a") == flag


def test_launchdarklys_own_client_reads_it(server: "Server") -> None:
    """The models of the `launchdarkly-api` package, made from LaunchDarkly's own description."""
    server.create("articles-service")
    ids = [v["_id"] for v in server.migration("publishing")["variations"]]
    flag = server.patch(
        "publishing",
        ON,
        {
            "kind": "updateFallthroughVariationOrRollout",
            "rolloutWeights": {ids[3]: 5_000, ids[2]: 95_000},
        },
        {"kind": "addTargets", "contextKind": "user", "variationId": ids[3], "values": ["alice"]},
        {
            "kind": "addRule",
            "variationId": ids[5],
            "clauses": [
                {"contextKind": "user", "attribute": "plan", "op": "in", "values": ["internal"]}
            ],
        },
    )
    read = FeatureFlag.from_json(json.dumps(flag))
    assert read is not None
    assert read.environments is not None
    written = json.loads(read.to_json())["environments"]["production"]
    environment = flag["environments"]["production"]
    for part in ("fallthrough", "targets", "prerequisites", "offVariation", "on", "version"):
        assert written[part] == environment[part], part
    assert written["rules"][0]["clauses"][0]["values"] == ["internal"]
    log = AuditLogEntryListingRepCollection.from_json(server.http.get("/api/v2/auditlog").text)
    assert log is not None
    assert [entry.title_verb for entry in log.items][-1] == "created articles-service"


def test_migration_settings(server: "Server") -> None:
    flag = server.migration("publishing")
    assert (flag["purpose"], flag["migrationSettings"]) == (
        "migration", {"contextKind": "user", "stageCount": 6},
    )  # fmt: skip
    assert flag["environments"]["production"]["migrationSettings"] == {"checkRatio": 1}


def test_delete(server: "Server") -> None:
    server.create("a")
    assert server.http.delete(f"{FLAGS}/a").status_code == 204
    assert error(server.http.get(f"{FLAGS}/a"))[0] == 404


def test_duplicate(server: "Server") -> None:
    server.create("a")
    answer = server.http.post(FLAGS, json={"key": "a", "name": "again"})
    assert error(answer) == (409, "conflict", "flag 'a' exists already")
    assert server.get("a")["name"] == "a"


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        pytest.param("GET", f"{FLAGS}/nope", "flag 'nope' does not exist", id="flag"),
        pytest.param("DELETE", f"{FLAGS}/nope", "flag 'nope' does not exist", id="delete"),
        pytest.param(
            "GET", "/api/v2/flags/shop", "project 'shop' does not exist; this server has 'cms'",
            id="project",
        ),
        pytest.param(
            "GET", f"{FLAGS}?env=test",
            "environment 'test' does not exist; this server has 'production'", id="environment",
        ),
        pytest.param(
            "GET", "/api/v2/projects/cms/environments/test",
            "environment 'test' does not exist; this server has 'production'",
            id="environment-path",
        ),
    ],
)  # fmt: skip
def test_not_found(server: "Server", method: str, path: str, message: str) -> None:
    assert error(server.http.request(method, path)) == (404, "not_found", message)


def test_unknown_path(server: "Server") -> None:
    assert error(server.http.get("/api/v2/segments/cms/production"))[:2] == (404, "not_found")
    assert error(server.http.put(f"{FLAGS}/a"))[:2] == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"key":"a"', id="cut-off"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b'{"key":"b","name":"b","variations":[{"value":NaN}]}', id="nan"),
        pytest.param(b'{"key":"b","name":"b","variations":[{"value":"\\ud800"}]}', id="surrogate"),
        pytest.param(b"[" * 200_000, id="deep"),
        pytest.param(b"[" + b"9" * 10_000 + b"]", id="endless-number"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_bad_json(server: "Server", method: str, body: bytes) -> None:
    server.create("a")
    path = FLAGS if method == "POST" else f"{FLAGS}/a"
    status, code, message = error(server.http.request(method, path, content=body, headers=SEMANTIC))
    assert (status, code) == (400, "invalid_request")
    assert message.startswith("body: expected a JSON object: ")
    assert len(server.http.get(FLAGS).json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param([], "body: Input should be", id="list"),
        pytest.param({"name": "x"}, "key: Field required", id="no-key"),
        pytest.param({"key": "a/b", "name": "x"}, "key: String should match", id="bad-key"),
    ],
)
def test_bad_flag(server: "Server", body: Any, message: str) -> None:
    status, code, found = error(server.http.post(FLAGS, json=body))
    assert (status, code) == (400, "invalid_request")
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param({"instructions": []}, 400, "semantic patch: instructions: ", id="nothing"),
        pytest.param(
            {"instructions": [ON, {"kind": "turnOn"}]},
            400,
            "instructions[1].kind: unknown instruction 'turnOn'",
            id="unknown",
        ),
        pytest.param(
            {"instructions": [ON], "environmentKey": "test"},
            404,
            "environment 'test' does not exist",
            id="environment",
        ),
    ],
)
def test_bad_patch(server: "Server", body: Any, status: int, message: str) -> None:
    made = server.create("a")
    answer = server.http.patch(f"{FLAGS}/a", content=json.dumps(body), headers=SEMANTIC)
    assert error(answer)[0] == status
    assert error(answer)[2].startswith(message)
    assert server.get("a") == made


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json-patch+json", "text/plain", None]
)
def test_only_semantic_patch(server: "Server", content_type: str | None) -> None:
    server.create("a")
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = server.http.patch(f"{FLAGS}/a", content=b"{}", headers=headers)
    status, _, message = error(answer)
    assert status == 400
    assert message == (
        "Content-Type: expected application/json; domain-model=launchdarkly.semanticpatch, "
        f"found {content_type!r}"
    )


def test_size(server: "Server") -> None:
    answer = server.http.post(FLAGS, content=b" " * (2 * 1024 * 1024))
    assert error(answer)[:2] == (413, "request_entity_too_large")


def test_chunked_bodies(server: "Server") -> None:
    made = server.http.post(FLAGS, content=iter([b'{"key":"a",', b'"name":"a"}']))
    assert made.status_code == 201
    large = server.http.post(FLAGS, content=iter([b" " * 65536] * 40))
    assert error(large)[0] in {400, 413}


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda http: http.get(FLAGS), id="list"),
        pytest.param(lambda http: http.post(FLAGS, json={"key": "b", "name": "b"}), id="create"),
        pytest.param(lambda http: http.delete(f"{FLAGS}/a"), id="delete"),
        pytest.param(lambda http: http.get("/api/v2/auditlog"), id="audit"),
        pytest.param(lambda http: http.get("/api/v2/caller-identity"), id="identity"),
    ],
)
@pytest.mark.parametrize("token", [None, "api-wrong-wrong-wrong", "sdk-5f1c0a9e-2b7d-4c63"])
def test_wrong_token(
    server: "Server", call: Callable[[httpx.Client], httpx.Response], token: str | None
) -> None:
    server.create("a")
    headers = {} if token is None else {"Authorization": token}
    with httpx.Client(base_url=server.origin, headers=headers) as stranger:
        assert error(call(stranger)) == (401, "unauthorized", "invalid access token")
    assert [f["key"] for f in server.http.get(FLAGS).json()["items"]] == ["a"]


def test_a_dashboard_session_is_no_access_to_the_api(server: "Server") -> None:
    with httpx.Client(base_url=server.origin) as browser:
        assert browser.get("/login?token=api-alice-7b1f44d2").status_code == 302
        assert browser.get(FLAGS).status_code == 401


def test_audit_log(server: "Server") -> None:
    for key in ("a", "b"):
        server.create(key)
    server.patch("a", ON, comment="ready")
    server.http.headers["X-Migrator-Via"] = "cli"
    server.patch("b", ON)

    def entries(query: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = server.http.get(f"/api/v2/auditlog{query}").json()["items"]
        return items

    assert [e["title"] for e in entries("")] == [
        "alice turned b on", "alice turned a on", "alice created b", "alice created a",
    ]  # fmt: skip
    newest, *_ = entries("?spec=proj/cms:env/production:flag/a")
    assert (newest["member"]["email"], newest["via"], newest["comment"]) == (
        "alice",
        "api",
        "ready",
    )
    assert (newest["version"], newest["instructions"]) == (2, [ON])
    assert newest["target"]["resources"] == ["proj/cms:env/production:flag/a"]
    assert [e["name"] for e in entries("?spec=proj/*:env/*:flag/b")] == ["b", "b"]
    assert entries("?limit=1")[0]["via"] == "cli"
    assert [e["title"] for e in entries("?limit=1&offset=3")] == ["alice created a"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("?spec=flag/a", "spec: expected proj/P:env/E:flag/KEY, found", id="spec"),
        pytest.param("?limit=many", "limit: expected a number, found 'many'", id="limit"),
        pytest.param("?offset=-1", "offset: expected a number, found '-1'", id="offset"),
        pytest.param("?limit=٣", "limit: expected a number, found", id="other-digits"),
        pytest.param(f"?offset={'9' * 50}", "offset: expected a number, found", id="too-large"),
    ],
)
def test_bad_query(server: "Server", query: str, message: str) -> None:
    status, _, found = error(server.http.get(f"/api/v2/auditlog{query}"))
    assert status == 400
    assert found.startswith(message)


def test_projects(server: "Server") -> None:
    assert server.http.get("/api/v2/projects").json()["items"][0]["key"] == "cms"
    project = server.http.get("/api/v2/projects/cms").json()
    assert project["environments"]["items"][0]["key"] == "production"
    environment = server.http.get("/api/v2/projects/cms/environments/production").json()
    assert environment["id"] == server.credentials.client_side_id
    assert server.http.get("/api/v2/caller-identity").json()["tokenName"] == "alice"


def test_no_answer_has_a_key_in_it(server: "Server") -> None:
    server.create("a")
    secrets = [
        server.credentials.sdk_key, server.credentials.session_secret,
        *server.credentials.tokens.values(),
    ]  # fmt: skip
    for path in ("projects", "projects/cms/environments/production", "caller-identity", "auditlog"):
        text = server.http.get(f"/api/v2/{path}").text
        assert not [s for s in secrets if s in text], path
