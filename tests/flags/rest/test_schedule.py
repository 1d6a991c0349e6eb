"""Scheduled changes: kept until they are due, then made once."""

import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from rest_api import Api

ON = {"kind": "turnFlagOn"}
LATER: Final = 32_503_680_000_000
"""The year 3000, in epoch milliseconds."""


def schedule(api: Api, due: int = LATER, **fields: Any) -> dict[str, Any]:
    body = {"executionDate": due, "instructions": [ON], **fields}
    made: dict[str, Any] = api.ask("POST", api.scheduled("a"), 201, json=body)
    return made


def test_create_get_list_cancel(api: Api) -> None:
    api.create("a")
    second = schedule(api)
    first = schedule(api, LATER - 1000, comment="soon")
    assert (first["executionDate"], first["instructions"]) == (LATER - 1000, [ON])
    assert (first["_maintainerId"], first["_version"], first["conflicts"]) == ("alice", 1, [])
    assert api.ask("GET", api.scheduled("a"))["items"] == [first, second]
    assert api.ask("GET", api.scheduled("a", "staging"))["items"] == []
    path = f"{api.scheduled('a')}/{first['_id']}"
    assert api.ask("GET", path) == first
    api.ask("DELETE", path, 204)
    assert api.ask("GET", api.scheduled("a"))["items"] == [second]
    assert api.config("a")["on"] is False


def test_it_is_made_when_it_is_due(
    api: Api, wait: Callable[[Callable[[], bool], str], None]
) -> None:
    api.create("a")
    schedule(api, int(time.time() * 1000) + 50, comment="at night")
    wait(lambda: bool(api.config("a")["on"]), "the scheduled change")
    newest = api.audit()[0]
    assert (newest["titleVerb"], newest["comment"]) == ("turned a on", "at night")
    assert (newest["via"], newest["member"]["email"]) == ("schedule", "alice")
    assert api.ask("GET", api.scheduled("a"))["items"] == []


def test_one_that_no_longer_fits_says_so(
    api: Api, wait: Callable[[Callable[[], bool], str], None]
) -> None:
    variations = [v["_id"] for v in api.choice("a", "p", "q", "r")["variations"]]
    off = {"kind": "updateOffVariation", "variationId": variations[1]}
    schedule(api, int(time.time() * 1000) + 300, instructions=[off])
    api.patch("a", {"kind": "removeVariation", "variationId": variations[1]})

    def conflicts() -> list[dict[str, str]]:
        (kept,) = api.ask("GET", api.scheduled("a"))["items"]
        found: list[dict[str, str]] = kept["conflicts"]
        return found

    wait(lambda: bool(conflicts()), "the reason why the change was not made")
    assert f"variation '{variations[1]}' is not of flag 'a'" in conflicts()[0]["reason"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            {"executionDate": 1, "instructions": [ON]},
            "executionDate: 1 is not in the future",
            id="past",
        ),
        pytest.param(
            {"executionDate": -1, "instructions": [ON]},
            "executionDate: Input should be greater",
            id="negative",
        ),
        pytest.param(
            {"executionDate": 1 << 53, "instructions": [ON]},
            "executionDate: Input should be less",
            id="beyond-json",
        ),
        pytest.param(
            {"executionDate": "tomorrow", "instructions": [ON]},
            "executionDate: Input should be a valid integer",
            id="type",
        ),
        pytest.param({"instructions": [ON]}, "executionDate: Field required", id="no-date"),
        pytest.param({"executionDate": LATER}, "instructions: Field required", id="nothing"),
        pytest.param(
            {"executionDate": LATER, "instructions": []}, "instructions: List should", id="empty"
        ),
        pytest.param(
            {"executionDate": LATER, "instructions": [{"kind": "turnOn"}]},
            "instructions[0].kind: unknown instruction 'turnOn'",
            id="unknown",
        ),
        pytest.param(
            {"executionDate": LATER, "instructions": [ON], "comment": "x" * 2001},
            "comment: String should have at most 2000",
            id="comment",
        ),
    ],
)
def test_bad_schedule(api: Api, body: Any, message: str) -> None:
    api.create("a")
    found = api.refused("POST", api.scheduled("a"), 400, "invalid_request", json=body)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("method", "flag", "environment", "identifier"),
    [
        pytest.param("GET", "nope", "production", "", id="list-flag"),
        pytest.param("GET", "a", "test", "", id="list-environment"),
        pytest.param("POST", "nope", "production", "", id="add-flag"),
        pytest.param("POST", "a", "test", "", id="add-environment"),
        pytest.param("GET", "a", "production", "/nope", id="get"),
        pytest.param("DELETE", "a", "production", "/nope", id="cancel"),
    ],
)
def test_not_found(api: Api, method: str, flag: str, environment: str, identifier: str) -> None:
    api.create("a")
    body = {"executionDate": LATER, "instructions": [ON]} if method == "POST" else None
    path = api.scheduled(flag, environment) + identifier
    api.refused(method, path, 404, "not_found", json=body)


def test_one_of_another_environment_is_not_found(api: Api) -> None:
    api.create("a")
    path = f"{api.scheduled('a', 'staging')}/{schedule(api)['_id']}"
    api.refused("DELETE", path, 404, "not_found")


def test_a_comment_is_required(api: Api) -> None:
    """When it is scheduled: nobody is there to give one when it is due."""
    api.create("a")
    require = [{"op": "replace", "path": "/requireComments", "value": True}]
    api.ask("PATCH", f"{api.environments}/production", json=require)
    body = {"executionDate": LATER, "instructions": [ON]}
    message = api.refused("POST", api.scheduled("a"), 400, "invalid_request", json=body)
    assert message == "comment: environment 'production' requires one for every change"
    schedule(api, comment="why")
