"""The form of a path in which two that mean the same are the same (RFC 3986, 6.2.2).

Pure.
"""

import re

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normalise(path: bytes) -> bytes:
    """`path` in the form used for matching: escapes of unreserved characters decoded, the others
    in upper case, dot segments removed (RFC 3986, 6.2.2). What is forwarded stays as it came."""
    path = _ESCAPE.sub(_unescape, path)
    if b"/." not in path:
        return path
    parts = path.split(b"/")
    kept: list[bytes] = []
    for part in parts[1:]:
        if part == b"..":
            del kept[-1:]
        elif part != b".":
            kept.append(part)
    if parts[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def _unescape(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16)
    return bytes((code,)) if code in _UNRESERVED else match[0].upper()
