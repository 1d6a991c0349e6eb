"""The body of a semantic patch request."""

from typing import Any

import pytest

from flags.errors import Rejected
from flags.instructions import INSTRUCTIONS
from flags.patch import parse

ON = {"kind": "turnFlagOn"}


def test_parse() -> None:
    patch = parse({"environmentKey": "production", "comment": "why", "instructions": [ON]})
    assert (patch.environmentKey, patch.comment, patch.instructions) == ("production", "why", [ON])


def test_least() -> None:
    patch = parse({"instructions": [ON]})
    assert (patch.environmentKey, patch.comment) == (None, "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param([], "semantic patch: Input should be", id="list"),
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


def test_every_instruction_has_a_kind_of_its_own() -> None:
    kinds = [str(i.model_fields["kind"].annotation) for i in INSTRUCTIONS]
    assert len(set(kinds)) == len(kinds)
