"""What a flag says in an environment, as the REST API shows it, read back.

It differs from what SDKs read in a few names, and in that targets of users stand apart.
"""

from collections.abc import Mapping
from typing import Any

from flags.model import Config
from flags.wire.sdk import read_config


def read_shown(shown: Mapping[str, Any], *, modified: int) -> Config:
    """Raises `ValueError`, or what a document of another shape leads to."""
    users = [{**target, "contextKind": "user"} for target in shown.get("targets") or []]
    targets = [t for t in (*users, *(shown.get("contextTargets") or [])) if t.get("values")]
    return read_config(
        {
            **shown,
            "targets": [],
            "contextTargets": targets,
            "fallthrough": _served(shown["fallthrough"]),
            "rules": [_served(rule) for rule in shown.get("rules") or []],
            "migration": shown.get("migrationSettings"),
        },
        modified=modified,
    )


def _served(given: Mapping[str, Any]) -> dict[str, Any]:
    """A rule or the fallthrough."""
    rollout = given.get("rollout")
    if rollout is None:
        return dict(given)
    shares = [{**s, "untracked": s.get("_untracked", False)} for s in rollout["variations"]]
    return {**given, "rollout": {**rollout, "variations": shares}}
