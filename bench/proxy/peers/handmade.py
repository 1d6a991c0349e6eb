"""The stack people write themselves: Starlette on uvicorn, httpx, LaunchDarkly's SDK."""

import sys
from typing import Final

from bench.flags.flag_server import SDK_KEY
from bench.proxy.peers.ours import FLAG
from bench.proxy.peers.peer import Peer, Place


def _command(place: Place) -> tuple[str, ...]:
    upstream = place.upstream
    ports = (str(each) for each in (place.port, upstream.old, upstream.new))
    return sys.executable, "-m", "bench.proxy.peers.handmade_app", *ports, place.flags.origin, FLAG


HANDMADE: Final = Peer(
    name="Starlette + httpx",
    command=_command,
    environment={"LAUNCHDARKLY_SDK_KEY": SDK_KEY},
)
