"""What a route may ask of a request beside path and method: host, header fields, query.

Pure. Routes of one path template and method are kept by host, and for each host by the names they
ask for; within those names the values find the route in a dictionary. So the work for a request
depends on how many different sets of names there are, not on how many routes.

Precedence: an exact host before `*.`, the longer `*.` before the shorter, any host last; then more
conditions before fewer; then more conditions with a value before those that ask for presence only.
Two routes that are equal in all of this conflict, unless they ask for different values of the same
field or parameter, so that no request fits both.
"""

import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes

from routing.config.secret import shown_field
from routing.errors import InvalidConfig, RouteConflict

if TYPE_CHECKING:
    from routing.table import Route

MAX_HOST = 255
"""No domain name is longer (RFC 1035, 2.3.4); no route is for a longer host."""

_HOST = re.compile(
    r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*"
    r"|\[[0-9a-f:.]+\]"
).fullmatch
_VALUE = re.compile(r"(?:[!-~\x80-\U0010ffff](?:[\t -~\x80-\U0010ffff]*[!-~\x80-\U0010ffff])?)?")

_Name = tuple[str, bytes, bool]
"""Where to look (`header` or `query`), the name, and whether a value is asked for."""
_Names = tuple[_Name, ...]
_Values = tuple[bytes, ...]


class Details(Protocol):
    """The parts of a request that conditions are about."""

    @property
    def host(self) -> bytes: ...

    @property
    def fields(self) -> dict[bytes, bytes]: ...

    @property
    def query(self) -> bytes: ...


class Asked:
    """One request's details, each read when a route first asks for it."""

    __slots__ = ("_details", "_host", "_query")

    def __init__(self, details: Details | None) -> None:
        self._details = details
        self._host: bytes | None = None
        self._query: dict[bytes, bytes] | None = None

    @property
    def host(self) -> bytes:
        """In lower case, without port and final dot; empty when unknown or too long."""
        if self._details is None:
            return b""
        if self._host is None:
            host = self._details.host.lower()
            end = host.find(b"]") + 1 if host.startswith(b"[") else host.find(b":")
            host = (host[:end] if end >= 0 else host).removesuffix(b".")
            self._host = host if len(host) <= MAX_HOST else b""
        return self._host

    def value(self, name: _Name) -> bytes | None:
        """What the request has under this name."""
        if self._details is None:
            return None
        if name[0] == "header":
            return self._details.fields.get(name[1])
        if self._query is None:
            self._query = parameters(self._details.query)
        return self._query.get(name[1])


def parameters(query: bytes) -> dict[bytes, bytes]:
    """The first value of each parameter of a query, read as a form (WHATWG URL, 5.1)."""
    found: dict[bytes, bytes] = {}
    for pair in query.replace(b"+", b" ").split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            found.setdefault(unquote_to_bytes(name), unquote_to_bytes(value))
    return found


class Fork:
    """The routes of one path template and method, where at least one has conditions."""

    __slots__ = ("_below", "_elsewhere", "_hosts")

    def __init__(self) -> None:
        self._hosts: dict[bytes, _Group] = {}
        self._below: dict[bytes, _Group] = {}
        """By the domain with the dot before it."""
        self._elsewhere = _Group()

    def add(self, route: "Route") -> None:
        """Raises InvalidConfig for a conflict with a route that was added before."""
        host = _host(route)
        if host is None:
            group = self._elsewhere
        elif host.startswith("*"):
            group = self._below.setdefault(host[1:].encode(), _Group())
        else:
            group = self._hosts.setdefault(host.encode(), _Group())
        group.add(route)

    def pick(self, asked: Asked) -> "Route | None":
        """The most specific route whose conditions all hold."""
        if self._hosts or self._below:
            host = asked.host
            group = self._hosts.get(host)
            route = group.pick(asked) if group is not None else None
            dot = host.find(b".", 1) if self._below else -1
            while route is None and dot > 0:
                group = self._below.get(host[dot:])
                route = group.pick(asked) if group is not None else None
                dot = host.find(b".", dot + 1)
            if route is not None:
                return route
        return self._elsewhere.pick(asked)


class _Group:
    """The routes for one host."""

    __slots__ = ("_shapes",)

    def __init__(self) -> None:
        self._shapes: dict[_Names, dict[_Values, Route]] = {}
        """By what they ask for, in order of precedence; then by the values."""

    def add(self, route: "Route") -> None:
        names, values = _conditions(route)
        same = self._shapes.get(names, {}).get(values)
        if same is not None:
            raise RouteConflict(same, route)
        for shape, routes in self._shapes.items():
            if shape != names and _rank(shape) == _rank(names):
                mine = _at(names, values, shape)
                for other, found in routes.items():
                    if _at(shape, other, names) == mine:
                        raise RouteConflict(found, route)
        if names not in self._shapes:
            self._shapes[names] = {}
            self._shapes = dict(sorted(self._shapes.items(), key=lambda item: _rank(item[0])))
        self._shapes[names][values] = route

    def pick(self, asked: Asked) -> "Route | None":
        for names, routes in self._shapes.items():
            values: list[bytes] = []
            for name in names:
                value = asked.value(name)
                if value is None:
                    break
                if name[2]:
                    values.append(value)
            else:
                route = routes.get(tuple(values))
                if route is not None:
                    return route
        return None


def _rank(names: _Names) -> tuple[int, int]:
    """Smaller goes first."""
    return -len(names), -sum(exact for _, _, exact in names)


def _at(names: _Names, values: _Values, others: _Names) -> _Values:
    """The values under the names for which `others` has a value too."""
    exact = (name for name in names if name[2])
    return tuple(value for name, value in zip(exact, values, strict=True) if name in others)


def _conditions(route: "Route") -> tuple[_Names, _Values]:
    found: dict[_Name, bytes] = {}
    seen: set[tuple[str, bytes]] = set()
    asked = [("header", name.lower(), value) for name, value in route.headers]
    asked += [("query", name, value) for name, value in route.query]
    for place, name, value in asked:
        if (place, name.encode()) in seen:
            raise InvalidConfig(f"{route}: the {place} {name!r} is there twice")
        seen.add((place, name.encode()))
        if place == "header" and name == "host":
            raise InvalidConfig(f"{route}: Host is not matched by headers", hint="use host")
        if place == "header" and value is not None and not _VALUE.fullmatch(value):
            raise InvalidConfig(
                f"{route}: no header {name!r} has the value {shown_field(name, value)!r} "
                "(RFC 9110, 5.5)"
            )
        found[place, name.encode(), value is not None] = (value or "").encode()
    names = tuple(sorted(found))
    return names, tuple(found[name] for name in names if name[2])


def _host(route: "Route") -> str | None:
    if route.host is None:
        return None
    host = route.host.lower()
    if len(host) > MAX_HOST or not _HOST(host):
        raise InvalidConfig(
            f"{route}: {route.host!r} is not a host",
            hint="name a host without port, such as example.org, or *. and a domain",
        )
    return host
