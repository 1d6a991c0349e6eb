"""The compiled route table: which capability owns a request.

Pure. Built from the configuration when it changes, asked once per request. Paths are OpenAPI
templates: literal segments, `{name}` for exactly one non-empty segment, and a trailing `*` for
whatever follows, also nothing. The most specific template wins, compared segment by segment from
the left: literal before `{name}` before `*`. Within one template a named method wins over a route
for every method, and a HEAD request matches a GET route. Within one template and method, routes may
also ask for host, header fields and query (see `conditions`); when none of them holds, the next
method and then the next template is tried.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from routing.changes import Changes, PathTemplate, changes_of, probe_of
from routing.conditions import Asked, Details, Fork
from routing.config import Capability, Condition, ParityRules, RouteRule
from routing.config.secret import shown_field, shown_parameter
from routing.errors import InvalidConfig, RouteConflict
from routing.paths import normalise
from routing.stages import Access

_LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-Fa-f]{2})*")
_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_-]*\}")
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEAD_KEYS = (b"HEAD", b"GET", None)
_NO_RULES = ParityRules()


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One line of the table. `methods` None: every method. Compared by identity: it is a key."""

    capability: str
    flag: str
    service: str
    path: str
    methods: tuple[str, ...] | None
    access: Access | None
    host: str | None = None
    headers: tuple[tuple[str, str | None], ...] = ()
    """Name and value; None: any value."""
    query: tuple[tuple[str, str | None], ...] = ()
    mirror_reads: bool = True
    second_writes: bool = True
    changes: Changes | None = None
    parity: ParityRules = _NO_RULES
    """Its own and the capability's."""
    probe: PathTemplate | None = None
    switches: frozenset[str] = frozenset()
    """Flags of the services that its capability needs."""

    @property
    def conditional(self) -> bool:
        return bool(self.host is not None or self.headers or self.query)

    def __str__(self) -> str:
        words = [f"{self.capability}:", *(self.methods or ("*",)), self.path, self.conditions]
        return " ".join(words).rstrip()

    @property
    def conditions(self) -> str:
        """What it asks for beside method and path, for people; empty if nothing."""
        words = [] if self.host is None else [f"host {self.host}"]
        for place, conditions, shown in (
            ("header", self.headers, shown_field),
            ("query", self.query, shown_parameter),
        ):
            for name, value in conditions:
                words.append(
                    f"{place} {name}" if value is None else f"{place} {name}={shown(name, value)}"
                )
        return " ".join(words)


_Leaf = dict[bytes | None, Route | Fork]
"""By method; None stands for every other method."""


@dataclass(slots=True)
class _Node:
    literals: dict[bytes, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    exact: _Leaf = field(default_factory=dict)
    """Routes that end here."""
    rest: _Leaf = field(default_factory=dict)
    """Routes with `*` here."""


class RouteTable:
    """All routes of a configuration. Raises InvalidConfig for a bad template or a conflict."""

    def __init__(self, capabilities: Mapping[str, Capability]) -> None:
        self._root = _Node()
        self.routes: list[Route] = []
        self.wanted: set[str] = set()
        """Names of the fields that `match` has to know of."""
        self._conditional = False
        for name, capability in capabilities.items():
            common = capability.flag, capability.parity, capability.switches
            for rule in capability.routes:
                self.add(route_of(rule, name, *common))

    def match(self, method: bytes, path: bytes, details: Details | None = None) -> Route | None:
        """The most specific route for `path` (no query), None when nothing matches.
        Conditions do not hold without `details`, which are looked at only where there are any."""
        # Not by `in`, which takes the bytes for a number first, and raises inside.
        if path.find(b"%") >= 0 or path.find(b"/.") >= 0:
            path = normalise(path)
        asked = Asked(details) if self._conditional else None
        return _find(self._root, path.split(b"/"), 1, method, asked)

    def add(self, route: Route) -> None:
        """Raises InvalidConfig; RouteConflict, after which it may be there in part."""
        self.routes.append(route)
        self.wanted.update(name for name, _ in route.headers)
        self._conditional = self._conditional or route.conditional
        node = self._root
        segments = _segments(route)
        for segment in segments[:-1] if segments[-1] == "*" else segments:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                literal = normalise(b"/" + segment.encode())[1:]
                node = node.literals.setdefault(literal, _Node())
        leaf = node.rest if segments[-1] == "*" else node.exact
        for method in _method_keys(route):
            other = leaf.get(method)
            if other is None and not route.conditional:
                leaf[method] = route
            elif isinstance(other, Route) and not route.conditional:
                raise RouteConflict(other, route)
            else:
                fork = other if isinstance(other, Fork) else Fork()
                if isinstance(other, Route):
                    fork.add(other)
                fork.add(route)
                leaf[method] = fork


def route_of(
    rule: RouteRule,
    capability: str,
    flag: str,
    parity: ParityRules = _NO_RULES,
    switches: Iterable[str] = (),
) -> Route:
    """`parity`, `switches`: of the capability. Raises InvalidConfig for templates that cannot be
    filled."""
    place = f"{capability}: {rule.path}"
    return Route(
        capability=capability,
        flag=flag,
        service=rule.service,
        path=rule.path,
        methods=rule.methods,
        access=Access(rule.access) if rule.access else None,
        host=rule.host,
        headers=_pairs(rule.headers),
        query=_pairs(rule.query),
        mirror_reads=rule.mirror_reads,
        second_writes=rule.second_writes,
        changes=changes_of(rule, place),
        parity=parity if rule.parity is None else rule.parity.before(parity),
        probe=probe_of(rule, place),
        switches=frozenset(switches),
    )


def _pairs(conditions: Mapping[str, Condition]) -> tuple[tuple[str, str | None], ...]:
    return tuple(
        (name, value if isinstance(value, str) else None) for name, value in conditions.items()
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


def _pick(leaf: _Leaf, method: bytes, asked: Asked | None) -> Route | None:
    for key in _HEAD_KEYS if method == b"HEAD" else (method, None):
        found = leaf.get(key)
        if isinstance(found, Fork):
            found = None if asked is None else found.pick(asked)
        if found is not None:
            return found
    return None


def _find(
    node: _Node, parts: list[bytes], at: int, method: bytes, asked: Asked | None
) -> Route | None:
    """Depth first in order of precedence; bounded by the depth of the table, not of the path."""
    end = len(parts)
    while at < end:
        part = parts[at]
        at += 1
        child = node.literals.get(part)
        parameter = node.parameter if part else None
        if node.rest or (child is not None and parameter is not None):
            for way in (child, parameter):
                if way is not None:
                    route = _find(way, parts, at, method, asked)
                    if route is not None:
                        return route
            return _pick(node.rest, method, asked)
        only = parameter if child is None else child
        if only is None:
            return None
        node = only
    return _pick(node.exact, method, asked)
