"""What a route changes in the messages between client and service."""

import re
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    Field,
    FieldSerializationInfo,
    field_serializer,
    model_validator,
)

from routing.config.base import Model, Token
from routing.config.secret import hiding_of, shown_field
from routing.config.urls import ShownUrl

_VALUE: Final = re.compile(
    r"(?:[!-~\x80-\U0010ffff](?:[\t -~\x80-\U0010ffff]*[!-~\x80-\U0010ffff])?)?"
)
_OF_THE_MESSAGE: Final = frozenset(
    "connection content-length expect host keep-alive proxy-connection te trailer "
    "transfer-encoding upgrade".split()
)
"""They say where a message ends, whom it is for, and what happens to the connection."""
_OURS: Final = ("x-migrator-", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")


def _changeable(name: str) -> str:
    # CGI and WSGI servers take an underscore for a hyphen.
    plain = name.lower().replace("_", "-")
    if plain in _OF_THE_MESSAGE:
        raise ValueError(f"{name} belongs to the message itself, expected another field")
    if plain in ("forwarded", "via") or plain.startswith(_OURS):
        raise ValueError(f"{name} is set by the proxy, expected another field")
    return name


def _one_line(value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ValueError("this is not the value of a field (RFC 9110, 5.5)")
    return value


FieldName = Annotated[Token, AfterValidator(_changeable)]
FieldValue = Annotated[str, Field(max_length=4096), AfterValidator(_one_line)]


class FieldChanges(Model):
    """Fields that are changed in a message; case does not matter in their names. Values whose names
    say that they are secret are hidden in a dump unless its context is REVEAL."""

    set: dict[FieldName, FieldValue] = {}
    """These instead of all of the same name."""
    add: dict[FieldName, FieldValue] = {}
    """These beside those of the same name."""
    remove: tuple[FieldName, ...] = ()

    @field_serializer("set", "add")
    def _shown(self, fields: dict[str, str], info: FieldSerializationInfo) -> dict[str, str]:
        hiding = hiding_of(info)
        if hiding is None:
            return fields
        return {name: shown_field(name, value, hiding) for name, value in fields.items()}

    @model_validator(mode="after")
    def _once(self) -> "FieldChanges":
        names: Iterable[str] = (*self.set, *self.add, *self.remove)
        seen = dict.fromkeys(name.lower() for name in names)
        if len(seen) < len(self.set) + len(self.add) + len(self.remove):
            raise ValueError("a field stands there twice, expected one change for each")
        return self


class Rewrite(Model):
    """Another target for the service; the query stays as it is."""

    path: Annotated[str, Field(pattern=r"^/", max_length=2048)]
    """With `{name}` and a trailing `*` from the route's own path."""


class Redirect(Model):
    """The client is sent elsewhere instead of being served (RFC 9110, 15.4)."""

    location: Annotated[ShownUrl, Field(min_length=1, max_length=2048)]
    """A URL, or a path, with `{name}` and a trailing `*` from the route's path, and `{path}` for
    the whole path. The request's query is kept unless there is one here."""
    status: Literal[301, 302, 303, 307, 308] = 302
