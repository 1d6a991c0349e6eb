"""`/api/v2/tokens`: access tokens, whose secrets are shown once."""

from typing import Any

import pytest

from rest_api import Api

TOKENS = "/api/v2/tokens"


def make(api: Api, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.ask(
        "POST", TOKENS, 201, json={"name": "n", "role": "reader"} | fields
    )
    return made


def test_the_secret_is_shown_once(api: Api) -> None:
    made = make(api, name="Robot", role="writer", memberId="robot")
    secret = made["token"]
    assert (made["name"], made["role"], made["memberId"]) == ("Robot", "writer", "robot")
    assert secret.startswith("api-")
    read = api.ask("GET", f"{TOKENS}/{made['_id']}")
    assert read == made | {"token": f"…{secret[-4:]}"}
    listed = api.ask("GET", f"{TOKENS}?limit=1000")
    assert read in listed["items"]
    assert listed["totalCount"] == len(listed["items"])
    assert secret not in str(listed)


def test_it_is_the_callers_without_a_member(api: Api) -> None:
    made = make(api)
    assert made["memberId"] == "alice"
    headers = {"Authorization": made["token"]}
    assert api.ask("GET", "/api/v2/caller-identity", headers=headers)["tokenId"] == made["_id"]


def test_pages(api: Api) -> None:
    make(api)
    make(api)
    first = api.ask("GET", f"{TOKENS}?limit=1")
    second = api.ask("GET", f"{TOKENS}?limit=1&offset=1")
    assert len(first["items"]) == len(second["items"]) == 1
    assert first["items"] != second["items"]
    assert first["totalCount"] == second["totalCount"] >= 3


def test_change(api: Api) -> None:
    made = make(api, role="reader")
    patch = [
        {"op": "replace", "path": "/role", "value": "admin"},
        {"op": "replace", "path": "/name", "value": "Other"},
    ]
    changed = api.ask("PATCH", f"{TOKENS}/{made['_id']}", json=patch)
    assert (changed["role"], changed["name"]) == ("admin", "Other")
    headers = {"Authorization": made["token"]}
    api.ask("GET", TOKENS, headers=headers)  # may, now


def test_revoke(api: Api) -> None:
    made = make(api)
    api.ask("DELETE", f"{TOKENS}/{made['_id']}", 204)
    api.refused("GET", f"{TOKENS}/{made['_id']}", 404, "not_found")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"role": "reader"}, "name: Field required", id="no-name"),
        pytest.param({"name": "n"}, "role: Field required", id="no-role"),
        pytest.param({"name": "n", "role": "owner"}, "role: Input should be", id="role"),
        pytest.param({"name": "n", "role": "operator"}, "role: Input should be", id="our-word"),
        pytest.param({"name": "", "role": "reader"}, "name: String should", id="empty"),
        pytest.param(
            {"name": "n", "role": "reader", "memberId": ""}, "memberId: String should", id="member"
        ),
    ],
)
def test_bad_token(api: Api, body: Any, message: str) -> None:
    count = api.ask("GET", TOKENS)["totalCount"]
    assert api.refused("POST", TOKENS, 400, "invalid_request", json=body).startswith(message)
    assert api.ask("GET", TOKENS)["totalCount"] == count


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        pytest.param({"op": "replace", "path": "/role", "value": "x"}, "role: Input", id="role"),
        pytest.param(
            {"op": "add", "path": "/memberId", "value": "bob"}, "memberId: Extra", id="member"
        ),
        pytest.param({"op": "remove", "path": "/name"}, "name: Field required", id="removed"),
        pytest.param({"op": "replace", "path": "/token", "value": "x"}, "patch: ", id="secret"),
    ],
)
def test_bad_change(api: Api, operation: Any, message: str) -> None:
    made = make(api)
    path = f"{TOKENS}/{made['_id']}"
    found = api.refused("PATCH", path, 400, "invalid_request", json=[operation])
    assert found.startswith(message)
    assert api.ask("GET", path)["role"] == "reader"


@pytest.mark.parametrize(
    ("method", "body"),
    [
        pytest.param("DELETE", {}, id="revoke"),
        pytest.param(
            "PATCH", {"json": [{"op": "replace", "path": "/name", "value": "x"}]}, id="change"
        ),
    ],
)
def test_tokens_of_the_credentials_file(api: Api, method: str, body: dict[str, Any]) -> None:
    mine = api.ask("GET", "/api/v2/caller-identity")["tokenId"]
    message = api.refused(method, f"{TOKENS}/{mine}", 409, "conflict", **body)
    assert message == "token 'alice' is of the credentials file: change it there"
