"""What all environments of a flag share, and what a segment is called, as forms."""

import json
from typing import Any

from flags.dashboard.forms.fields import Form, text, words
from flags.errors import Rejected
from flags.model import Flag, Segment

Changes = list[dict[str, Any]]


def names(form: Form, item: Flag | Segment) -> Changes:
    """Name, description and tags. Raises `Rejected`."""
    name, description, tags = (
        text(form, "name"),
        text(form, "description"),
        words(text(form, "tags")),
    )
    if not name:
        raise Rejected("name: expected one")
    changes: Changes = []
    if name != item.name:
        changes.append({"kind": "updateName", "value": name})
    if description != item.description:
        changes.append({"kind": "updateDescription", "value": description})
    if new := [tag for tag in tags if tag not in item.tags]:
        changes.append({"kind": "addTags", "values": new})
    if gone := [tag for tag in item.tags if tag not in tags]:
        changes.append({"kind": "removeTags", "values": gone})
    return changes


def flag_settings(form: Form, flag: Flag) -> Changes:
    """Names, who may read it, and whether it is to be removed one day. Raises `Rejected`."""
    changes = names(form, flag)
    for field, wire, now in (
        ("browser", "usingEnvironmentId", flag.using_environment_id),
        ("mobile", "usingMobileKey", flag.using_mobile_key),
    ):
        if (field in form) != now:
            turn = "turnOn" if field in form else "turnOff"
            changes.append({"kind": f"{turn}ClientSideAvailability", "value": wire})
    if ("temporary" in form) != flag.temporary:
        changes.append({"kind": f"makeFlag{'Temporary' if 'temporary' in form else 'Permanent'}"})
    return changes


def archive(form: Form) -> Changes:
    return [{"kind": "restoreFlag" if "restore" in form else "archiveFlag"}]


def variation(form: Form, flag: Flag) -> Changes:
    """Change, remove or add one variation. Raises `Rejected`."""
    if (gone := form.get("remove")) is not None:
        return [{"kind": "removeVariation", "variationId": gone}]
    names = {"name": text(form, "name"), "description": text(form, "description")}
    if variation_id := form.get("id"):
        change: dict[str, Any] = {"kind": "updateVariation", "variationId": variation_id, **names}
        if flag.kind == "multivariate" and "value" in form:
            change["value"] = json_value(text(form, "value"))
        return [change]
    return [{"kind": "addVariation", "value": json_value(text(form, "value")), **names}]


def json_value(typed: str) -> Any:
    """JSON; what is none is text. Raises `Rejected` for nothing at all."""
    if not typed:
        raise Rejected('value: expected one; "" is the empty text')
    try:
        return json.loads(typed)
    except (ValueError, RecursionError):
        return typed
