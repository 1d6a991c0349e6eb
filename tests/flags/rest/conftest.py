"""A project of each test's own, on one server, and members of all roles."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from flag_builders import ORIGIN
from flags.store import Store
from rest_api import Api

if TYPE_CHECKING:
    from tests.flags.conftest import Server

_numbers = itertools.count(1)


@pytest.fixture
def api(shared_server: "Server") -> Api:
    project = f"project-{next(_numbers)}"
    environments = [{"key": key, "name": key.title()} for key in ("production", "staging")]
    body = {"key": project, "name": "A project", "environments": environments}
    made = Api(shared_server.http, project)
    made.ask("POST", "/api/v2/projects", 201, json=body)
    return made


@pytest.fixture
def member(api: Api) -> Iterator[Callable[[str], httpx.Client]]:
    """Makes a client with a new token of a role."""
    with ExitStack() as stack:

        def made(role: str) -> httpx.Client:
            token = api.ask("POST", "/api/v2/tokens", 201, json={"name": "new", "role": role})
            headers = {"Authorization": token["token"]}
            return stack.enter_context(httpx.Client(base_url=api.http.base_url, headers=headers))

        yield made


@pytest.fixture
def stranger(api: Api) -> Iterator[httpx.Client]:
    """A client without a token."""
    with httpx.Client(base_url=api.http.base_url) as client:
        yield client


@pytest.fixture
def unused_store(tmp_path: Path) -> Iterator[Store]:
    """For what only looks at the routes."""
    with closing(Store(str(tmp_path / "flags.db"), ORIGIN)) as store:
        yield store
