"""The OpenAPI document: valid, whole, and what the server gives out."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import httpx
import jsonschema_rs
import pytest
import schemathesis
from flask import Flask

from flags.changes.patch import FLAG_INSTRUCTIONS, SEGMENT_INSTRUCTIONS
from flags.rest.openapi import OPERATIONS, document
from flags.rest.routes import rest

if TYPE_CHECKING:
    from flags.store import Store
    from tests.flags.conftest import Server

DOCUMENT: Final = document()
COMPONENTS: Final = DOCUMENT["components"]["schemas"]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def within(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            yield from within(child)


def test_it_is_valid() -> None:
    """By OpenAPI's own schema for 3.1; the schemas in it by that of JSON Schema 2020-12."""
    assert DOCUMENT["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(DOCUMENT).validate()
    for name, schema in COMPONENTS.items():
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name)
        jsonschema_rs.meta.validate({"$schema": DIALECT, **schema})


def test_every_reference_leads_somewhere() -> None:
    references = {found["$ref"] for found in within(DOCUMENT) if "$ref" in found}
    assert references
    assert references == {f"#/components/schemas/{name}" for name in COMPONENTS}, "unused, too"


def test_operations_are_those_of_the_server(unused_store: "Store") -> None:
    app = Flask(__name__)
    app.register_blueprint(rest(unused_store))
    served = {
        (method, re.sub(r"<(?:[^:>]+:)?\w+>", "{}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("rest.") and rule.endpoint != "rest.openapi"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, operations in DOCUMENT["paths"].items()
        for method in operations
    }
    assert described == served


def test_operations_have_names_of_their_own() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_every_path_parameter_is_described() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            described = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
            assert described == re.findall(r"\{(\w+)\}", path)


def test_the_server_gives_it_out(shared_server: "Server") -> None:
    answer = httpx.get(f"{shared_server.origin}/api/v2/openapi.json")
    assert answer.json() == DOCUMENT


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        pytest.param("FlagInstruction", {*FLAG_INSTRUCTIONS, "deleteFlag"}, id="flags"),
        pytest.param("SegmentInstruction", set(SEGMENT_INSTRUCTIONS), id="segments"),
    ],
)
def test_every_instruction_is_described(name: str, kinds: set[str]) -> None:
    options = COMPONENTS[name]["anyOf"]
    described = [option["properties"]["kind"]["const"] for option in options]
    assert set(described) == kinds
    assert len(described) == len(kinds)
    for option in options:
        assert "kind" in option["required"]
        assert option["title"] == option["properties"]["kind"]["const"]


@pytest.mark.parametrize("instruction", ["turnFlagOn", "addRule", "updateClause"])
def test_instructions_tell_what_they_need(instruction: str) -> None:
    (schema,) = (s for s in COMPONENTS["FlagInstruction"]["anyOf"] if s["title"] == instruction)
    fields = set(FLAG_INSTRUCTIONS[instruction].model_fields)
    assert set(schema["properties"]) == fields
