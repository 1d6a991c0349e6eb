"""All origins of one worker. A change of the configuration keeps the endpoints that stay."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from routing.account import Account
from routing.config import ProxyConfig, Upstream
from routing.group import Group
from routing.health import Health
from routing.health_check import keep_checking
from routing.outbox import Outbox
from routing.outcomes import Outcomes
from routing.pool import Clock, Endpoint

LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether files for TLS have changed."""

Groups = Mapping[str | None, Group]
"""By the service's name; None is the monolith."""


class Upstreams:
    """`prepare` may be followed by `adopt`; before that nothing changes."""

    def __init__(
        self,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        outbox: Outbox,
        outcomes: Outcomes,
    ) -> None:
        self._clock = clock
        self._loop = loop
        self._outbox = outbox
        self._outcomes = outcomes
        self._look_at = 0.0
        self._groups: Groups = {}
        self._leaving: list[Endpoint] = []
        """No longer configured, but still with requests in flight."""
        self._checks: dict[Group, list[asyncio.Task[None]]] = {}

    def prepare(self, config: ProxyConfig) -> Groups:
        """The groups for `config`, with the connections and the standing of endpoints that stay.
        A group in which nothing changes is itself again, and its health checks go on."""
        origins: list[tuple[str | None, Upstream]] = [
            (None, config.monolith),
            *config.services.items(),
        ]
        return {name: self._group(name, upstream, config) for name, upstream in origins}

    def adopt(self, groups: Groups, config: ProxyConfig) -> None:
        """Let `groups` of `prepare` be in force."""
        kept = set(groups.values())
        staying = {id(each) for group in kept for each in group.endpoints}
        for group in self._groups.values():
            if group not in kept:
                self._stop_checks(group)
            for endpoint in group.endpoints:
                if id(endpoint) not in staying:
                    endpoint.close()
                    self._leaving.append(endpoint)
        self._groups = groups
        for group in groups.values():
            rules = group.upstream.health_check
            group.account.limit(None if group.only else group.upstream.retry_budget)
            for endpoint in group.endpoints:
                endpoint.configure(config.timeouts, group.upstream.circuit_breaker)
                if rules is None:
                    endpoint.health = Health()
            if rules is not None and group not in self._checks:
                self._checks[group] = [
                    self._loop.create_task(keep_checking(group, endpoint, rules))
                    for endpoint in group.endpoints
                ]
            group.refresh()

    def tick(self) -> None:
        """Let time pass: the clock has gone on."""
        if self._clock.now >= self._look_at:
            self._renew()
        for group in self._groups.values():
            for endpoint in group.endpoints:
                endpoint.tick()
            if group.only is None:
                group.refresh()
        for endpoint in self._leaving:
            endpoint.tick()
        self._leaving = [each for each in self._leaving if not each.at_rest]

    def close(self) -> None:
        for group in self._groups.values():
            self._stop_checks(group)
            for endpoint in group.endpoints:
                endpoint.close()

    def document(self) -> list[dict[str, Any]]:
        """JSON of all origins, see `endpoint_stats`."""
        wall = time.time() - self._clock.now
        return [group.document(wall) for group in self._groups.values()]

    def _group(self, name: str | None, upstream: Upstream, config: ProxyConfig) -> Group:
        before = self._groups.get(name)
        if before is None:
            have, account = {}, Account()
        else:
            have, account = {each.address: each for each in before.endpoints}, before.account
        endpoints = []
        for address in upstream.endpoints:
            endpoint = have.get(address)
            tls = config.origin_tls.get(address)
            if endpoint is None or endpoint.tls != tls:
                endpoint = Endpoint(
                    address, self._clock, config.timeouts, self._loop, self._outbox, tls
                )
                if before is not None:
                    endpoint.usable_since = self._clock.now
            endpoints.append(endpoint)
        if (
            before is not None
            and before.upstream == upstream
            and before.endpoints == tuple(endpoints)
        ):
            return before
        return Group(name, upstream, endpoints, account, self._clock)

    def _renew(self) -> None:
        """Look at the files for TLS, but read those of one endpoint only: that takes milliseconds,
        and requests wait. The others have their turn at the next tick."""
        for group in self._groups.values():
            for endpoint in group.endpoints:
                if endpoint.renew(self._outcomes):
                    return
        self._look_at = self._clock.now + LOOK_EVERY

    def _stop_checks(self, group: Group) -> None:
        for check in self._checks.pop(group, ()):
            check.cancel()
