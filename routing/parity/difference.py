"""One difference between two answers, and how its values may be shown.

Pure. Answers belong to users: a value is shown as its type, its length and a short digest under a
key of this process, so that samples can be told apart and nothing can be guessed from them.
"""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from routing.hiding import SECRETS

MAX_SHOWN: Final = 120
"""Characters of a value that may be seen."""
_KEY: Final = secrets.token_bytes(16)
_SENSITIVE: Final = re.compile(
    "|".join(map(re.escape, (*SECRETS, "email", "e-mail", "phone", "ssn", "iban", "birth"))), re.I
).search
_NAME: Final = re.compile(r"[A-Za-z_@$][A-Za-z0-9_@$-]{0,39}").fullmatch
_IDENTIFIER: Final = re.compile(r"[0-9a-f]*[0-9][0-9a-f]{7,}|.*[0-9]{4,}.*", re.I).fullmatch


class Kind(StrEnum):
    """How values differ."""

    VALUE = "value"
    TYPE = "type"
    MISSING = "missing"
    """The new side lacks it."""
    EXTRA = "extra"
    """The old side lacks it."""
    LENGTH = "length"
    """Lists, or how many elements of one path a page has."""
    OTHER = "other"
    """More groups, or more in one answer, than are told apart."""


class Absent:
    """No value."""


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """`old` and `new` are what is in the answers: not to be stored, see `shown`."""

    path: str
    kind: Kind
    old: Any = ABSENT
    new: Any = ABSENT


def name_of(key: str) -> str:
    """A member's name for a path. One that looks like data, such as an id or an address, is `*`:
    groups would be without number, and it may say who somebody is."""
    return key if _NAME(key) and not _IDENTIFIER(key) else "*"


def shown(path: str, value: object, *, seen: bool) -> str:
    """`value` as a sample may keep it. `seen`: the configuration lets it be seen at `path`."""
    if isinstance(value, Absent):
        return "absent"
    if value is None:
        return "null"
    if isinstance(value, bool):
        text = kind = "boolean"
    elif isinstance(value, int | float):
        text = kind = "number"
    elif isinstance(value, str):
        kind, text = "string", f"string of {len(value)}"
    elif isinstance(value, bytes):
        kind, text = "bytes", f"{len(value)} bytes"
    elif isinstance(value, list):
        return f"list of {len(value)}"
    else:
        return f"object of {len(value) if isinstance(value, dict) else 1}"
    if _SENSITIVE(path):
        return kind
    if path == "status" or (seen and kind != "bytes"):
        # Neither what steers a terminal nor a lone surrogate, which cannot be sent on.
        readable = json.dumps(value, ensure_ascii=False)[:MAX_SHOWN]
        return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in readable)
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return f"{text} #{hashlib.blake2b(data, digest_size=4, key=_KEY).hexdigest()}"
