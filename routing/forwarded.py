"""The elements of the Forwarded field (RFC 7239).

Pure. Strict: a value that does not follow the grammar has no elements, because a quotation mark
that is left open would swallow whatever is appended behind it.
"""

import re

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_PAIR = rb"(%b)=(%b|%b)" % (_TOKEN, _TOKEN, _QUOTED)
_NEXT = re.compile(rb"[ \t]*+(?:%b)?[ \t]*+(?:([;,])|\Z)" % _PAIR).match
_TOKEN_ONLY = re.compile(_TOKEN).fullmatch
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(rb'(["\\])')
_PORT = re.compile(rb":(?:[0-9]{1,5}|_[A-Za-z0-9._-]+)\Z")


def element(client: bytes, scheme: bytes, host: bytes) -> bytes:
    """What one proxy says: who asked it, by which scheme, for which host (empty: none named)."""
    node = b"[%b]" % client if b":" in client else client
    said = b"for=%b;proto=%b" % (_value(node), _value(scheme))
    return said + b";host=" + _value(host) if host else said


def parse(value: bytes) -> list[dict[bytes, bytes]] | None:
    """Parameters by lower-case name for each element, the client's proxy first; None: not valid.

    Empty elements are left out (RFC 9110, 5.6.1.2).
    """
    elements: list[dict[bytes, bytes]] = []
    current: dict[bytes, bytes] = {}
    position = 0
    while (found := _NEXT(value, position)) is not None:
        name, given, mark = found.groups()
        if name is not None:
            name = name.lower()
            if name in current:
                return None
            current[name] = _ESCAPED.sub(rb"\1", given[1:-1]) if given[:1] == b'"' else given
        if mark != b";" and current:
            elements.append(current)
            current = {}
        if mark is None:
            return elements
        position = found.end()
    return None


def address(node: bytes) -> bytes:
    """A node, or an entry of X-Forwarded-For, without brackets and port. `unknown` and obfuscated
    identifiers (RFC 7239, 6.3) stay as they are."""
    if node.startswith(b"["):
        return node[1:].partition(b"]")[0]
    return _PORT.sub(b"", node) if node.count(b":") == 1 else node


def _value(text: bytes) -> bytes:
    """`text` as a token, or quoted where it is none."""
    return text if _TOKEN_ONLY(text) else b'"%b"' % _TO_ESCAPE.sub(rb"\\\1", text)
