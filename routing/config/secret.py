"""Values that are shown to nobody, neither in /config nor in an error."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

from routing.hiding import HIDDEN, Hiding

REVEAL: Final = {"reveal": True}
"""The context of a dump that is for a worker."""
HIDING: Final = Hiding(headers=("cookie", "set-cookie"))
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def _is_field_value(value: SecretStr) -> SecretStr:
    if not _VALUE.fullmatch(value.get_secret_value()):
        raise ValueError("expected visible characters of ASCII, with spaces only in between")
    return value


def is_revealed(info: SerializationInfo) -> bool:
    """Whether a dump is for a worker."""
    return isinstance(info.context, dict) and bool(info.context.get("reveal"))


def shown_field(name: str, value: str) -> str:
    """The value of a field of messages, or HIDDEN if its name says that it is secret: by the words
    of `routing.hiding`, a cookie, or with `auth` or `key` among the words of the name."""
    plain = name.lower().replace("_", "-")
    if not {"auth", "key"}.isdisjoint(plain.split("-")):
        return HIDDEN.decode()
    return HIDING.field(plain.encode(), value.encode()).decode()


def shown_parameter(name: str, value: str) -> str:
    """The same of a parameter of a query."""
    return HIDDEN.decode() if HIDING.hides_parameter(name.encode()) else value


def _dump(value: SecretStr, info: SerializationInfo) -> str:
    return value.get_secret_value() if is_revealed(info) else HIDDEN.decode()


SecretField = Annotated[SecretStr, AfterValidator(_is_field_value), PlainSerializer(_dump)]
"""A field's value (RFC 9110, 5.5) that a dump hides unless its context is REVEAL."""
