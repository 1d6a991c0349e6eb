"""Projects, environments and segments: what they can be, and what they cannot."""

from typing import Any

import pytest
from pydantic import ValidationError

from flag_builders import a_segment, an_environment, segment_rule
from flags.model import Environment, Project, Segment


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"key": "a b"}, "key", id="key"),
        pytest.param({"name": "x" * 2001}, "name", id="name"),
        pytest.param({"sdk_key": "sdk-short"}, "sdk_key", id="sdk-key"),
        pytest.param({"mobile_key": "x" * 257}, "mobile_key", id="mobile-key"),
        pytest.param({"client_side_id": "0123456789ABCDEF01234567"}, "client_side_id", id="upper"),
        pytest.param({"client_side_id": "0" * 25}, "client_side_id", id="length"),
        pytest.param({"color": "red"}, "color", id="color"),
        pytest.param({"tags": ["a b"]}, "tags", id="tags"),
        pytest.param({"tags": ["a"] * 51}, "tags", id="many-tags"),
        pytest.param({"secret": "s"}, "secret", id="unknown-field"),
    ],
)
def test_broken_environment(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        an_environment(**fields)


@pytest.mark.parametrize("length", [24, 32])
def test_client_side_ids(length: int) -> None:
    assert an_environment(client_side_id="0a" * (length // 2)).client_side_id


def test_keys_are_not_shown() -> None:
    """A log line with an environment in it tells no secret."""
    environment = an_environment()
    assert environment.sdk_key not in repr(environment)
    assert environment.mobile_key not in str(environment)
    assert Environment.model_validate_json(environment.model_dump_json()) == environment


def test_project() -> None:
    project = Project(key="cms", name="CMS", tags=("a",))
    assert Project.model_validate_json(project.model_dump_json()) == project
    with pytest.raises(ValidationError, match="key"):
        Project(key="c ms", name="CMS")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"key": ""}, "key", id="key"),
        pytest.param({"version": 0}, "version", id="version"),
        pytest.param({"included": [{"values": ["x" * 513]}]}, "included", id="long-member"),
        pytest.param({"excluded": [{"values": []}] * 101}, "excluded", id="many-kinds"),
        pytest.param({"included": [{"values": ["a"] * 10_001}]}, "included", id="many-members"),
        pytest.param({"rules": [{"id": "r", "clauses": []}]}, "clauses", id="no-clause"),
        pytest.param({"rules": [{**segment_rule("a"), "weight": 100_001}]}, "weight", id="weight"),
        pytest.param({"rules": [segment_rule("a")] * 201}, "rules", id="many-rules"),
        pytest.param({"unbounded": True}, "unbounded", id="unknown-field"),
    ],
)
def test_broken_segment(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        a_segment(**fields)


def test_segment_round_trip() -> None:
    segment = a_segment(
        included=[{"values": ["a", "ß"]}, {"context_kind": "org", "values": ["acme"]}],
        rules=[{**segment_rule("other"), "weight": 0, "bucket_by": "/a"}],
    )
    assert Segment.model_validate_json(segment.model_dump_json()) == segment
