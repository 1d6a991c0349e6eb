"""Which environments' versions a change moves."""

from collections.abc import Mapping
from typing import Any

import pytest

from flag_builders import (
    CLAUSE,
    FALLTHROUGH,
    OFF,
    ON,
    PRODUCTION,
    a_choice,
    a_config,
    patched,
    within,
)
from flags.changes.versions import with_versions
from flags.model import Flag

ENVIRONMENTS = (PRODUCTION, "staging", "qa")
FLAG = a_choice(version=9, first_version=3).with_config(PRODUCTION, a_config(version=5, on=True))
"""On in production; nobody has touched it in staging and qa."""


def versions(flag: Flag) -> dict[str, int]:
    return {e: flag.config(e).version for e in ENVIRONMENTS}


@pytest.mark.parametrize(
    ("instructions", "moved"),
    [
        pytest.param([OFF], {PRODUCTION}, id="switch"),
        pytest.param([OFF, ON], set(), id="there-and-back"),
        pytest.param([{"kind": FALLTHROUGH, "variationId": "v-b"}], {PRODUCTION}, id="fallthrough"),
        pytest.param(
            [{"kind": "addRule", "variationId": "v-b", "clauses": [CLAUSE]}],
            {PRODUCTION},
            id="rule",
        ),
        pytest.param(
            [{"kind": "addVariation", "value": "e"}], set(ENVIRONMENTS), id="new-variation"
        ),
        pytest.param(
            [{"kind": "updateVariation", "variationId": "v-d", "value": "z"}],
            set(ENVIRONMENTS),
            id="value",
        ),
        pytest.param(
            [{"kind": "updateVariation", "variationId": "v-d", "name": "z"}],
            set(),
            id="name-of-a-variation",
        ),
        pytest.param(
            [{"kind": "removeVariation", "variationId": "v-d"}],
            set(ENVIRONMENTS),
            id="variation-gone",
        ),
        pytest.param(
            [{"kind": "updateDefaultVariation", "offVariationValue": "b"}],
            {"staging", "qa"},
            id="defaults-are-what-untouched-ones-say",
        ),
        pytest.param(
            [{"kind": "turnOnClientSideAvailability", "value": "usingMobileKey"}],
            set(ENVIRONMENTS),
            id="availability",
        ),
        pytest.param([{"kind": "archiveFlag"}], {PRODUCTION}, id="archived-where-it-was-on"),
        pytest.param([{"kind": "updateName", "value": "N"}], set(), id="name"),
        pytest.param([{"kind": "addTags", "values": ["t"]}], set(), id="tags"),
        pytest.param([{"kind": "makeFlagPermanent"}], set(), id="permanent"),
    ],
)
def test_moved(instructions: list[Mapping[str, Any]], moved: set[str]) -> None:
    changed = patched(FLAG, *instructions)
    flag = with_versions(FLAG, changed, ENVIRONMENTS, 1234)
    expected = {PRODUCTION: 5, "staging": 3, "qa": 3}
    assert versions(flag) == {e: v + (e in moved) for e, v in expected.items()}
    assert flag.version == 10
    for environment in ENVIRONMENTS:
        before, after = FLAG.config(environment), flag.config(environment)
        assert after.modified == (1234 if environment in moved else before.modified)
        assert after.salt == before.salt, "it decides who is in which share"


def test_the_first_touch() -> None:
    flag = with_versions(FLAG, patched(FLAG, ON, environment="qa"), ENVIRONMENTS, 1)
    assert versions(flag) == {PRODUCTION: 5, "staging": 3, "qa": 4}


def test_true_instead_of_1() -> None:
    flag = a_choice([0, 1])
    update = {"kind": "updateVariation", "variationId": "v-1", "value": True}
    assert versions(with_versions(flag, patched(flag, update), ENVIRONMENTS, 1)) == dict.fromkeys(
        ENVIRONMENTS, 2
    )


def test_a_version_that_came_with_the_change_does_not_count() -> None:
    """One more than before, whatever a document said."""
    changed = within(FLAG, on=False, version=400, modified=7)
    assert with_versions(FLAG, changed, ENVIRONMENTS, 1).config(PRODUCTION).version == 6
