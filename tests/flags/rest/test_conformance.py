"""The running server does what its OpenAPI document says, whatever it is sent."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from flags.rest.openapi import OPERATIONS, Operation, document
from rest_api import Api

if TYPE_CHECKING:
    from tests.flags.conftest import Server

Case = schemathesis.Case[Any]
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
LIMITS: Final = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
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
EACH: Final = {"patchFeatureFlag": 3, "patchSegment": 3, "postFlagConfigScheduledChanges": 20}
"""Of so many covering cases one is sent: each kind of instruction has hundreds alike."""


class World:
    """A project with one of everything, made anew whenever one of them is gone."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.cases = 0
        """That were checked."""
        self.made: dict[str, str] = {}

    def is_elsewhere(self) -> bool:
        """Whether the next case is to be of another, which need not exist: each third is."""
        return self.cases % 3 == 2

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


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_conformance(
    operation: Operation, shared_server: "Server", world: World, session: requests.Session
) -> None:
    """All of schemathesis' default checks, on paths that lead to something and some that do not.

    Its own way with pytest would make the cases of all operations whenever tests are collected.
    """
    described = SCHEMA[f"/api/v2{operation.path}"][operation.method]

    def check(case: Case) -> None:
        wrong_path = case.meta is not None and case.meta.is_negative_at(PATH)
        if not wrong_path and not world.is_elsewhere():
            case.path_parameters = world.parameters(case.path)
        answer = case.call_and_validate(
            base_url=shared_server.origin,
            session=session,
            headers={"Authorization": shared_server.credentials.tokens["alice"]},
            excluded_checks=[positive_data_acceptance] if operation.name in DEPENDS else [],
        )
        world.cases += 1
        if answer.status_code == 204:
            world.make()

    modes = list(GenerationMode)
    covering = SCHEMA.iter_coverage_cases(
        described, generation_modes=modes, generation_config=SCHEMA.config.generation
    )
    for case in islice(covering, 0, None, EACH.get(operation.name, 1)):
        check(case)
    anything = st.one_of([described.as_strategy(generation_mode=mode) for mode in modes])
    LIMITS(given(anything)(check))()
    assert world.cases >= 8
