"""The form that makes a flag, and the one that makes a segment."""

from collections.abc import Callable
from typing import Any, Literal

from flags.dashboard.forms.fields import Form, text, words
from flags.dashboard.forms.settings import json_value
from flags.errors import Rejected, rejecting
from flags.model import STAGES_BY_COUNT, Defaults, Flag, Segment, Variation

Kind = Literal["boolean", "multivariate", "migration"]


def new_flag(form: Form, *, new_id: Callable[[], str], now_ms: int) -> Flag:
    """Off everywhere. Raises `Rejected` naming the field."""
    kind, values = _values(form)
    with rejecting():
        return Flag(
            key=text(form, "key"),
            name=text(form, "name") or text(form, "key"),
            description=text(form, "description"),
            kind=kind,
            variations=tuple(Variation(id=new_id(), value=value) for value in values),
            defaults=_defaults(kind, len(values)),
            tags=tuple(words(text(form, "tags"))),
            temporary=True,
            created=now_ms,
            migration_context_kind=(text(form, "context_kind") or "user")
            if kind == "migration"
            else None,
        )


def _values(form: Form) -> tuple[Kind, list[Any]]:
    match form.get("kind"):
        case "boolean":
            return "boolean", [True, False]
        case "migration":
            count = form.get("stages", "6")
            stages = STAGES_BY_COUNT.get(int(count) if count in {"2", "4", "6"} else 0)
            if stages is None:
                raise Rejected("stages: expected 2, 4 or 6")
            return "migration", list(stages)
        case "multivariate":
            lines = [line.strip() for line in text(form, "values").split("\n")]
            values = [json_value(line) for line in lines if line]
            if len(values) < 2:
                raise Rejected("values: expected two or more, one per line")
            if len({repr(value) for value in values}) < len(values):
                raise Rejected("values: there are two that are the same")
            return "multivariate", values
    raise Rejected("kind: expected boolean, migration or multivariate")


def _defaults(kind: Kind, count: int) -> Defaults:
    """A migration begins with its first stage, also while it is on."""
    on = 0
    off = 0 if kind == "migration" else count - 1
    return Defaults(on_variation=on, off_variation=off)


def new_segment(form: Form, *, salt: str, now_ms: int) -> Segment:
    """With nobody in it. Raises `Rejected` naming the field."""
    with rejecting():
        return Segment(
            key=text(form, "key"),
            name=text(form, "name") or text(form, "key"),
            description=text(form, "description"),
            tags=tuple(words(text(form, "tags"))),
            created=now_ms,
            modified=now_ms,
            salt=salt,
        )
