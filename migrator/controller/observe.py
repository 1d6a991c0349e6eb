"""Reading the world for one tick: the proxy's counters, the flags, who changed them.

A thin shell around HTTP; what does not answer becomes None, and the loop says so. Never decides.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import httpx

from migrator.analysis.pulse import Tallies, parse_endpoints
from migrator.analysis.stats import Stats, parse_stats
from migrator.controller.backlog import parse_backlogs
from migrator.errors import Unavailable
from migrator.flagclient import AuditEntry, Flag, FlagClient
from migrator.rollout.ahead import Backlog
from migrator.rollout.events import CONTROLLER
from migrator.rollout.observation import Change

logger = logging.getLogger(__name__)

_SKEW: Final = 1000
"""Milliseconds."""
_MAX_STATS: Final = 16 * 1024 * 1024
_VIA: Final[Mapping[str, str]] = {
    "dashboard": "in the dashboard",
    "cli": "with the command line",
    "api": "through the API",
}


class ProxyStats:
    """Client of a proxy's admin address. Use as an async context manager."""

    def __init__(self, admin: str, *, timeout: float = 1.0) -> None:
        self._http = httpx.AsyncClient(base_url=admin, timeout=timeout, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def read(self) -> tuple[Stats, Mapping[str, Backlog]]:
        """The counters now, and the second writes that wait for services. Raises Unavailable."""
        document = await self._get("/stats")
        return parse_stats(document), parse_backlogs(document)

    async def tallies(self) -> Tallies:
        """What each origin did for users so far. Raises Unavailable."""
        return parse_endpoints(await self._get("/endpoints"))

    async def _get(self, path: str) -> bytes:
        try:
            answer = await self._http.get(path)
        except httpx.TransportError as error:
            detail = str(error) or type(error).__name__
            raise Unavailable(f"the proxy's figures are not available: {detail}") from error
        if not answer.is_success or len(answer.content) > _MAX_STATS:
            raise Unavailable(f"the proxy's figures are not available: {answer.status_code}")
        return answer.content


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What answered at one tick."""

    stats: Stats | None
    backlogs: Mapping[str, Backlog] = field(default_factory=dict)
    """Second writes that wait for its service, by capability; unknown where `stats` is."""
    flags: Mapping[str, Flag] | None
    problems: tuple[str, ...]


async def look(proxy: ProxyStats, flags: FlagClient, keys: Collection[str]) -> World:
    """Read both at the same time; `keys`: of the flags that matter."""
    read, listed = await asyncio.gather(
        proxy.read(), flags.list_flags(keys), return_exceptions=True
    )
    problems: list[str] = []
    for answer in (read, listed):
        if isinstance(answer, Unavailable):
            problems.append(str(answer))
        elif isinstance(answer, BaseException):
            raise answer
    stats, backlogs = read if isinstance(read, tuple) else (None, {})
    return World(
        stats=stats,
        backlogs=backlogs,
        flags=listed if isinstance(listed, dict) else None,
        problems=tuple(problems),
    )


def lags(flag: Flag, entries: tuple[AuditEntry, ...]) -> bool:
    """Whether the audit log misses the newest change of `flag`; clocks may differ by a second."""
    newest = entries[0].date if entries else 0
    return newest + _SKEW < flag.environment.lastModified


def newest_foreign(entries: tuple[AuditEntry, ...], known: str | None) -> Change | None:
    """The newest change after entry `known` by anybody else; None: all are the controller's own.

    `entries` are newest first. An empty log of a flag that did change is somebody's doing, too, and
    so is one that does not reach to the change.
    """
    if not entries or entries[0].id == known:
        return Change(by="someone", via="", comment="", audit_id=known)
    for entry in entries:
        if entry.id == known:
            return None
        if entry.by != CONTROLLER:
            return change_of(entry)
    return None


def change_of(entry: AuditEntry) -> Change:
    via = _VIA.get(entry.via, "")
    return Change(by=entry.by, via=via, comment=entry.comment, audit_id=entry.id)


def switched_off(service_flag: str, entries: tuple[AuditEntry, ...]) -> str:
    """What to say about a service's flag that is off."""
    if not entries:
        return f"{service_flag} is off"
    return f"{service_flag} is off ({change_of(entries[0]).told})"
