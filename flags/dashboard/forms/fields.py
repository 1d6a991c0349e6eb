"""Fields that several forms share: keys of contexts, tags, reasons, moments."""

import re
from datetime import UTC, datetime
from typing import Final

from werkzeug.datastructures import MultiDict

from flags.errors import Rejected

Form = MultiDict[str, str]
MAX_COMMENT: Final = 2000


def text(form: Form, name: str) -> str:
    """As typed, less surrounding spaces; browsers send line ends as CR LF."""
    return form.get(name, "").replace("\r\n", "\n").strip()


def comment(form: Form) -> str:
    """Why the change is made. Raises `Rejected`."""
    found = text(form, "comment")
    if len(found) > MAX_COMMENT:
        raise Rejected(f"reason: {len(found)} characters, expected at most {MAX_COMMENT}")
    return found


def keys(typed: str) -> list[str]:
    """Keys of contexts, one per line or separated by commas; each once, in order."""
    return list(dict.fromkeys(filter(None, (key.strip() for key in re.split(r"[\n,]", typed)))))


def words(typed: str) -> list[str]:
    """Tags: separated by commas or spaces."""
    return list(dict.fromkeys(typed.replace(",", " ").split()))


def moment(typed: str) -> int:
    """Epoch milliseconds of a `datetime-local` field, which is UTC here. Raises `Rejected`."""
    try:
        found = datetime.fromisoformat(typed)
    except ValueError:
        raise Rejected(
            f"time: expected a date and a time, such as 2030-01-31T06:00, found {typed[:40]!r}"
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
