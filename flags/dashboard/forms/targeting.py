"""The other targeting forms of a flag: the switch, targets, rules' order, prerequisites."""

from typing import Any

from flags.dashboard.forms.fields import Form, keys, text
from flags.dashboard.forms.serving import ServeDraft, context_kind, fallthrough
from flags.errors import Rejected
from flags.model import Config, Flag

Changes = list[dict[str, Any]]


def switch(form: Form) -> Changes:
    """Raises `Rejected`."""
    match form.get("to"):
        case "on":
            return [{"kind": "turnFlagOn"}]
        case "off":
            return [{"kind": "turnFlagOff"}]
        case other:
            raise Rejected(f"to: expected on or off, found {str(other)[:20]!r}")


def default(form: Form, flag: Flag) -> Changes:
    """Raises `Rejected`."""
    return [fallthrough(ServeDraft.read(form, flag), flag)]


def off_variation(form: Form) -> Changes:
    return [{"kind": "updateOffVariation", "variationId": text(form, "variation")}]


def targets(form: Form, flag: Flag) -> Changes:
    """Keys from the chip that was pressed, or from the field. Raises `Rejected`."""
    pressed = form.get("chip")
    values = [pressed] if pressed is not None else keys(text(form, "values"))
    if not values:
        raise Rejected("keys: expected the key of a context, one per line")
    removing = pressed is not None or "remove" in form
    return [
        {
            "kind": "removeTargets" if removing else "addTargets",
            "contextKind": text(form, "context_kind") or context_kind(flag),
            "variationId": text(form, "variation"),
            "values": values,
        }
    ]


def rule_action(form: Form, config: Config) -> Changes:
    """Remove a rule, or move it up or down. Raises `Rejected`."""
    order = [rule.id for rule in config.rules]
    if (gone := form.get("remove")) is not None:
        return [{"kind": "removeRule", "ruleId": gone}]
    for field, by in (("up", -1), ("down", 1)):
        moved = form.get(field)
        if moved in order:
            return [{"kind": "reorderRules", "ruleIds": moved_by(order, moved, by)}]
    raise Rejected("rule: there is no such rule any more")


def moved_by(order: list[str], item: str, by: int) -> list[str]:
    """`item` further up or down; at the ends it stays."""
    others = [one for one in order if one != item]
    at = min(max(order.index(item) + by, 0), len(others))
    return [*others[:at], item, *others[at:]]


def prerequisites(form: Form) -> Changes:
    """`remove` is a key; else a flag and its variation as `KEY/ID`. Raises `Rejected`."""
    if (gone := form.get("remove")) is not None:
        return [{"kind": "removePrerequisite", "key": gone}]
    key, _, variation = form.get("needs", "").partition("/")
    if not key or not variation:
        raise Rejected("flag: choose a flag and what it must serve")
    return [{"kind": "addPrerequisite", "key": key, "variationId": variation}]
