"""Wait for the end of a process that may not be our child, with pidfd_open(2)."""

import asyncio
import os


async def wait_exit(pid: int) -> None:
    """Return when process `pid` has ended (or was gone already)."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def readable() -> None:
        loop.remove_reader(descriptor)
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, readable)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
