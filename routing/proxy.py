"""What the connections of one worker share: the routing in force, the clock, the origins."""

import asyncio
from time import monotonic

from routing.client_side import ClientConnection
from routing.config import ProxyConfig
from routing.evaluator import Evaluator
from routing.lanes import Routing
from routing.outbox import Outbox
from routing.pool import Endpoint
from routing.stats import Stats

TICK_SECONDS = 0.25


class Proxy:
    """`now` is the monotonic time of the last tick: exact enough for time-outs, and free."""

    def __init__(
        self, config: ProxyConfig, evaluator: Evaluator, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.evaluator = evaluator
        self.outbox = Outbox(loop)
        self.stats = Stats()
        self.clients: set[ClientConnection] = set()
        self.connections: dict[bytes, int] = {}
        """Open connections by address, while the configuration limits them."""
        self.now = monotonic()
        self.draining = False
        self._endpoints: dict[str, Endpoint] = {}
        self.routing = self._route(config)
        self._timer = loop.call_later(TICK_SECONDS, self._tick)

    def apply(self, config: ProxyConfig) -> None:
        """Route by `config` from now on; requests in flight end as they began."""
        self._endpoints, before = {}, self._endpoints
        try:
            self.routing = self._route(config)
        except BaseException:
            self._endpoints = before
            raise
        for endpoint in before.values():
            endpoint.close()
        self.evaluator.clear()

    def edge(self, source: bytes | None = None) -> ClientConnection:
        """A connection of users; `source`: of whom, if not of the peer itself."""
        return ClientConnection(self, edge=True, source=source)

    def gateway(self) -> ClientConnection:
        """A connection of services."""
        return ClientConnection(self, edge=False)

    def drain(self) -> None:
        """Close idle connections now and the others after their answer."""
        self.draining = True
        for client in list(self.clients):
            client.drain()

    def stop(self) -> None:
        """Cut what is left."""
        self._timer.cancel()
        for client in list(self.clients):
            client.abort()
        for endpoint in self._endpoints.values():
            endpoint.close()

    def _route(self, config: ProxyConfig) -> Routing:
        def endpoint(url: str) -> Endpoint:
            if url not in self._endpoints:
                tls = config.origin_tls.get(url)
                self._endpoints[url] = Endpoint(
                    url, self, config.timeouts, self.loop, self.outbox, tls
                )
            return self._endpoints[url]

        return Routing(config, self.stats, endpoint)

    def _tick(self) -> None:
        self.now = now = monotonic()
        for client in [
            client for client in self.clients if client.deadline < now or client.end < now
        ]:
            client.late()
        for endpoint in self._endpoints.values():
            endpoint.tick()
        self._timer = self.loop.call_later(TICK_SECONDS, self._tick)
