"""A `Migration` as canonical YAML: what has its default value is left out. Pure."""

import yaml

from migrator.plan.model import Migration


def dump(plan: Migration) -> str:
    """`parse(dump(plan))` equals `plan`. ASCII: PyYAML folds some characters (U+0085) otherwise."""
    document = plan.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(document, sort_keys=False, width=100)
