"""Values that are shown to nobody, neither in /config nor in an error."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

from routing.hiding import HIDDEN, Hiding

REVEAL: Final = {"reveal": True}
"""The context of a dump that is for a worker."""
_COOKIES: Final = ("cookie", "set-cookie")
HIDING: Final = Hiding(_COOKIES)
"""What is secret by its name alone."""
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def _is_field_value(value: SecretStr) -> SecretStr:
    if not _VALUE.fullmatch(value.get_secret_value()):
        raise ValueError("expected visible characters of ASCII, with spaces only in between")
    return value


def redacting(headers: Iterable[str], query: Iterable[str]) -> dict[str, Any]:
    """The context of a dump that hides also fields and parameters with these names."""
    names = (name.replace("_", "-") for name in headers)
    return {"hiding": Hiding((*_COOKIES, *names), query)}


def hiding_of(info: SerializationInfo) -> Hiding | None:
    """What a dump hides; None if it is for a worker."""
    context = info.context if isinstance(info.context, dict) else {}
    return None if context.get("reveal") else context.get("hiding", HIDING)


def shown_field(name: str, value: str, hiding: Hiding = HIDING) -> str:
    """The value of a field of messages, or HIDDEN if its name says that it is secret: by the words
    of `routing.hiding`, a cookie, or with `auth` or `key` among the words of the name."""
    plain = name.lower().replace("_", "-")
    if not {"auth", "key"}.isdisjoint(plain.split("-")):
        return HIDDEN.decode()
    return hiding.field(plain.encode(), value.encode()).decode()


def shown_parameter(name: str, value: str, hiding: Hiding = HIDING) -> str:
    """The same of a parameter of a query."""
    return HIDDEN.decode() if hiding.hides_parameter(name.encode()) else value


def _dump(value: SecretStr, info: SerializationInfo) -> str:
    return value.get_secret_value() if hiding_of(info) is None else HIDDEN.decode()


SecretField = Annotated[SecretStr, AfterValidator(_is_field_value), PlainSerializer(_dump)]
"""A field's value (RFC 9110, 5.5) that a dump hides unless its context is REVEAL."""
