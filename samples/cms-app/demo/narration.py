"""Lines that tell what happens. Pure."""

from collections.abc import Mapping
from typing import Any

_QUIET = ("flag_applied", "step_passed", "started")


def event_line(event: Mapping[str, Any]) -> str:
    """What to print about an event of `migrator up`; nothing for most."""
    if event["event"] in ("ended", "adopted"):
        return f"{event['process']} {event['event']}: {event['detail']}"
    if event["event"] != "rollout" or event["kind"] in _QUIET:
        return ""
    kind = str(event["kind"]).replace("_", " ")
    if event["kind"] == "step_entered":
        return f"{event['capability']}: {event['why']}"
    return f"{event['capability']} {kind}: {event['why']}"
