"""The read that shows what a write has left: which one it is, and its head.

Pure. It is the write's own request turned into a GET: the same user, cookies and context, without
what is about the body, and without conditions and ranges, which belong to another answer.
"""

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from routing.changes import PathTemplate
from routing.message import RequestHead

_MADE: Final = 201
_drop = re.compile(
    rb"(?i)\n(?:content-[^:\r\n]*|transfer-encoding|trailer|expect|idempotency-key|if-[^:\r\n]*"
    rb"|range|x-http-method(?:-override)?|x-method-override):[^\n]*+"
).sub
_find_location = re.compile(rb"(?i)\r\nlocation:[ \t]*([^\r\n]*)").search
_is_target = re.compile(rb"/[\x21\x22\x24-\x7e]*").fullmatch


def probe_head(
    template: PathTemplate | None, request: RequestHead, out: bytes, status: int, answer: bytes
) -> bytes:
    """The whole head of the read. `template`: what the route says; `out`: the whole head of the
    write as the monolith gets it; `status`, `answer`: the first side's, with status line and
    fields."""
    if template is not None:
        target = template.fill(request.path)
    else:
        target = _made(request, status, answer) or request.path
    _, _, fields = _drop(b"", out).partition(b"\r\n")
    return b"GET %b HTTP/1.1\r\n%b" % (target, fields)


def _made(request: RequestHead, status: int, answer: bytes) -> bytes | None:
    """Where what a POST has made is (RFC 9110, 15.3.2), if it is on the same site."""
    location = _find_location(answer) if status == _MADE and request.method == b"POST" else None
    if location is None:
        return None
    site = f"http://{request.host.decode('latin-1')}".lower()
    try:
        found = urlsplit(urljoin(site + request.path.decode(), location[1].strip().decode()))
    except ValueError:
        return None
    if found.netloc.lower() != urlsplit(site).netloc:
        return None
    target = found._replace(scheme="", netloc="", fragment="").geturl().encode()
    return target if _is_target(target) else None
