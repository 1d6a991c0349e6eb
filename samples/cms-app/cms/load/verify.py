"""Re-reads every acknowledged write through the same address."""

import asyncio
import time

import httpx

from cms.load.ledger import Ledger, Write
from cms.load.players import Crowd

PATIENCE = 10.0
"""Seconds that a write may take to be there, on whichever side answers."""
AT_ONCE = 4


async def verify(crowd: Crowd, ledger: Ledger) -> None:
    """Note in the ledger what is lost."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def check(write: Write) -> None:
        async with gate:
            if not await _is_there(crowd, write):
                ledger.lost.append(f"{write.what} at {write.path}")

    await asyncio.gather(*(check(write) for write in ledger.writes))


async def _is_there(crowd: Crowd, write: Write) -> bool:
    deadline = time.monotonic() + PATIENCE
    browser = crowd.browser(write.user)
    while True:
        try:
            answer = await browser.plain(write.path)
            if answer.status_code == 200 and answer.json().get(write.field) == write.value:
                return True
        except httpx.HTTPError:
            pass
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.2)
