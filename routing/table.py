"""The compiled route table: which capability owns a request.

Pure. Built from the configuration when it changes, asked once per request. Paths are OpenAPI
templates: literal segments, `{name}` for exactly one non-empty segment, and a trailing `*` for
whatever follows, also nothing. The most specific template wins, compared segment by segment from
the left: literal before `{name}` before `*`. Within one template a named method wins over a route
for every method, and a HEAD request matches a GET route.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from routing.config import Capability
from routing.errors import InvalidConfig
from routing.stages import Access

_LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-Fa-f]{2})*")
_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_-]*\}")
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One line of the table. `methods` None: every method. Compared by identity: it is a key."""

    capability: str
    flag: str
    service: str
    path: str
    methods: tuple[str, ...] | None
    access: Access | None

    def __str__(self) -> str:
        return f"{self.capability}: {' '.join(self.methods or ('*',))} {self.path}"


@dataclass(slots=True)
class _Node:
    literals: dict[bytes, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    exact: dict[bytes | None, Route] = field(default_factory=dict)
    """Routes that end here, by method; None stands for every other method."""
    rest: dict[bytes | None, Route] = field(default_factory=dict)
    """Routes with `*` here, by method."""


class RouteTable:
    """All routes of a configuration. Raises InvalidConfig for a bad template or a conflict."""

    def __init__(self, capabilities: Mapping[str, Capability]) -> None:
        self._root = _Node()
        self.routes: tuple[Route, ...] = tuple(
            Route(
                capability=name,
                flag=capability.flag,
                service=rule.service,
                path=rule.path,
                methods=rule.methods,
                access=Access(rule.access) if rule.access else None,
            )
            for name, capability in capabilities.items()
            for rule in capability.routes
        )
        for route in self.routes:
            self._add(route)

    def match(self, method: bytes, path: bytes) -> Route | None:
        """The most specific route for `path` (no query), None when nothing matches."""
        if b"%" in path or b"/." in path:
            path = normalise(path)
        return _find(self._root, path.split(b"/"), 1, method)

    def _add(self, route: Route) -> None:
        node = self._root
        segments = _segments(route)
        for segment in segments[:-1] if segments[-1] == "*" else segments:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                literal = normalise(b"/" + segment.encode())[1:]
                node = node.literals.setdefault(literal, _Node())
        routes = node.rest if segments[-1] == "*" else node.exact
        for method in _method_keys(route):
            other = routes.setdefault(method, route)
            if other is not route:
                raise InvalidConfig(
                    f"two routes match the same requests: {other} and {route}",
                    hint="remove one of them, or give them different methods or paths",
                )


def _segments(route: Route) -> list[str]:
    if not route.path.startswith("/"):
        raise InvalidConfig(f"{route}: a path must begin with /, found {route.path!r}")
    segments = route.path.split("/")[1:]
    for position, segment in enumerate(segments):
        if segment == "*" and position == len(segments) - 1:
            continue
        if segment in (".", "..") or not (
            _LITERAL.fullmatch(segment) or _PARAMETER.fullmatch(segment)
        ):
            raise InvalidConfig(
                f"{route}: the segment {segment!r} is not a path segment (RFC 3986)",
                hint="use literal text, {name} for a whole segment, or a trailing *",
            )
    return segments


def _method_keys(route: Route) -> list[bytes | None]:
    if route.methods is None:
        return [None]
    if not route.methods:
        raise InvalidConfig(f"{route}: methods is empty", hint="name methods, or leave it out")
    for method in route.methods:
        if not _METHOD.fullmatch(method):
            raise InvalidConfig(f"{route}: {method!r} is not a method (RFC 9110, 5.6.2)")
    return [method.encode() for method in dict.fromkeys(route.methods)]


def _pick(routes: dict[bytes | None, Route], method: bytes) -> Route | None:
    route = routes.get(method)
    if route is None and method == b"HEAD":
        route = routes.get(b"GET")
    return route if route is not None else routes.get(None)


def _find(node: _Node, parts: list[bytes], at: int, method: bytes) -> Route | None:
    """Depth first in order of precedence; bounded by the depth of the table, not of the path."""
    if at == len(parts):
        return _pick(node.exact, method) if node.exact else None
    part = parts[at]
    child = node.literals.get(part)
    if child is not None:
        route = _find(child, parts, at + 1, method)
        if route is not None:
            return route
    if node.parameter is not None and part:
        route = _find(node.parameter, parts, at + 1, method)
        if route is not None:
            return route
    return _pick(node.rest, method) if node.rest else None


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
