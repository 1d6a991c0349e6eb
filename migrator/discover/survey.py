"""Two passes over the same requests, and what they come to. Pure.

The first learns the templates, the second counts by them. So a huge log takes twice the time and
no memory of its own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from migrator.discover.coupling import Coupling, Partner, SharedTable
from migrator.discover.groups import group, is_aside
from migrator.discover.openapi import normalise
from migrator.discover.request import MAX_PATH, SAFE, Request
from migrator.discover.risk import Facts, Risk, assess
from migrator.discover.shapes import MAX_WORD
from migrator.discover.templates import PathTree, Router

MAX_USERS: Final = 50_000
"""Names of users that are remembered, to keep them out of templates."""
FEW: Final = 100
"""Requests below which a group is too little known to be placed by its risk."""
MAX_ROUTES: Final = 1000
"""Different `http.route` that are looked at."""
_NO_ROUTE: Final = frozenset((400, 404, 405, 410, 414, 421, 431, 501))
"""Answers that say nothing of which routes there are: scanners get them for whatever they try."""


class Templates:
    """The first pass."""

    def __init__(self, declared: Mapping[str, str | None]) -> None:
        """`declared`: templates of an OpenAPI document and their tags; they win."""
        self._declared = declared
        self._router = Router(declared)
        self._routes: dict[str, tuple[str, Router]] = {}
        self._tree = PathTree()
        self._users: set[str] = set()

    def add(self, request: Request) -> None:
        user = request.user
        if user is not None and len(user) <= MAX_WORD and len(self._users) < MAX_USERS:
            self._users.add(user)
        if request.status in _NO_ROUTE or is_aside(request.path):
            return
        if self._router.match(request.path) is None:
            self._tree.add(self._told(request) or request.path)

    def survey(self) -> "Survey":
        """What the second pass is to be fed to."""
        self._tree.hide(self._users)
        return Survey(self._declared, self._tree.templates())

    def _told(self, request: Request) -> str | None:
        """The request's `http.route` as a template, if it is one and of the whole path."""
        route = request.route
        if route is None or len(route) > MAX_PATH or any(mark in route for mark in "*^("):
            return None
        if route not in self._routes:
            if len(self._routes) >= MAX_ROUTES:
                return None
            template = normalise(route)
            self._routes[route] = template, Router((template,))
        template, router = self._routes[route]
        return template if router.match(request.path) is not None else None


@dataclass(slots=True)
class Route:
    """What was seen of one template."""

    path: str
    documented: bool
    """In the OpenAPI document."""
    methods: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    """Answers with 5xx."""
    trailing_slash: bool = False
    """Whether its paths were also seen with a / at the end."""

    @property
    def requests(self) -> int:
        return self.methods.total()


@dataclass(frozen=True, slots=True)
class Group:
    """A capability that could be."""

    name: str
    routes: tuple[Route, ...]
    """By path."""
    facts: Facts
    risk: Risk
    partners: tuple[Partner, ...]
    shared_tables: tuple[SharedTable, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    groups: tuple[Group, ...]
    """In the order to move them: least risk first, after them those with fewer than `FEW`."""
    requests: int
    """In groups."""
    aside: int
    """Of static files and probes."""
    unmatched: int
    """Of no group: not found, or beyond what could be learned."""


class Survey:
    """The second pass."""

    def __init__(self, declared: Mapping[str, str | None], inferred: Iterable[str]) -> None:
        self._declared = Router(declared)
        inferred = tuple(inferred)
        self._inferred = Router(inferred)
        self._groups = group((*declared, *inferred), declared)
        self._routes = {
            template: Route(template, template in declared) for template in self._groups
        }
        self._coupling = Coupling()
        self._aside = 0
        self._unmatched = 0

    def add(self, request: Request, *, counts: bool = True) -> None:
        """`counts` False: only for the coupling; another source has counted the request."""
        path = request.path
        if is_aside(path):
            self._aside += counts
            return
        template = self._declared.match(path) or self._inferred.match(path)
        if template is None:
            self._unmatched += counts
            return
        self._coupling.add(request, self._groups[template])
        if counts:
            route = self._routes[template]
            route.methods[request.method] += 1
            route.errors += request.status is not None and request.status >= 500
            route.trailing_slash |= len(path) > 1 and path.endswith("/")

    def findings(self) -> Findings:
        routes: dict[str, list[Route]] = {}
        for template in sorted(self._routes):
            routes.setdefault(self._groups[template], []).append(self._routes[template])
        total = sum(route.requests for route in self._routes.values())
        groups = [self._group(name, found, total) for name, found in routes.items()]
        groups.sort(key=lambda each: (each.facts.requests < FEW, each.risk.score, each.name))
        return Findings(tuple(groups), total, self._aside, self._unmatched)

    def _group(self, name: str, routes: list[Route], total: int) -> Group:
        requests = sum(route.requests for route in routes)
        methods = sum((route.methods for route in routes), Counter[str]())
        writes = sum(count for method, count in methods.items() if method not in SAFE)
        facts = Facts(
            requests=requests,
            traffic=requests / total if total else 0.0,
            writes=writes / requests if requests else 0.0,
            errors=sum(route.errors for route in routes) / requests if requests else 0.0,
            routes=len(routes),
            coupling=self._coupling.share(name),
            writes_left=self._coupling.write_share(name),
            tables=self._coupling.table_share(name),
        )
        return Group(
            name,
            tuple(routes),
            facts,
            assess(facts),
            self._coupling.partners(name),
            self._coupling.shared_tables(name),
        )
