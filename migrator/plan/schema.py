"""The plan's JSON Schema (2020-12), for editors. Pure."""

from typing import Any

from migrator.plan.model import Migration


def schema() -> dict[str, Any]:
    """Durations and shares are strings in it, as people write them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Migration",
        **Migration.model_json_schema(mode="serialization"),  # so that defaults are written so too
    }
