"""What the tests of SDKs change on the server."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from tests.flags.conftest import Server

SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"


class Segments(Protocol):
    """Changes a segment of `production`; makes it when it is not there."""

    def __call__(self, key: str, *instructions: dict[str, Any]) -> None: ...


@pytest.fixture
def segment(server: "Server") -> Segments:
    path = "/api/v2/segments/cms/production"

    def change(key: str, *instructions: dict[str, Any]) -> None:
        if server.http.get(f"{path}/{key}").status_code == 404:
            made = server.http.post(path, json={"key": key, "name": key})
            assert made.status_code == 201, made.text
        if instructions:
            answer = server.http.patch(
                f"{path}/{key}",
                json={"environmentKey": "production", "instructions": instructions},
                headers={"Content-Type": SEMANTIC},
            )
            assert answer.status_code == 200, answer.text

    return change


@pytest.fixture
def new_environment(server: "Server") -> Callable[[str], dict[str, Any]]:
    """Makes one of the project `cms`; its REST form has `apiKey`, `mobileKey` and `_id`."""

    def create(key: str) -> dict[str, Any]:
        answer = server.http.post(
            "/api/v2/projects/cms/environments", json={"key": key, "name": key, "color": "417505"}
        )
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return create
