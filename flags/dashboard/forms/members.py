"""Who is in a segment as a form, and removing its rules."""

from typing import Any

from flags.dashboard.forms.fields import Form, keys, text
from flags.errors import Rejected
from flags.model import Segment

Changes = list[dict[str, Any]]


def members(form: Form) -> Changes:
    """`list` is `Included` or `Excluded`; keys from the chip pressed, or the field.

    Raises `Rejected`.
    """
    which, pressed = form.get("list"), form.get("chip")
    if which not in {"Included", "Excluded"}:
        raise Rejected("list: expected Included or Excluded")
    values = [pressed] if pressed is not None else keys(text(form, "values"))
    if not values:
        raise Rejected("keys: expected the key of a context, one per line")
    verb = "remove" if pressed is not None or "remove" in form else "add"
    return [
        {
            "kind": f"{verb}{which}Targets",
            "contextKind": text(form, "context_kind") or "user",
            "values": values,
        }
    ]


def rule_action(form: Form, segment: Segment) -> Changes:
    """Remove a rule. Any that matches is enough, so order does not matter. Raises `Rejected`."""
    if (gone := form.get("remove")) is not None:
        return [{"kind": "removeRule", "ruleId": gone}]
    raise Rejected(f"rule: there is no such action on {segment.key}")
