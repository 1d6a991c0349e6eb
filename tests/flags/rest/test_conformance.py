"""The running server does what its OpenAPI document says, whatever it is sent."""

import itertools
from typing import TYPE_CHECKING, Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from flags.rest.openapi import document
from rest_api import Api

if TYPE_CHECKING:
    from tests.flags.conftest import Server

PATH: Final = ParameterLocation.PATH
SCHEMA: Final = schemathesis.openapi.from_dict(document())
SCHEMA.config.generation.update(
    # PostgreSQL keeps no U+0000; JSON Schema has no good words for "but not in this string".
    allow_x00=False,
    # Parameters that nobody knows are ignored, as LaunchDarkly ignores them.
    allow_extra_parameters=False,
    # Every request has the token; the check `ignored_auth` sends it again without, and wrong.
    with_security_parameters=False,
)
# A body that is too large is refused for that first.
REFUSALS: Final = SCHEMA.config.checks.negative_data_rejection
REFUSALS.expected_statuses = [*REFUSALS.expected_statuses, "413"]
DEPENDS: Final = frozenset(
    {
        "postFeatureFlag",  # `defaults` are indexes of `variations`; a purpose needs its settings
        "patchFeatureFlag", "patchSegment", "patchProject", "patchEnvironment", "patchToken",
        "postFlagConfigScheduledChanges",  # and its date is in the future
        "importEnvironment",
    }
)  # fmt: skip
"""Operations whose bodies name what must be there: variations, rules, paths in a document.

JSON Schema cannot say that, so that `positive_data_acceptance` does not apply to them. All other
checks do.
"""


class World:
    """A project with one of everything, made anew whenever one of them is gone."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._cases = itertools.count(1)
        self.made: dict[str, str] = {}

    def is_elsewhere(self) -> bool:
        """Whether the next case is to be of another, which need not exist: each third is."""
        return next(self._cases) % 3 == 0

    def make(self) -> None:
        api = self._api
        for path, body in (
            (api.flags, {"key": "there", "name": "There"}),
            (api.segments, {"key": "there", "name": "There"}),
            (api.environments, {"key": "there", "name": "There"}),
        ):
            assert api.http.post(path, json=body).status_code in {201, 409}
        later = {"executionDate": 1 << 52, "instructions": [{"kind": "turnFlagOn"}]}
        scheduled = api.ask("POST", api.scheduled("there"), 201, json=later)
        token = api.ask("POST", "/api/v2/tokens", 201, json={"name": "there", "role": "reader"})
        self.made = {
            "project": api.project,
            "environment": "production",
            "key": "there",
            "id": scheduled["_id"],
            "token": token["_id"],
            "entry": api.audit()[0]["_id"],
        }

    def parameters(self, path: str) -> dict[str, str]:
        """Values for a path of the document, all of which exist."""
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        known = self.made | ({"id": self.made["token"]} if "/tokens/" in path else {})
        return {name: known[name] for name in names}


@pytest.fixture
def world(api: Api) -> World:
    world = World(api)
    world.make()
    return world


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_conformance(case: "schemathesis.Case[Any]", shared_server: "Server", world: World) -> None:
    """All of schemathesis' default checks, on paths that lead to something and some that do not."""
    wrong_path = case.meta is not None and case.meta.is_negative_at(PATH)
    if not wrong_path and not world.is_elsewhere():
        case.path_parameters = world.parameters(case.path)
    name = case.operation.definition.raw["operationId"]
    answer = case.call_and_validate(
        base_url=shared_server.origin,
        headers={"Authorization": shared_server.credentials.tokens["alice"]},
        excluded_checks=[positive_data_acceptance] if name in DEPENDS else [],
    )
    if answer.status_code == 204:
        world.make()
