"""The body of a semantic patch request, and the registers of instructions."""

from typing import Any, get_args

import pytest

from flag_builders import ON
from flags.changes.patch import FLAG_INSTRUCTIONS, SEGMENT_INSTRUCTIONS, parse
from flags.errors import Rejected


def test_parse() -> None:
    patch = parse(
        {
            "environmentKey": "production",
            "comment": "why",
            "instructions": [ON],
            "ignoreConflicts": True,
        }
    )
    assert (patch.environmentKey, patch.comment, patch.instructions) == ("production", "why", [ON])
    assert patch.ignoreConflicts


def test_least() -> None:
    patch = parse({"instructions": [ON]})
    assert (patch.environmentKey, patch.comment, patch.ignoreConflicts) == (None, "", False)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param([], "semantic patch: Input should be", id="list"),
        pytest.param(None, "semantic patch: Input should be", id="null"),
        pytest.param({}, "semantic patch: instructions: Field required", id="empty"),
        pytest.param(
            {"instructions": []}, "semantic patch: instructions: List should have", id="nothing"
        ),
        pytest.param(
            {"instructions": [ON] * 101}, "semantic patch: instructions: List should", id="too-many"
        ),
        pytest.param(
            {"instructions": ["turnFlagOn"]}, "semantic patch: instructions.0: ", id="text"
        ),
        pytest.param(
            {"instructions": [ON], "comment": "x" * 2001}, "semantic patch: comment: ", id="long"
        ),
        pytest.param(
            {"instructions": [ON], "environmentKey": 1},
            "semantic patch: environmentKey: ",
            id="environment",
        ),
        pytest.param(
            {"instructions": [ON], "instruction": 1},
            "semantic patch: instruction: Extra",
            id="extra",
        ),
    ],
)
def test_refused(body: Any, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse(body)
    assert str(caught.value).startswith(message)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(FLAG_INSTRUCTIONS, id="flag"),
        pytest.param(SEGMENT_INSTRUCTIONS, id="segment"),
    ],
)
def test_every_instruction_has_a_kind_of_its_own(known: dict[str, Any]) -> None:
    kinds = [
        kind
        for instruction in dict.fromkeys(known.values())
        for kind in get_args(instruction.model_fields["kind"].annotation)
    ]
    assert sorted(kinds) == sorted(known)
    assert len(set(kinds)) == len(kinds)


def test_the_instructions_of_flags() -> None:
    """All that LaunchDarkly documents for what is kept here."""
    assert set(FLAG_INSTRUCTIONS) == set(
        """
        turnFlagOn turnFlagOff updateFallthroughVariationOrRollout updateOffVariation
        addTargets removeTargets replaceTargets clearTargets addUserTargets removeUserTargets
        addRule removeRule replaceRules reorderRules updateRuleVariationOrRollout
        updateRuleDescription updateRuleTrackEvents addClauses removeClauses updateClause
        addValuesToClause removeValuesFromClause
        addPrerequisite removePrerequisite replacePrerequisites updatePrerequisite
        addVariation updateVariation removeVariation updateDefaultVariation
        updateName updateDescription addTags removeTags makeFlagTemporary makeFlagPermanent
        turnOnClientSideAvailability turnOffClientSideAvailability archiveFlag restoreFlag
        updateTrackEvents updateTrackEventsFallthrough
        """.split()
    )


def test_the_instructions_of_segments() -> None:
    assert set(SEGMENT_INSTRUCTIONS) == set(
        """
        addIncludedTargets removeIncludedTargets addExcludedTargets removeExcludedTargets
        addIncludedUsers removeIncludedUsers addExcludedUsers removeExcludedUsers
        addRule removeRule reorderRules updateRuleDescription updateRuleRolloutAndContextKind
        addClauses removeClauses updateClause addValuesToClause removeValuesFromClause
        updateName updateDescription addTags removeTags
        """.split()
    )
