"""A `Migration` as canonical YAML: what has its default value is left out. Secrets stand
in it. Pure."""

import yaml

from migrator.plan.model import Migration
from routing.config import REVEAL


def dump(plan: Migration) -> str:
    """`parse(dump(plan))` equals `plan`. ASCII: PyYAML folds some characters (U+0085) otherwise."""
    document = plan.model_dump(mode="json", exclude_defaults=True, context=REVEAL)
    return yaml.safe_dump(document, sort_keys=False, width=100)
