"""The listening sockets: opened once, kept when the configuration or the process changes.

Each worker has a pair of sockets of its own on the shared addresses (SO_REUSEPORT). The kernel has
a queue of connections for each socket, not for each address, and resets what waits there when the
last process closes the socket. So a socket that is still wanted is never closed and opened again,
and one that is not wanted is emptied first: see `let_go`.
"""

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from routing.config import Address, ProxyConfig
from routing.errors import CannotStart

BACKLOG: Final = 2048
"""Connections that may wait at one socket."""
SETTLE: Final = 0.5
"""Seconds in which handshakes that have begun come to an end and workers empty a queue."""

_SO_ATTACH_FILTER: Final = 26
_SO_DETACH_FILTER: Final = 27
"""linux/socket.h; Python has no names for them."""
_ALL_BUT_SYN: Final = (
    (0x30, 0, 0, 13),  # load the byte of TCP's flags (RFC 9293, 3.1)
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # accept all of it
)
"""A classic BPF program, an instruction in each row: code, jump if true, jump if false, operand."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Sockets of the edge and of the gateway, as many of each; number i belongs to worker i."""

    edge: Sequence[socket.socket] = ()
    gateway: Sequence[socket.socket] = ()

    def __iter__(self) -> Iterator[socket.socket]:
        yield from self.edge
        yield from self.gateway

    def without(self, others: "Listeners") -> list[socket.socket]:
        kept = set(others)
        return [each for each in self if each not in kept]


def open_listeners(config: ProxyConfig, running: Listeners) -> Listeners:
    """What `config` asks for: sockets of `running` where they fit, new ones for the rest.

    Raises CannotStart, and then nothing has been opened.
    """
    with contextlib.ExitStack() as opened:
        listeners = Listeners(
            _listeners(config.listen, config.workers, running.edge, opened),
            _listeners(config.gateway, config.workers, running.gateway, opened),
        )
        opened.pop_all()
    return listeners


def close(sockets: Iterable[socket.socket]) -> None:
    for each in sockets:
        each.close()


async def let_go(sockets: Sequence[socket.socket]) -> None:
    """Take no new connections at `sockets`, and wait until those that came before are accepted.

    Whoever accepts must go on meanwhile. A client that knocks now is not answered: it tries again a
    second later (RFC 6298), and then finds the sockets that are left, or none.
    """
    if not sockets:
        return
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _ALL_BUT_SYN)
    code = ctypes.create_string_buffer(program)
    attached = struct.pack("HP", len(_ALL_BUT_SYN), ctypes.addressof(code))
    for each in sockets:
        with contextlib.suppress(OSError):  # without it, who comes in the last moment is reset
            each.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
    await asyncio.sleep(SETTLE)


def take_again(sockets: Iterable[socket.socket]) -> None:
    """Undo `let_go`, whoever has called it: it is a state of the sockets, which others may hold."""
    for each in sockets:
        with contextlib.suppress(OSError):  # there is nothing to undo
            each.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _listeners(
    address: Address, count: int, running: Sequence[socket.socket], opened: contextlib.ExitStack
) -> list[socket.socket]:
    """`count` sockets that share one address."""
    try:
        family, place = resolve(address)
        listeners = [each for each in running if fits(each, place)][:count]
        if listeners:
            place = listeners[0].getsockname()[:2]
        while len(listeners) < count:
            listener = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.setblocking(False)
            listener.bind(place)
            listener.listen(BACKLOG)
            place = listener.getsockname()[:2]
            listeners.append(listener)
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {address.host}:{address.port}: {error.strerror}",
            hint="choose another port, or stop the program that has it",
        ) from None
    return listeners


def resolve(address: Address) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Family, host as a number, and port. Raises OSError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    found = socket.getaddrinfo(
        address.host or None, 0, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE
    )
    return family, (str(found[0][4][0]), address.port)


def fits(listener: socket.socket, place: tuple[str, int]) -> bool:
    """Whether it listens at `place`; port 0 is any port."""
    host, port = listener.getsockname()[:2]
    return host == place[0] and place[1] in (0, port)
