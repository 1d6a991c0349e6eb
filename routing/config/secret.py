"""Values that are shown to nobody: neither in /config nor in a representation or an error."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

REVEAL: Final = {"reveal": True}
"""The context of a dump that is for a worker."""
HIDDEN: Final = "REDACTED"
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def _is_field_value(value: SecretStr) -> SecretStr:
    if not _VALUE.fullmatch(value.get_secret_value()):
        raise ValueError("expected visible characters of ASCII, with spaces only in between")
    return value


def _dump(value: SecretStr, info: SerializationInfo) -> str:
    revealed = isinstance(info.context, dict) and info.context.get("reveal")
    return value.get_secret_value() if revealed else HIDDEN


SecretField = Annotated[SecretStr, AfterValidator(_is_field_value), PlainSerializer(_dump)]
"""A field's value (RFC 9110, 5.5) that a dump hides unless its context is REVEAL."""
