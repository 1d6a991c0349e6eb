"""`/api/v2/projects`: projects, environments and the keys of SDKs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from rest_api import Api

if TYPE_CHECKING:
    from tests.flags.conftest import Server

Member = Callable[[str], httpx.Client]


def test_the_project_of_the_credentials_file(server: "Server") -> None:
    assert server.http.get("/api/v2/projects").json()["items"][0]["key"] == "cms"
    project = server.http.get("/api/v2/projects/cms").json()
    assert project["environments"]["items"][0]["key"] == "production"
    environment = server.http.get("/api/v2/projects/cms/environments/production").json()
    known = server.credentials
    assert environment["_id"] == known.client_side_id
    assert (environment["apiKey"], environment["mobileKey"]) == (known.sdk_key, known.mobile_key)


def test_pages(api: Api) -> None:
    listed = api.ask("GET", api.environments)
    assert [e["key"] for e in listed["items"]] == ["production", "staging"]
    listed = api.ask("GET", f"{api.environments}?limit=1&offset=1")
    assert [e["key"] for e in listed["items"]] == ["staging"]
    assert listed["totalCount"] == 2
    listed = api.ask("GET", "/api/v2/projects?limit=1")
    assert (len(listed["items"]), listed["totalCount"] > 1) == (1, True)


def test_create_project(api: Api) -> None:
    """The answer to a change has environments as a list, and the one to a read as a page."""
    key = f"{api.project}-more"
    body = {"key": key, "name": "More", "tags": ["x"]}
    made = api.ask("POST", "/api/v2/projects", 201, json=body)
    assert [e["key"] for e in made["environments"]] == ["production", "test"]
    read = api.ask("GET", f"/api/v2/projects/{key}")
    assert [e["key"] for e in read["environments"]["items"]] == ["production", "test"]
    assert (read["name"], read["tags"]) == ("More", ["x"])
    rename = [{"op": "replace", "path": "/name", "value": "Renamed"}]
    changed = api.ask("PATCH", f"/api/v2/projects/{key}", json=rename)
    assert (changed["name"], changed["environments"]) == ("Renamed", read["environments"]["items"])


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        pytest.param({"name": "x"}, 400, "invalid_request", "key: Field required", id="no-key"),
        pytest.param(
            {"key": "a", "name": ""}, 400, "invalid_request", "name: String should", id="no-name"
        ),
        pytest.param(
            {"key": "a", "name": "x", "environments": [{"key": "e", "name": "E", "color": "red"}]},
            400,
            "invalid_request",
            "environments.0.color: String should match",
            id="color",
        ),
        pytest.param(
            {"key": "a", "name": "x", "environments": [{"key": "e", "name": "E"}] * 2},
            409,
            "conflict",
            "environments: a key is given twice",
            id="twice",
        ),
        pytest.param(
            {"key": "cms", "name": "x"}, 409, "conflict", "project 'cms' exists", id="there"
        ),
    ],
)
def test_bad_project(api: Api, body: Any, status: int, code: str, message: str) -> None:
    found = api.refused("POST", "/api/v2/projects", status, code, json=body)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        pytest.param(
            {"op": "add", "path": "/key", "value": "cms"},
            "key: Extra inputs are not permitted",
            id="key",
        ),
        pytest.param({"op": "replace", "path": "/name", "value": ""}, "name: String", id="empty"),
        pytest.param({"op": "replace", "path": "/name", "value": 5}, "name: Input", id="type"),
        pytest.param({"op": "remove", "path": "/name"}, "name: Field required", id="removed"),
        pytest.param({"op": "replace", "path": "", "value": []}, "body: Input", id="whole"),
        pytest.param({"op": "replace", "path": "/x", "value": 1}, "patch: ", id="unknown"),
    ],
)
def test_bad_patch_of_a_project(api: Api, operation: Any, message: str) -> None:
    path = f"/api/v2/projects/{api.project}"
    found = api.refused("PATCH", path, 400, "invalid_request", json=[operation])
    assert found.startswith(message)


def test_the_life_of_an_environment(api: Api) -> None:
    api.create("a")
    body = {"key": "test", "name": "Test", "color": "00ff00", "tags": ["x"], "secureMode": True}
    made = api.ask("POST", api.environments, 201, json=body)
    assert (made["key"], made["color"], made["tags"]) == ("test", "00ff00", ["x"])
    assert (made["secureMode"], made["requireComments"], made["confirmChanges"]) == (
        True, False, False,
    )  # fmt: skip
    assert made["apiKey"].startswith("sdk-")
    assert made["mobileKey"].startswith("mob-")
    assert api.get("a")["environments"]["test"]["on"] is False
    patch = [
        {"op": "replace", "path": "/name", "value": "Tests"},
        {"op": "replace", "path": "/confirmChanges", "value": True},
        {"op": "add", "path": "/tags/-", "value": "y"},
    ]
    changed = api.ask("PATCH", f"{api.environments}/test", json=patch)
    assert changed == made | {"name": "Tests", "confirmChanges": True, "tags": ["x", "y"]}
    api.patch("a", {"kind": "turnFlagOn"}, environment="test")
    api.ask("DELETE", f"{api.environments}/test", 204)
    assert "test" not in api.get("a")["environments"]
    api.refused("GET", f"{api.environments}/test", 404, "not_found")
    assert [e["titleVerb"] for e in api.audit()[:1]] == ["deleted environment test"]


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        pytest.param({"key": "x"}, 400, "invalid_request", "name: Field required", id="no-name"),
        pytest.param(
            {"key": "x/y", "name": "X"}, 400, "invalid_request", "key: String should", id="key"
        ),
        pytest.param(
            {"key": "x", "name": "X", "secureMode": 1},
            400, "invalid_request", "secureMode: Input should be a valid boolean", id="type",
        ),
        pytest.param(
            {"key": "staging", "name": "X"},
            409, "conflict", "environment 'staging' exists already", id="there",
        ),
    ],
)  # fmt: skip
def test_bad_environment(api: Api, body: Any, status: int, code: str, message: str) -> None:
    assert api.refused("POST", api.environments, status, code, json=body).startswith(message)


def test_no_environment_in_no_project(api: Api) -> None:
    body = {"key": "x", "name": "X"}
    path = "/api/v2/projects/shop/environments"
    assert api.refused("POST", path, 404, "not_found", json=body) == "project 'shop' does not exist"


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        pytest.param({"op": "replace", "path": "/color", "value": "red"}, "color: ", id="color"),
        pytest.param(
            {"op": "replace", "path": "/secureMode", "value": "yes"}, "secureMode: ", id="type"
        ),
        pytest.param(
            {"op": "add", "path": "/apiKey", "value": "sdk-0123456789abcdef"},
            "apiKey: Extra inputs are not permitted",
            id="key",
        ),
        pytest.param(
            {"op": "add", "path": "/project", "value": "cms"}, "project: Extra", id="project"
        ),
    ],
)
def test_bad_patch_of_an_environment(api: Api, operation: Any, message: str) -> None:
    path = f"{api.environments}/staging"
    found = api.refused("PATCH", path, 400, "invalid_request", json=[operation])
    assert found.startswith(message)


def test_a_failed_test_operation(api: Api) -> None:
    test = [{"op": "test", "path": "/name", "value": "Other"}]
    path = f"{api.environments}/staging"
    api.refused("PATCH", path, 409, "optimistic_locking_error", json=test)


def test_the_last_environment_stays(api: Api) -> None:
    api.ask("DELETE", f"{api.environments}/staging", 204)
    message = api.refused("DELETE", f"{api.environments}/production", 409, "conflict")
    assert message == f"environment 'production' is the only one of project '{api.project}'"


@pytest.mark.parametrize(
    ("what", "member", "other", "read"),
    [
        pytest.param("apiKey", "apiKey", "mobileKey", "/sdk/latest-all", id="sdk"),
        pytest.param("mobileKey", "mobileKey", "apiKey", "/msdk/evalx/contexts/e30", id="mobile"),
    ],
)
def test_reset_key(
    api: Api, stranger: httpx.Client, what: str, member: str, other: str, read: str
) -> None:
    """The old key is worth nothing as soon as the new one is there."""

    def known(key: str) -> bool:
        return stranger.get(read, headers={"Authorization": key}).status_code != 401

    path = f"{api.environments}/production"
    old = api.ask("GET", path)
    assert known(old[member])
    new = api.ask("POST", f"{path}/{what}")
    assert new[member] != old[member]
    assert new | {member: old[member]} == old
    assert api.ask("GET", path) == new
    assert (known(old[member]), known(new[member]), known("sdk-wrong")) == (False, True, False)
    assert new[other] == old[other]


@pytest.mark.parametrize("what", ["apiKey", "mobileKey"])
def test_a_key_does_not_expire_later(api: Api, what: str) -> None:
    path = f"{api.environments}/production/{what}?expiry=32503680000000"
    message = api.refused("POST", path, 400, "invalid_request")
    assert message.startswith("expiry: the old key ends at once here")


@pytest.mark.parametrize(
    ("role", "masked"), [("reader", True), ("writer", False), ("admin", False)]
)
def test_keys_are_masked_for_viewers(api: Api, member: Member, role: str, masked: bool) -> None:
    whole = api.ask("GET", f"{api.environments}/production")
    client = member(role)
    for path in (
        f"{api.environments}/production",
        api.environments,
        f"/api/v2/projects/{api.project}",
        "/api/v2/projects?limit=1000",
    ):
        text = client.get(path).text
        for key in (whole["apiKey"], whole["mobileKey"]):
            assert (key in text) is not masked, path
    shown = client.get(f"{api.environments}/production").json()
    if masked:
        assert shown["apiKey"] == f"sdk-…{whole['apiKey'][-4:]}"
        assert shown["mobileKey"] == f"mob-…{whole['mobileKey'][-4:]}"


def test_no_answer_has_a_secret_of_the_server(server: "Server") -> None:
    """Nor do viewers see any key."""
    known = server.credentials
    server.create("a")
    token = server.http.post("/api/v2/tokens", json={"name": "v", "role": "reader"}).json()
    secrets = [known.session_secret, *known.tokens.values()]
    for http, hidden in (
        (server.http, secrets),
        (
            httpx.Client(base_url=server.origin, headers={"Authorization": token["token"]}),
            [*secrets, known.sdk_key, known.mobile_key, token["token"]],
        ),
    ):
        for path in (
            "projects", "projects/cms/environments/production", "caller-identity", "auditlog",
            "tokens", "projects/cms/environments/production/export", "flags/cms",
        ):  # fmt: skip
            text = http.get(f"/api/v2/{path}").text
            assert not [s for s in hidden if s in text], path
        if http is not server.http:
            http.close()
