"""What all routes have in common: who may, what a body must be, and the shape of errors."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from flags.application import MAX_BODY
from rest_api import SEMANTIC, Api, semantic

if TYPE_CHECKING:
    from tests.flags.conftest import Server

ON = {"kind": "turnFlagOn"}
Member = Callable[[str], httpx.Client]


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        pytest.param("GET", "{flags}/nope", "flag 'nope' does not exist in project", id="flag"),
        pytest.param("DELETE", "{flags}/nope", "flag 'nope' does not exist", id="delete-flag"),
        pytest.param(
            "GET", "/api/v2/flags/shop", "project 'shop' does not exist", id="project-of-flags"
        ),
        pytest.param("GET", "/api/v2/projects/shop", "project 'shop' does not exist", id="project"),
        pytest.param(
            "GET", "{flags}?env=test", "environment 'test' does not exist in project", id="query"
        ),
        pytest.param(
            "GET", "{flags}?filter=filterEnv:test", "environment 'test' does", id="filter"
        ),
        pytest.param(
            "GET", "{environments}/test", "environment 'test' does not exist", id="environment"
        ),
        pytest.param(
            "POST", "{environments}/test/apiKey", "environment 'test' does not", id="reset-key"
        ),
        pytest.param(
            "DELETE", "{environments}/test", "environment 'test'", id="delete-environment"
        ),
        pytest.param("GET", "{segments}/nope", "segment 'nope' does not exist", id="segment"),
        pytest.param("DELETE", "{segments}/nope", "segment 'nope' does", id="delete-segment"),
        pytest.param("GET", "/api/v2/segments/shop/test", "project 'shop'", id="segments"),
        pytest.param("GET", "/api/v2/tokens/nope", "token 'nope' does not exist", id="token"),
        pytest.param("DELETE", "/api/v2/tokens/nope", "token 'nope' does not", id="delete-token"),
        pytest.param("GET", "/api/v2/auditlog/2147483647", "audit entry", id="entry"),
        pytest.param("POST", "/api/v2/auditlog/2147483647/revert", "audit entry", id="revert"),
        pytest.param("GET", "/api/v2/auditlog/9999999999", "The requested URL", id="large-entry"),
        pytest.param("GET", "/api/v2/flag-statuses/shop/test", "project 'shop'", id="statuses"),
        pytest.param("GET", "/api/v2/nothing", "The requested URL was not found", id="path"),
        pytest.param("GET", "{flags}/a%0Ab", "there is no such path", id="line-break"),
        pytest.param("GET", "{flags}/a%00b", "the character U+0000 is in no key", id="null"),
        pytest.param("GET", "/api/v2/auditlog?q=%00", "the character U+0000", id="null-in-query"),
    ],
)
def test_not_found(api: Api, method: str, path: str, message: str) -> None:
    path = path.format(**vars(api))
    assert api.refused(method, path, 404, "not_found").startswith(message)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("PUT", "{flags}/a", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}, id="flag"),
        pytest.param("DELETE", "{flags}", {"GET", "HEAD", "POST", "OPTIONS"}, id="flags"),
        pytest.param("POST", "/api/v2/auditlog", {"GET", "HEAD", "OPTIONS"}, id="audit-log"),
    ],
)
def test_method_not_allowed(api: Api, method: str, path: str, allowed: set[str]) -> None:
    path = path.format(**vars(api))
    api.refused(method, path, 405, "method_not_allowed")
    answer = api.http.request(method, path)
    assert set(answer.headers["Allow"].split(", ")) == allowed


TAKE_BODIES = [
    pytest.param("POST", "{flags}", id="create-flag"),
    pytest.param("PATCH", "{flags}/a", id="patch-flag"),
    pytest.param("POST", "{segments}", id="create-segment"),
    pytest.param("PATCH", "{segments}/a", id="patch-segment"),
    pytest.param("POST", "/api/v2/projects", id="create-project"),
    pytest.param("PATCH", "/api/v2/projects/{project}", id="patch-project"),
    pytest.param("POST", "{environments}", id="create-environment"),
    pytest.param("PATCH", "{environments}/staging", id="patch-environment"),
    pytest.param("POST", "{environments}/staging/import", id="import"),
    pytest.param("POST", "/api/v2/tokens", id="create-token"),
    pytest.param(
        "POST",
        "/api/v2/projects/{project}/flags/a/environments/staging/scheduled-changes",
        id="schedule",
    ),
]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "body: expected JSON: EOF", id="empty"),
        pytest.param(b'{"key":"a"', "body: expected JSON: EOF", id="cut-off"),
        pytest.param(b"\xff", "body: expected JSON: expected value", id="not-utf-8"),
        pytest.param(b'{"key":NaN}', "body: expected JSON: expected value", id="nan"),
        pytest.param(b'{"key":Infinity}', "body: expected JSON: expected", id="infinity"),
        pytest.param(b'{"key":"\\ud800"}', "body: expected JSON: ", id="surrogate"),
        pytest.param(b"[" * 200_000, "body: expected JSON: recursion limit", id="endless"),
        pytest.param(b"[" * 65 + b"]" * 65, "body: nested more than 64 deep", id="deep"),
        pytest.param(b"[" + b"9" * 10_000 + b"]", "body: expected JSON: ", id="endless-number"),
        pytest.param(
            b'{"key":"a","name":"n","key":"b"}',
            "body: expected JSON: the name 'key' is given twice",
            id="twice",
        ),
        pytest.param(
            b'{"a":[{"b":"\\u0000"}]}', "body: the character U+0000 cannot be kept", id="null"
        ),
    ],
)
@pytest.mark.parametrize(("method", "path"), TAKE_BODIES)
def test_bad_json(api: Api, method: str, path: str, body: bytes, message: str) -> None:
    api.create("a")
    api.segment("a")
    path = path.format(**vars(api))
    found = api.refused(method, path, 400, "invalid_request", content=body)
    assert found.startswith(message)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(("method", "path"), TAKE_BODIES)
def test_wrong_content_type(api: Api, method: str, path: str, content_type: str) -> None:
    api.create("a")
    api.segment("a")
    message = api.refused(
        method,
        path.format(**vars(api)),
        415,
        "unsupported_media_type",
        content=b"{}",
        headers={"Content-Type": content_type},
    )
    assert message == (
        "Content-Type: expected application/json, application/json-patch+json, "
        f"application/merge-patch+json, found '{content_type}'"
    )


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
@pytest.mark.parametrize(
    ("method", "path"), [p for p in TAKE_BODIES if p.id != "import"]
)  # which may bring more
def test_size(api: Api, method: str, path: str, chunked: bool) -> None:
    api.create("a")
    api.segment("a")
    path = path.format(**vars(api))
    sent: Any = b" " * (MAX_BODY + 1)
    if chunked:
        sent = iter([sent[:65536], sent[65536:]])
    api.refused(method, path, 413, "request_entity_too_large", content=sent)


def test_the_largest_body(api: Api) -> None:
    body = json.dumps({"key": "a", "name": "a"}).encode()
    api.ask("POST", api.flags, 201, content=body + b" " * (MAX_BODY - len(body)))


def test_chunked_body(api: Api) -> None:
    made = api.http.post(api.flags, content=iter([b'{"key":"a",', b'"name":"a"}']))
    assert made.status_code == 201
    assert api.get("a")["name"] == "a"


EVERYBODY = [
    ("GET", "{flags}"),
    ("GET", "{flags}/a"),
    ("GET", "{segments}"),
    ("GET", "/api/v2/projects"),
    ("GET", "{environments}/production"),
    ("GET", "{environments}/production/export"),
    ("GET", "/api/v2/flag-statuses/{project}/production"),
    ("GET", "/api/v2/projects/{project}/flags/a/environments/production/custom-events"),
    ("GET", "/api/v2/auditlog"),
    ("GET", "/api/v2/caller-identity"),
]
OPERATORS = [
    ("POST", "{flags}"),
    ("PATCH", "{flags}/a"),
    ("DELETE", "{flags}/a"),
    ("POST", "{segments}"),
    ("PATCH", "{segments}/a"),
    ("DELETE", "{segments}/a"),
    ("POST", "/api/v2/projects/{project}/flags/a/environments/production/scheduled-changes"),
    ("DELETE", "/api/v2/projects/{project}/flags/a/environments/production/scheduled-changes/1"),
    ("POST", "{environments}/production/import"),
    ("POST", "/api/v2/auditlog/1/revert"),
]
ADMINISTRATORS = [
    ("POST", "/api/v2/projects"),
    ("PATCH", "/api/v2/projects/{project}"),
    ("POST", "{environments}"),
    ("PATCH", "{environments}/production"),
    ("DELETE", "{environments}/production"),
    ("POST", "{environments}/production/apiKey"),
    ("POST", "{environments}/production/mobileKey"),
    ("GET", "/api/v2/tokens"),
    ("POST", "/api/v2/tokens"),
    ("GET", "/api/v2/tokens/1"),
    ("PATCH", "/api/v2/tokens/1"),
    ("DELETE", "/api/v2/tokens/1"),
]


@pytest.mark.parametrize("token", [None, "", "api-wrong-wrong-wrong", "sdk-5f1c0a9e-2b7d-4c63"])
def test_wrong_token(api: Api, stranger: httpx.Client, token: str | None) -> None:
    api.create("a")
    if token is not None:
        stranger.headers["Authorization"] = token
    for method, path in (*EVERYBODY, *OPERATORS, *ADMINISTRATORS):
        path = path.format(**vars(api))
        message = api.refused(method, path, 401, "unauthorized", by=stranger)
        assert message == "invalid access token"


def test_revoked_token(api: Api) -> None:
    token = api.ask("POST", "/api/v2/tokens", 201, json={"name": "new", "role": "writer"})
    headers = {"Authorization": token["token"]}
    api.ask("GET", api.flags, headers=headers)
    api.ask("DELETE", f"/api/v2/tokens/{token['_id']}", 204)
    api.refused("GET", api.flags, 401, "unauthorized", headers=headers)


@pytest.mark.parametrize(
    ("role", "needed", "refused"),
    [
        pytest.param("reader", "operator (writer)", OPERATORS, id="viewer-changes-flags"),
        pytest.param("reader", "admin (admin)", ADMINISTRATORS, id="viewer-administrates"),
        pytest.param("writer", "admin (admin)", ADMINISTRATORS, id="operator-administrates"),
    ],
)
def test_roles(
    api: Api, member: Member, role: str, needed: str, refused: list[tuple[str, str]]
) -> None:
    """The role is looked at first: whoever may not change a thing is not told what is there."""
    client = member(role)
    label = {"reader": "viewer", "writer": "operator"}[role]
    for method, path in refused:
        path = path.format(**vars(api))
        message = api.refused(method, path, 403, "forbidden", by=client, content=b"{}")
        assert message == f"{method} {path} needs the role {needed}; this token has {label}"


@pytest.mark.parametrize("role", ["reader", "writer", "admin"])
def test_everybody_reads(api: Api, member: Member, role: str) -> None:
    api.create("a")
    client = member(role)
    for method, path in EVERYBODY:
        assert client.request(method, path.format(**vars(api))).status_code == 200


def test_operators_change_flags(api: Api, member: Member) -> None:
    api.create("a")
    operator = member("writer")
    answer = operator.patch(f"{api.flags}/a", **semantic(ON, environment="production"))
    assert answer.json()["environments"]["production"]["on"] is True


def test_a_dashboard_session_is_no_access_to_the_api(server: "Server") -> None:
    token = server.credentials.tokens["alice"]
    with httpx.Client(base_url=server.origin) as browser:
        assert browser.post("/login", data={"token": token}).status_code == 302
        assert browser.get("/api/v2/flags/cms").status_code == 401


def test_the_document_needs_no_token(stranger: httpx.Client) -> None:
    assert stranger.get("/api/v2/openapi.json").json()["openapi"].startswith("3.1")


def test_caller_identity(api: Api, member: Member) -> None:
    mine = api.ask("GET", "/api/v2/caller-identity")
    assert (mine["memberId"], mine["tokenName"], mine["scopes"]) == ("alice", "alice", ["admin"])
    theirs = member("reader").get("/api/v2/caller-identity").json()
    assert (theirs["memberId"], theirs["tokenName"], theirs["scopes"]) == (
        "alice", "new", ["reader"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("/api/v2/auditlog?spec=flag/a", "spec: expected proj/KEY", id="spec"),
        pytest.param(
            "/api/v2/auditlog?limit=many", "limit: expected a number, found 'many'", id="limit"
        ),
        pytest.param(
            "/api/v2/auditlog?offset=-1", "offset: expected a number, found '-1'", id="offset"
        ),
        pytest.param("/api/v2/auditlog?limit=٣", "limit: expected a number", id="other-digits"),
        pytest.param(f"{{flags}}?offset={'9' * 50}", "offset: expected a number", id="too-large"),
        pytest.param("/api/v2/auditlog?before=now", "before: expected a number", id="before"),
        pytest.param("/api/v2/auditlog?after=1.5", "after: expected a number", id="after"),
        pytest.param(
            f"/api/v2/auditlog?q={'x' * 201}", "q: expected at most 200 characters", id="words"
        ),
        pytest.param(
            "{flags}?archived=maybe", "archived: expected false or true, found 'maybe'", id="switch"
        ),
        pytest.param(
            "{flags}?summary=2",
            "summary: expected 0 or false or 1 or true, found '2'",
            id="summary",
        ),
        pytest.param("{flags}?sort=size", "sort: expected name, key or creationDate", id="sort"),
        pytest.param(
            "{flags}?filter=tags",
            "filter: expected name:value, the names query, tags, state, filterEnv, found 'tags'",
            id="filter",
        ),
        pytest.param("{flags}?filter=owner:me", "filter: expected name:value", id="filter-name"),
        pytest.param("{flags}?filter=state:gone", "filter: state: expected live", id="state"),
        pytest.param(
            "{segments}?filter=state:live",
            "filter: expected name:value, the names query, tags",
            id="segments",
        ),
        pytest.param(
            "{environments}/production/export?format=xml",
            "format: expected json or yaml or datafile, found 'xml'",
            id="format",
        ),
    ],
)
def test_bad_query(api: Api, path: str, message: str) -> None:
    path = path.format(**vars(api))
    assert api.refused("GET", path, 400, "invalid_request").startswith(message)


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "{flags}/a"), ("DELETE", "{segments}/a"), ("POST", "/api/v2/auditlog/1/revert")],
)
def test_comment_in_the_query_is_bounded(api: Api, method: str, path: str) -> None:
    api.create("a")
    api.segment("a")
    path = f"{path.format(**vars(api))}?comment={'x' * 2001}"
    message = api.refused(method, path, 400, "invalid_request")
    assert message == "comment: expected at most 2000 characters, found 2001"


@pytest.mark.parametrize("headers", [{"Content-Type": SEMANTIC}, {}], ids=["semantic", "json"])
@pytest.mark.parametrize("path", ["{flags}/a", "{segments}/a"], ids=["flag", "segment"])
def test_a_trial_is_refused(api: Api, path: str, headers: dict[str, str]) -> None:
    """Rather than done: the caller wants nothing to change."""
    api.create("a")
    api.segment("a")
    message = api.refused(
        "PATCH",
        f"{path.format(**vars(api))}?dryRun=true",
        400,
        "invalid_request",
        content=b"{}",
        headers=headers,
    )
    assert message == "dryRun: a patch cannot be tried here"
