"""What a segment of a path looks like: a word of the program's, or a value that varies. Pure.

Where in doubt it is a value: a word taken for one makes a route wider than it need be; a value
taken for a word would show what belongs to a user.
"""

import re
from enum import Enum
from functools import lru_cache
from typing import Final


class Shape(Enum):
    FIXED = "fixed"
    """Always a part of the program's own, such as `v1`."""
    WORD = "word"
    """One of the program's, unless there are very many side by side."""
    SLUG = "slug"
    """Several words with hyphens: soon a value."""
    VALUE = "value"


PARAMETER: Final = re.compile(r"\{([A-Za-z_]\w*?)\d*\}", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]+")
_VERSION: Final = re.compile(r"v\d{1,2}(\.\d{1,2})?")
_WORD: Final = re.compile(r"[A-Za-z]+\d?(?:[._~-][A-Za-z]+\d?)*")
_SLUG: Final = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+){2,}")
_VALUES: Final = (
    ("date", re.compile(r"\d{4}-\d\d(-\d\d)?|\d{8}T\d{6}Z?")),
    ("id", re.compile(r"\d+")),
    ("id", re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")),
    ("id", re.compile(r"(?=.*\d)[0-9a-fA-F]{7,}|[0-9a-fA-F]{16,}")),
    ("slug", re.compile(r"(?=(?:[a-z0-9]+[-_]){2})(?:[a-z0-9]+[-_])*\d{2,}(?:[-_][a-z0-9]+)*")),
    ("file", re.compile(r"[^.]*\d[^.]*\.[A-Za-z0-9]{1,5}")),
)
_LONGEST_WORD: Final = 24
"""Letters without a break."""
MAX_WORD: Final = 64
"""Characters of a segment; a longer one is a value."""
_HUMPS: Final = re.compile(r"(?:[a-z]+[A-Z]+){5}")
"""More camels than names in code have: chance."""
_COMMON: Final = frozenset(
    "about activate active add address addresses admin all api archive articles auth avatar "
    "batch billing bookmarks bulk callback cancel cart change check comments complete confirm "
    "copy count create current dashboard delete details devices disable download edit email "
    "enable export favorites feed files find followers following forgot graphql groups health "
    "history home images import index info invite items latest list login logout manage me "
    "media members messages metrics new notes notifications orders password payment payments "
    "permissions phone ping popular posts preferences preview privacy products profile "
    "publish query recent refresh register reports resend reset restore reviews revoke roles "
    "save search security self send session sessions settings sign-in sign-out sign-up signin "
    "signout signup start stats status stop submit subscription subscriptions summary sync "
    "tags tasks teams tokens top trending unpublish unread update upload users validate "
    "verify view wishlist".split()
)
"""What programs call their own parts; after a word of `_BEFORE_VALUES` nothing else is."""
_BEFORE_VALUES: Final = frozenset(
    "user users member members people person profile profiles account accounts author authors "
    "customer customers employee employees patient patients u token tokens reset verify confirm "
    "activate invite invites invitation invitations unsubscribe session sessions key keys share "
    "shared s callback magic".split()
)
"""The segment after one of them is somebody's, or a secret."""


def is_common(word: str) -> bool:
    """Whether programs call their own parts so."""
    return word.lower() in _COMMON


@lru_cache(16_384)
def shape(segment: str, before: str) -> tuple[Shape, str]:
    """The shape, and for values and slugs the parameter's name. `before`: the segment to the left,
    or nothing."""
    given = PARAMETER.fullmatch(segment)
    if given:
        return Shape.VALUE, given[1]
    if _VERSION.fullmatch(segment):
        return Shape.FIXED, ""
    for name, pattern in _VALUES:
        if pattern.fullmatch(segment):
            return Shape.VALUE, name
    if len(segment) > MAX_WORD:
        return Shape.VALUE, "id"
    if segment in (".", "..") or not _PLAIN.fullmatch(segment):
        return Shape.VALUE, "text"
    if before.lower() in _BEFORE_VALUES and not is_common(segment):
        return Shape.VALUE, "name"
    if _SLUG.fullmatch(segment):
        return Shape.SLUG, "slug"
    longest = max(map(len, re.split(r"[._~-]", segment)))
    if not _WORD.fullmatch(segment) or longest > _LONGEST_WORD or _HUMPS.search(segment):
        return Shape.VALUE, "id"
    return Shape.WORD, "name"
