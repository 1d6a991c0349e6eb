"""Active health checks: one task for each endpoint that has them, off the path of requests."""

import asyncio
import re
from random import uniform
from typing import Final

from routing.config import HealthCheck
from routing.group import Group
from routing.pool import Endpoint

MAX_LINE: Final = 8 * 1024
"""Bytes of an answer's first line."""
_GOOD: Final = re.compile(rb"HTTP/1\.[01] [23][0-9]{2}[ \r]").match


async def keep_checking(group: Group, endpoint: Endpoint, rules: HealthCheck) -> None:
    """Check again and again, until cancelled, and tell the group."""
    while True:
        group.checked(endpoint, good=await check(endpoint, rules))
        # The checks of many workers should not come at one moment.
        await asyncio.sleep(rules.interval * uniform(0.9, 1.1))  # noqa: S311 - no secret


async def check(endpoint: Endpoint, rules: HealthCheck) -> bool:
    """Whether a GET over a connection of its own is answered well and in time."""
    reader = asyncio.StreamReader(limit=MAX_LINE)
    try:
        async with asyncio.timeout(rules.timeout):
            transport, _ = await endpoint.dial(lambda: asyncio.StreamReaderProtocol(reader))
            try:
                transport.write(_request(endpoint.address, rules.path))
                return _GOOD(await reader.readuntil(b"\r\n")) is not None
            finally:
                transport.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return False


def _request(address: str, path: str) -> bytes:
    host = address.partition("://")[2].rstrip("/")
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: migrator\r\nConnection: close\r\n\r\n"
    ).encode()
