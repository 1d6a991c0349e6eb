"""A `Migration` as canonical YAML: what has its default value is left out. Pure."""

import yaml

from migrator.plan.model import Migration


def dump(plan: Migration) -> str:
    """`parse(dump(plan))` equals `plan`."""
    document = plan.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
