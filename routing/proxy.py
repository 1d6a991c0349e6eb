"""What the connections of one worker share: the routing in force, the clock, the origins."""

import asyncio
from email.utils import formatdate
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Protocol

from routing.client_side import ClientConnection
from routing.config import ProxyConfig
from routing.connection_counts import ConnectionCounts
from routing.context import CONTEXT_HEADER
from routing.copying import Copying
from routing.decision import Evaluation
from routing.errors import BadMessage
from routing.evaluator import Evaluator
from routing.group import Group
from routing.lanes import Routing
from routing.outbox import Outbox
from routing.outcomes import Outcomes
from routing.parity.comparing import Comparing
from routing.prober import Question
from routing.propagation import Propagator
from routing.stages import Side
from routing.stats import Stats
from routing.trust import Trust
from routing.upstreams import Groups, Upstreams
from routing.watch import Watch

TICK_SECONDS = 0.25


def date_line() -> bytes:
    """The field `Date` of RFC 9110, 6.6.1."""
    return b"Date: %b\r\n" % formatdate(usegmt=True).encode()


class Arriving(Protocol):
    """A connection that is not a client's yet."""

    def abort(self) -> None: ...


class Proxy:
    """`now` is the monotonic time of the last tick: exact enough for time-outs, and free."""

    def __init__(
        self,
        config: ProxyConfig,
        trust: Trust,
        evaluator: Evaluator,
        outcomes: Outcomes,
        loop: asyncio.AbstractEventLoop,
        state: Path,
    ) -> None:
        """`state`: the folder with the journal of second writes. Raises CannotStart."""
        self.loop = loop
        self.evaluator = evaluator
        self.outbox = Outbox(loop)
        self.stats = Stats()
        self.outcomes = outcomes
        self.clients: set[ClientConnection] = set()
        self.arriving: set[Arriving] = set()
        """Connections that were accepted and are not among `clients` yet: the PROXY protocol's
        header or the TLS handshake is under way."""
        self.connections = ConnectionCounts()
        self.now = monotonic()
        self.date_line = date_line()
        """For answers of origins without a clock; made at each tick, for it costs microseconds."""
        self.draining = False
        self.upstreams = Upstreams(self, loop, self.outbox, outcomes)
        self.parity = Comparing(config, loop)
        self.copying = Copying(config, state, self._find, self._question, loop, self.parity)
        self.routing, groups = self._route(config, trust)
        self.upstreams.adopt(groups, config)
        self.propagator = Propagator(config, trust.keyrings, evaluator, outcomes)
        self.watch = Watch(config, evaluator.detail)
        evaluator.on_context = self.watch.see
        self._timer = loop.call_later(TICK_SECONDS, self._tick)

    def apply(self, config: ProxyConfig, trust: Trust) -> None:
        """Route by `config` from now on; requests in flight end as they began.

        Raises InvalidConfig before anything has changed.
        """
        routing, groups = self._route(config, trust)
        propagator = Propagator(config, trust.keyrings, self.evaluator, self.outcomes)
        self.upstreams.adopt(groups, config)
        self.copying.apply(config)
        self.parity.apply(config)
        self.watch.apply(config)
        self.routing, self.propagator = routing, propagator
        self.evaluator.clear()

    def relocate(self, config: ProxyConfig, trust: Trust) -> None:
        """The same for a `config` in which only endpoints of services are others."""
        self.routing, groups = self._route(config, trust)
        self.upstreams.adopt(groups, config)

    def edge(self, source: bytes | None = None, *, vouches: bool = True) -> ClientConnection:
        """A connection of users; for `source` and `vouches` see `Visitor`."""
        return ClientConnection(self, edge=True, source=source, vouches=vouches)

    def gateway(self) -> ClientConnection:
        """A connection of services."""
        return ClientConnection(self, edge=False)

    @property
    def occupied(self) -> bool:
        """Whether anybody is connected."""
        return bool(self.clients or self.arriving)

    def drain(self) -> None:
        """Close idle connections now and the others after their answer."""
        self.draining = True
        for client in list(self.clients):
            client.drain()

    def stop(self) -> None:
        """Cut what is left."""
        self._timer.cancel()
        self.parity.stop()
        for each in [*self.arriving, *self.clients]:
            each.abort()
        self.upstreams.close()

    def _route(self, config: ProxyConfig, trust: Trust) -> tuple[Routing, Groups]:
        """What `config` asks for; nothing of it is in force yet. Raises InvalidConfig."""
        groups = self.upstreams.prepare(config)
        copier = partial(self.copying.copier, config)
        return Routing(config, self.stats, groups, copier, trust.tokens), groups

    def _find(
        self, capability: str, service: str, side: Side, context: bytes
    ) -> tuple[Group, Evaluation] | None:
        """Where a second write goes now, and what its context gets now."""
        routing = self.routing
        flag = routing.flags.get(capability)
        group = routing.groups.get(None if side is Side.OLD else service)
        if flag is None or group is None:
            return None
        identity = routing.contexts.at_gateway({CONTEXT_HEADER: context})
        known = self.evaluator.known(identity, routing.contexts.build)
        return group, self.evaluator.peek(flag, known)

    def _question(self, capability: str, head: bytes) -> Question | None:
        """How both sides are asked now for what a write of the capability has left."""
        routing = self.routing
        try:
            request = routing.reader.read(head)
        except BadMessage:
            return None
        if request is None:
            return None
        route = routing.table.match(request.method, request.path, request)
        if route is None or route.capability != capability or not route.mirror_reads:
            return None
        if route.changes is not None and route.changes.redirects:
            return None
        new = routing.groups[route.service]
        return Question(request, routing.groups[None], new, route.parity, route.changes)

    def _tick(self) -> None:
        # First, so that nothing that goes wrong below ends all time-outs.
        self._timer = self.loop.call_later(TICK_SECONDS, self._tick)
        self.pass_time(monotonic())

    def pass_time(self, now: float) -> None:
        """It is `now`: what has taken too long ends."""
        self.now = now
        self.date_line = date_line()
        for client in [
            client for client in self.clients if client.deadline < now or client.end < now
        ]:
            client.late()
        self.upstreams.tick()
        self.watch.tick()
