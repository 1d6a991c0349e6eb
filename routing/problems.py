"""The proxy's own error answers: RFC 9457 problem documents that tell nothing of the inside.

Pure.
"""

import json
from http import HTTPStatus

_DETAILS = {
    408: "The request did not arrive in time.",
    502: "The server behind this proxy gave no usable answer.",
    503: "The server behind this proxy cannot be reached at the moment.",
    504: "The server behind this proxy did not answer in time.",
}
_ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def last_hop(status: int, date: str) -> bytes:
    """A whole response without content, to a request that goes no further than here."""
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"Date: {date}\r\n"
        "Server: migrator\r\n"
        f"Allow: {_ALLOWED}\r\n"
        "Content-Length: 0\r\n"
        "Connection: close\r\n\r\n"
    ).encode()


def problem(status: int, detail: str | None, date: str, extra: bytes, *, body: bool) -> bytes:
    """A whole response. `extra`: further lines; `body` False: the head only, for HEAD requests."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail or _DETAILS.get(status, HTTPStatus(status).description),
    }
    content = json.dumps(document).encode() + b"\n"
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"Date: {date}\r\n"
        "Server: migrator\r\n"
        "Content-Type: application/problem+json\r\n"
        "Cache-Control: no-store\r\n"
        f"Content-Length: {len(content)}\r\n{retry}"
    ).encode()
    return b"".join((head, extra, b"\r\n", content if body else b""))
