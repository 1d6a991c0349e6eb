"""Ports: fixed ones must be free before anything starts, free ones are chosen."""

import contextlib
import socket
from collections.abc import Iterable, Mapping

import psutil

from migrator.errors import InvalidInput


def is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def choose(
    wanted: Mapping[str, int], former: Mapping[str, int], own: Iterable[int]
) -> dict[str, int]:
    """A port for each name of `wanted`: the fixed one; for 0 the former one if it is free, else a
    new one. `own` are ports held by processes that will be taken over.

    Raises `InvalidInput` naming every fixed port that somebody else has, and who.
    """
    mine = set(own)
    problems = [
        f"{name} needs port {port}, which {holder(port)} has"
        for name, port in wanted.items()
        if port and port not in mine and not is_free("127.0.0.1", port)
    ]
    if problems:
        raise InvalidInput(
            "; ".join(problems),
            hint="stop that program, or give another port in the plan (0 takes a free one)",
        )
    chosen = {name: port for name, port in wanted.items() if port}
    with contextlib.ExitStack() as held:
        for name, port in wanted.items():
            if port:
                continue
            before = former.get(name, 0)
            if (
                before
                and before not in chosen.values()
                and (before in mine or is_free("127.0.0.1", before))
            ):
                chosen[name] = before
                continue
            probe = held.enter_context(socket.socket())  # held, so that no two names get the same
            probe.bind(("127.0.0.1", 0))
            chosen[name] = probe.getsockname()[1]
    return chosen


def holder(port: int) -> str:
    """Who listens on `port`, as far as this user may know."""
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port and connection.pid:
            with contextlib.suppress(psutil.Error):
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another program"
