"""Everything about routing that does not depend on the request, prepared when the rules change."""

import sys
from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING

from routing.changes import Changes
from routing.config import ProxyConfig
from routing.context import ContextReader
from routing.copies import Copier
from routing.decision import Decision, Evaluation, decide
from routing.exposure import Exposure
from routing.group import Group
from routing.reading import request_reader
from routing.stages import Access, Side, Stage, access_of
from routing.stats import Cell, Stats
from routing.table import Route, RouteTable
from routing.trusted import Trusted

if TYPE_CHECKING:
    from routing.tokens import TokenVerifier


class Lane:
    """The prepared answer for one route, access and stage."""

    __slots__ = (
        "_label",
        "access",
        "also",
        "cell",
        "changes",
        "decision",
        "endpoint",
        "fallback",
        "group",
        "repeat_writes",
        "route",
        "stage_line",
    )

    def __init__(
        self,
        route: Route | None,
        access: Access,
        decision: Decision,
        group: Group,
        fallback: Group | None,
        cell: Cell,
        changes: Changes | None = None,
    ) -> None:
        self.route = route
        self.access = access
        self.decision = decision
        self.group = group
        self.endpoint = group.only
        """None: the group must be asked."""
        self.fallback = fallback
        """The monolith, when it is not asked in the first place."""
        self.also: Copier | None = None
        """Copies requests for the side that does not answer."""
        self.cell = cell
        self.changes = changes
        """Of what goes to the service and comes from it."""
        self.repeat_writes = decision.repeat_writes
        if decision.stage is None:
            self.stage_line = b""
            self._label = f"capability=; origin={decision.origin}"
        else:
            stage = f"{decision.capability}={decision.stage}"
            self.stage_line = f"X-Migrator-Stage: {stage}\r\n".encode()
            self._label = (
                f"capability={decision.capability}; stage={decision.stage}; "
                f"origin={decision.origin}"
            )

    def decision_line(self, evaluation: Evaluation | None, *, fell_back: bool) -> bytes:
        """The response line that shows the decision."""
        parts = [self._label]
        if evaluation is not None:
            version = "" if evaluation.version is None else evaluation.version
            parts.append(f"reason={evaluation.reason}; version={version}")
        if fell_back:
            parts.append("fallback=old")
        return f"X-Migrator-Decision: {'; '.join(parts)}\r\n".encode()


class Routing:
    """One configuration, ready to route. Raises InvalidConfig."""

    def __init__(
        self,
        config: ProxyConfig,
        stats: Stats,
        groups: Mapping[str | None, Group],
        copier: Callable[[Route, Access, Decision, Group, Group], Copier | None],
        tokens: "TokenVerifier | None" = None,
    ) -> None:
        """`groups`: by the service's name; None is the monolith."""
        self.table = RouteTable(config.capabilities)
        self.contexts = ContextReader(config.context, tokens)
        self.reader = request_reader(config, self.contexts, self.table, believed=False)
        self.believing_reader = request_reader(config, self.contexts, self.table, believed=True)
        """For trusted peers."""
        self.limits = config.limits
        self.trusted = Trusted(config.trusted, config.forwarded)
        tls = config.listen.tls
        self.passes_certificates = tls is not None and tls.pass_client_certificate
        """Origins get the certificates of clients (RFC 9440)."""
        self.max_body = sys.maxsize if config.limits.body is None else config.limits.body
        self.expose = Exposure(config.expose_decision) if config.expose_decision else None
        self.timeouts = config.timeouts
        self.total = inf if config.timeouts.total is None else config.timeouts.total
        self.flags = {name: each.flag for name, each in config.capabilities.items()}
        self.groups = groups
        monolith = groups[None]

        def lane(
            route: Route | None, access: Access, stage: Stage, *, switched_off: bool = False
        ) -> Lane:
            decision = decide(route, access, stage, switched_off=switched_off)
            new = route is not None and decision.origin is Side.NEW
            prepared = Lane(
                route,
                access,
                decision,
                groups[route.service] if route is not None and new else monolith,
                monolith if new else None,
                stats.cell((decision.capability, decision.stage, decision.origin)),
                route.changes if route is not None and new else None,
            )
            if route is not None:
                prepared.also = copier(
                    route, access, decision, monolith if new else groups[route.service], monolith
                )
            return prepared

        self.unrouted = lane(None, Access.READ, Stage.OFF)
        self._lanes: dict[Route, dict[Access, dict[Stage, Lane]]] = {
            route: {
                access: {stage: lane(route, access, stage) for stage in Stage} for access in Access
            }
            for route in self.table.routes
        }
        self._switched_off: dict[Route, dict[Access, Lane]] = {
            route: {access: lane(route, access, Stage.OFF, switched_off=True) for access in Access}
            for route in self.table.routes
            if route.switches
        }

    def lane(self, route: Route, method: bytes, evaluation: Evaluation) -> Lane:
        """The prepared answer."""
        access = access_of(method, route.access)
        if evaluation.prerequisite is not None and evaluation.prerequisite in route.switches:
            return self._switched_off[route][access]
        return self._lanes[route][access][evaluation.stage]
