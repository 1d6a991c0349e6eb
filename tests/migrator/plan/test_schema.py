"""The JSON Schema accepts what the loader accepts, and refuses what editors should underline."""

import re
from importlib.resources import files
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.plan.document import read
from migrator.plan.schema import schema

SCHEMA = schema()
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
    "number": (int, float), "null": type(None),
}  # fmt: skip
ANNOTATIONS = {"title", "description", "default", "format", "$defs", "$schema"}


def valid(value: Any, rule: dict[str, Any]) -> bool:
    """JSON Schema 2020-12, the keywords that the plan's schema has; others are an error."""
    return all(holds(value, key, rule[key], rule) for key in rule if key not in ANNOTATIONS)


def holds(value: Any, key: str, wanted: Any, rule: dict[str, Any]) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match key:
        case "$ref":
            return valid(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")])
        case "type":
            return isinstance(value, TYPES[wanted]) and (
                wanted == "boolean" or not isinstance(value, bool)
            )
        case "anyOf":
            return any(valid(value, option) for option in wanted)
        case "enum":
            return value in wanted
        case "const":
            return bool(value == wanted)
        case "required":
            return not isinstance(value, dict) or all(name in value for name in wanted)
        case "properties":
            return not isinstance(value, dict) or all(
                valid(value[name], inner) for name, inner in wanted.items() if name in value
            )
        case "propertyNames":
            return not isinstance(value, dict) or all(valid(name, wanted) for name in value)
        case "additionalProperties":
            known = rule.get("properties", {})
            return not isinstance(value, dict) or all(
                wanted is not False and valid(v, wanted) for n, v in value.items() if n not in known
            )
        case "patternProperties":
            return not isinstance(value, dict) or all(
                valid(v, inner)
                for pattern, inner in wanted.items()
                for name, v in value.items()
                if re.search(pattern, name)
            )
        case "items":
            return not isinstance(value, list) or all(valid(item, wanted) for item in value)
        case "pattern":
            return not isinstance(value, str) or re.search(wanted, value) is not None
        case "minLength" | "minItems" | "minProperties":
            return not hasattr(value, "__len__") or len(value) >= wanted
        case "maxLength" | "maxItems" | "maxProperties":
            return not hasattr(value, "__len__") or len(value) <= wanted
        case "minimum":
            return not number or value >= wanted
        case "maximum":
            return not number or value <= wanted
        case "exclusiveMinimum":
            return not number or value > wanted
    raise AssertionError(f"this test does not know the keyword {key!r}")


def test_starter_validates() -> None:
    text = (files("migrator.plan") / "starter.yaml").read_text()
    assert valid(read(text, "starter.yaml").data, SCHEMA)


def test_small_plan_validates(small: str) -> None:
    assert valid(yaml.safe_load(small), SCHEMA)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(st.data())
def test_every_plan_validates(
    plan_documents: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    assert valid(data.draw(plan_documents), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("kind: Migration", "kind: Deployment", id="kind"),
        pytest.param("spec:", "sepc:", id="unknown-key"),
        pytest.param("metadata: {name: cms}\n", "", id="missing-key"),
        pytest.param("name: cms", "name: My App", id="name"),
        pytest.param("[GET]", "[GRAB]", id="method"),
        pytest.param("[python, -m, articles]", "[]", id="empty-command"),
        pytest.param("[python, -m, articles]", "[a]\n      port: 70000", id="port"),
        pytest.param("[python, -m, articles]", "[a]\n      ready_timeout: 5", id="bare-number"),
        pytest.param("[python, -m, articles]", "[a]\n      ready_timeout: 5 min", id="duration"),
        pytest.param(
            "    publishing:\n", "    publishing:\n      schedule: often\n", id="schedule"
        ),
        pytest.param(
            "    publishing:\n",
            "    publishing:\n      schedule: [{stage: live, share: 0.5}]\n",
            id="share",
        ),
        pytest.param("  monolith:\n", "  monolith: {}\n  x:\n", id="monolith"),
    ],
)
def test_refuses(small: str, old: str, new: str) -> None:
    assert old in small
    assert not valid(yaml.safe_load(small.replace(old, new)), SCHEMA)


def test_defaults_are_of_the_type_that_is_written() -> None:
    """A share's default is `100%` in it, not 100000."""
    for name, definition in SCHEMA["$defs"].items():
        for key, rule in definition.get("properties", {}).items():
            if "default" in rule:
                assert valid(rule["default"], rule), f"{name}.{key}: {rule['default']!r}"


def test_keys_are_explained() -> None:
    step = SCHEMA["$defs"]["Step"]["properties"]
    assert step["hold"]["description"] == "Least time at this step before the next one."
