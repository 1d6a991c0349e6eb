"""Who made a change, told in its comment. Pure.

At LaunchDarkly the controller and the command line of everybody may share one access token; the
audit log then names that token's owner for all of them. So each signs its comment, and whoever
reads the log reads the signature: `it leaks memory [by alice, command line]`.
"""

import re
from typing import Final

from migrator.flagclient.models import AuditEntry

_SIGNATURE: Final = re.compile(r" ?\[by ([^\[\],]{1,64})(, command line)?\]", re.ASCII)
_FORBIDDEN: Final = re.compile(r"[\[\],]|[^ -~]")


def sign(comment: str, author: str, via: str | None) -> str:
    """`comment` with who wrote it; `via`: `cli` or None."""
    name = _FORBIDDEN.sub("_", author)[:64] or "_"
    signature = f"[by {name}{', command line' if via == 'cli' else ''}]"
    return f"{comment} {signature}" if comment else signature


def read(entry: AuditEntry) -> AuditEntry:
    """`entry` with its comment's signature taken off and understood; without one as it was."""
    start = entry.comment.rfind("[by ")
    if start < 0:
        return _unsigned(entry)
    start -= entry.comment[max(0, start - 1) : start] == " "
    match = _SIGNATURE.fullmatch(entry.comment, start)
    if match is None:
        return _unsigned(entry)
    via = "cli" if match[2] else ""
    return entry.model_copy(
        update={"signed": match[1], "via": via, "comment": entry.comment[:start]}
    )


def _unsigned(entry: AuditEntry) -> AuditEntry:
    """A person's doing; LaunchDarkly names the token of what came through the API."""
    via = entry.via or ("api" if entry.token is not None else "")
    return entry.model_copy(update={"via": via})
