"""Routes and lanes of the proxy, for tests of what looks at them."""

from dataclasses import dataclass

from routing.config import Capability
from routing.decision import Decision, decide
from routing.stages import Access, Stage
from routing.table import Route, RouteTable


@dataclass(frozen=True, eq=False)
class ALane:
    """What a record knows of a lane, see `routing.record`."""

    route: Route | None
    decision: Decision
    access: Access = Access.READ


def a_lane(stage: Stage = Stage.LIVE) -> ALane:
    """Of a read of the capability `publishing`."""
    rules = {"flag": "publishing", "routes": [{"path": "/articles/{id}", "service": "articles"}]}
    route = RouteTable({"publishing": Capability.model_validate(rules)}).routes[0]
    return ALane(route, decide(route, Access.READ, stage))


def no_lane() -> ALane:
    """Of a request that no route matches."""
    return ALane(None, decide(None, Access.READ, Stage.OFF))
