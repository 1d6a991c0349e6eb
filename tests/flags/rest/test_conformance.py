"""The running server does what its OpenAPI document says, whatever it is sent."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from flags.rest.openapi import document

if TYPE_CHECKING:
    from tests.flags.conftest import Server

SCHEMA = schemathesis.openapi.from_dict(document())
SCHEMA.config.generation.update(allow_x00=False)


@pytest.fixture(scope="module")
def session(shared_server: "Server") -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = shared_server.credentials.tokens["alice"]
        yield session


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_conformance(
    case: "schemathesis.Case[Any]", shared_server: "Server", session: requests.Session
) -> None:
    case.call_and_validate(base_url=shared_server.origin, session=session)
