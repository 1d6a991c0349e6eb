"""What a route changes on the way to and from its service: target, fields, or a redirect.

Pure. Prepared when the table is built; the monolith's requests and answers are never changed. What
a template takes over from a request comes from the normalised path (RFC 3986, 6.2.2), so it holds
no dot segment, and what is not allowed in a URL is percent-encoded. Nothing of a request reaches
the authority of a redirect.
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from operator import itemgetter
from typing import Protocol

from routing.config import FieldChanges, RouteRule
from routing.errors import InvalidConfig
from routing.paths import normalise

_NAME = r"\{[A-Za-z_][A-Za-z0-9_-]*\}"
_CHARS = r"(?:[A-Za-z0-9\-._~!$&'()+,;=:@/]|%[0-9A-Fa-f]{2})"
_PATH = re.compile(rf"(?:{_CHARS}|{_NAME})*\*?").fullmatch
_LOCATION = re.compile(
    r"(https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?)?"
    rf"((?:{_CHARS}|{_NAME})*\*?)(\?(?:[/?]|{_CHARS}|{_NAME})*)?"
).fullmatch
_ONE_SLASH = re.compile(r"/(?!/)").match
_BEHIND_ORIGIN = re.compile(r"/|\{path\}|\Z").match
_PIECES = re.compile(rf"{_NAME}|\*\Z|(?:(?!{_NAME})[^*])+")
_NOT_IN_PATH = re.compile(rb"[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]|%(?![0-9A-Fa-f]{2})")
_NOT_IN_QUERY = re.compile(rb"[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]|%(?![0-9A-Fa-f]{2})")
_NOT_IN_PARAMETER = re.compile(rb"[^A-Za-z0-9\-._~%]|%(?![0-9A-Fa-f]{2})")

_Variable = Callable[[list[bytes]], bytes]
"""Gives a part of a normalised path from its segments, the first of which is empty."""


class Request(Protocol):
    """The parts of a request head that a route's changes are about."""

    @property
    def method(self) -> bytes: ...

    @property
    def path(self) -> bytes: ...

    @property
    def query(self) -> bytes: ...


class PathTemplate:
    """A path made of parts of a request's path. Raises InvalidConfig."""

    __slots__ = ("_template",)

    def __init__(self, place: str, text: str, path: str) -> None:
        """`place`: the key with `text`; `path`: of the route, which names the parts."""
        if _PATH(text) is None:
            raise _wrong(place, text, "a path with {name} and a final *")
        self._template = _Template(place, text, _variables(path))

    def fill(self, path: bytes) -> bytes:
        """For a request's `path`; it begins with one slash if `text` does."""
        return _one_slash(self._template.fill(normalise(path)))


class Changes:
    """The changes of one route. Raises InvalidConfig for a template that the route cannot fill."""

    __slots__ = ("_location", "_path", "_request", "_response", "status")

    def __init__(self, rule: RouteRule) -> None:
        known = _variables(rule.path)
        self._request = _Fields(rule.request_headers)
        self._response = _Fields(rule.response_headers)
        self._path: PathTemplate | None = None
        if rule.rewrite is not None:
            self._path = PathTemplate("rewrite.path", rule.rewrite.path, rule.path)
        self._location: _Location | None = None
        self.status = 0
        """Of the redirect."""
        if rule.redirect is not None:
            self._location = _Location(rule.redirect.location, known)
            self.status = rule.redirect.status

    @property
    def redirects(self) -> bool:
        return self._location is not None

    def request(self, head: bytes, request: Request) -> bytes:
        """The monolith's `head` as the service gets it. Both with the empty line."""
        if self._path is not None:
            _, _, rest = head.partition(b"\r\n")
            head = b"%b %b HTTP/1.1\r\n%b" % (request.method, self.target(request), rest)
        return self._request.change(head[:-2]) + b"\r\n"

    def target(self, request: Request) -> bytes:
        """Path and query that the service is asked for."""
        path = request.path
        if self._path is not None:
            path = self._path.fill(path)
        return path + b"?" + request.query if request.query else path

    def response(self, head: bytes) -> bytes:
        """The service's answer as the client gets it. Both without the empty line."""
        return self._response.change(head)

    def redirect(self, request: Request, date: str) -> bytes:
        """The head of the redirect, without the empty line. Not to be kept by caches: the flag may
        change."""
        head = (
            b"HTTP/1.1 %d %b\r\nDate: %b\r\nServer: migrator\r\nLocation: %b\r\n"
            b"Cache-Control: no-store\r\nContent-Length: 0\r\n"
        ) % (
            self.status,
            HTTPStatus(self.status).phrase.encode(),
            date.encode(),
            self.location(request),
        )
        return self._response.change(head)

    def location(self, request: Request) -> bytes:
        """Where the redirect leads; empty if there is none."""
        return b"" if self._location is None else self._location.fill(request)


def probe_of(rule: RouteRule, place: str) -> PathTemplate | None:
    """Path of the read that shows what a write has done, if the route names one. Raises
    InvalidConfig that names `place`."""
    if rule.probe is None:
        return None
    try:
        return PathTemplate("probe", rule.probe, rule.path)
    except InvalidConfig as exc:
        raise InvalidConfig(f"{place}: {exc}", hint=exc.hint) from None


def changes_of(rule: RouteRule, place: str) -> Changes | None:
    """The changes of a route, None if there are none. Raises InvalidConfig that names `place`."""
    if not rule.changes_something:
        return None
    try:
        return Changes(rule)
    except InvalidConfig as exc:
        raise InvalidConfig(f"{place}: {exc}", hint=exc.hint) from None


class _Fields:
    """Fields of a block of lines, each ended, behind its first line."""

    __slots__ = ("_drop", "_lines")

    def __init__(self, changes: FieldChanges | None) -> None:
        changes = changes or FieldChanges()
        dropped = (re.escape(name.encode()) for name in (*changes.set, *changes.remove))
        # With the underscores that CGI and WSGI servers take for hyphens.
        names = b"|".join(re.sub(rb"\\-|_", b"[-_]", name) for name in dropped)
        self._drop = re.compile(rb"(?i)\n(?:%b):[^\n]*+" % names).sub if names else None
        self._lines = b"".join(
            f"{name}: {value}\r\n".encode()
            for name, value in (*changes.set.items(), *changes.add.items())
        )

    def change(self, block: bytes) -> bytes:
        if self._drop is not None:
            block = self._drop(b"", block)
        return block + self._lines


class _Template:
    """A text with parts of a path, percent-encoded where a URL demands it."""

    __slots__ = ("_pieces",)

    def __init__(
        self,
        place: str,
        text: str,
        known: Mapping[str, _Variable],
        unsafe: re.Pattern[bytes] = _NOT_IN_PATH,
    ) -> None:
        self._pieces: list[bytes | _Variable] = []
        for piece in _PIECES.findall(text):
            if not piece.startswith(("{", "*")):
                self._pieces.append(piece.encode())
            elif piece in known:
                self._pieces.append(_encoded(known[piece], unsafe))
            else:
                raise InvalidConfig(
                    f"{place} {text!r} has {piece}, expected one of: {' '.join(known)}",
                    hint="name what the route's path names",
                )

    def fill(self, path: bytes) -> bytes:
        """`path`: normalised."""
        parts = path.split(b"/")
        return b"".join(
            piece if isinstance(piece, bytes) else piece(parts) for piece in self._pieces
        )


class _Location:
    """Where a redirect leads."""

    __slots__ = ("_origin", "_path", "_query")

    def __init__(self, text: str, known: Mapping[str, _Variable]) -> None:
        known = {**known, "{path}": b"/".join}
        match = _LOCATION(text)
        if match is None:
            raise _wrong("redirect.location", text, "a URL or path with {name} and a final *")
        origin, path, query = match.groups()
        if (_BEHIND_ORIGIN if origin else _ONE_SLASH)(path) is None:
            raise _wrong("redirect.location", text, "one / (or, in a URL, {path}) before the rest")
        self._origin = None if origin is None else origin.encode()
        self._path = _Template("redirect.location", path, known)
        self._query = (
            None
            if query is None
            else _Template("redirect.location", query, known, _NOT_IN_PARAMETER)
        )

    def fill(self, request: Request) -> bytes:
        normalised = normalise(request.path)
        path = self._path.fill(normalised)
        if self._query is not None:
            query = self._query.fill(normalised)
        else:
            query = _escape(_NOT_IN_QUERY, b"?" + request.query) if request.query else b""
        # Two slashes at the beginning would lead to another host (RFC 3986, 4.2).
        return (_one_slash(path) if self._origin is None else self._origin + path) + query


def _variables(path: str) -> dict[str, _Variable]:
    found: dict[str, _Variable] = {}
    for index, segment in enumerate(path.split("/")):
        if segment == "*":
            found["*"] = _rest(index)
        elif segment.startswith("{"):
            found[segment] = itemgetter(index)
    return found


def _rest(index: int) -> _Variable:
    return lambda parts: b"/".join(parts[index:])


def _encoded(variable: _Variable, unsafe: re.Pattern[bytes]) -> _Variable:
    return lambda parts: _escape(unsafe, variable(parts))


def _escape(unsafe: re.Pattern[bytes], text: bytes) -> bytes:
    return unsafe.sub(lambda match: b"%%%02X" % match[0][0], text)


def _one_slash(path: bytes) -> bytes:
    return b"/" + path.lstrip(b"/") if path.startswith(b"//") else path


def _wrong(place: str, text: str, expected: str) -> InvalidConfig:
    return InvalidConfig(f"{place} {text!r} is not usable, expected {expected}")
