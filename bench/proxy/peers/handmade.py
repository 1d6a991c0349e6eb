"""The stack people write themselves: Starlette on uvicorn, forwarding with httpx."""

import sys
from typing import Final

from bench.proxy.peers.peer import Peer, Place


def _command(place: Place) -> tuple[str, ...]:
    upstream = place.upstream
    ports = (str(each) for each in (place.port, upstream.old, upstream.new))
    return sys.executable, "-m", "bench.proxy.peers.handmade_app", *ports


HANDMADE: Final = Peer(name="starlette + httpx", command=_command)
