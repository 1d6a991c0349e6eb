"""One proxy process takes over from another: listening sockets, then work, then counters.

Both talk over a Unix socket in the state folder that only their user can open. What they say is a
line of JSON each:

    successor:    {"format": 1}
    predecessor:  {"edge": 2, "gateway": 2, "instance": ...}, and with it the sockets (SCM_RIGHTS)
    successor:    {"ready": true}, once its workers accept connections and know flags
    predecessor:  {"figures": {...}}, again and again until its last worker is gone

Both serve from the same queues in between, so no connection is lost. A successor that ends before
it is ready has changed nothing.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from routing.errors import CannotStart
from routing.listeners import Listeners, take_again
from routing.worker import MAX_LINE

FILE: Final = "control.sock"
"""Its name in the proxy's state folder."""
FORMAT: Final = 1
ANSWER_WITHIN: Final = 5.0
"""Seconds for the next word, and for first figures."""
OFFER_WITHIN: Final = 40.0
"""Seconds for the sockets: listeners that are being changed are not handed over meanwhile."""
FIGURES_EVERY: Final = 0.25
_MAX_FIRST: Final = 64 * 1024
_MAX_SOCKETS: Final = 253
"""The kernel's limit for one message (SCM_MAX_FD)."""

logger = logging.getLogger("routing.server")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a successor gets."""

    listeners: Listeners
    admin: socket.socket
    instance: str
    """Names the life of the counters; it goes on."""

    def send(self, link: socket.socket) -> None:
        edge, gateway = self.listeners.edge, self.listeners.gateway
        words = {"edge": len(edge), "gateway": len(gateway), "instance": self.instance}
        sockets = (*self.listeners, self.admin)
        socket.send_fds(link, [_line(words)], [each.fileno() for each in sockets])


class Predecessor:
    """The running proxy, as its successor sees it."""

    def __init__(self, link: socket.socket) -> None:
        """Asks for the sockets; blocks until they are there. Raises CannotStart."""
        self.pid, _ = _peer(link)
        self._link = link
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.figures: dict[str, Any] = {}
        """Its counters, also while it drains; see `Fleet.figures`."""
        self.replaced = False
        try:
            link.settimeout(OFFER_WITHIN)
            link.sendall(_line({"format": FORMAT}))
            said, handles, _, _ = socket.recv_fds(link, _MAX_FIRST, _MAX_SOCKETS)
            for handle in handles:
                # A worker that had them would keep queues alive that nobody empties.
                os.set_inheritable(handle, False)
            answer = json.loads(said)
        except (OSError, ValueError) as error:
            link.close()
            raise CannotStart(
                f"the proxy that runs (process {self.pid}) does not hand over: "
                f"{str(error) or type(error).__name__}",
                hint="it serves on; its log may say why, or another process is taking over",
            ) from None
        if "refused" in answer:
            link.close()
            raise CannotStart(
                f"the proxy that runs (process {self.pid}) does not hand over: {answer['refused']}",
                hint="it serves on",
            )
        sockets = [socket.socket(fileno=handle) for handle in handles]
        edges, gateways = answer["edge"], answer["gateway"]
        self.listeners = Listeners(sockets[:edges], sockets[edges : edges + gateways])
        self.admin = sockets[-1]
        self.instance: str = answer["instance"]

    async def replace(self) -> None:
        """Tell it to drain and to end; returns once it answers no questions about figures."""
        _, orders = self._stream = await asyncio.open_unix_connection(
            sock=self._link, limit=MAX_LINE
        )
        self.replaced = True
        with contextlib.suppress(OSError):
            orders.write(_line({"ready": True}))
            await orders.drain()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._read()
        except TimeoutError:
            logger.warning("take_over.silent process %d does not report figures", self.pid)

    async def follow(self) -> None:
        """Read its figures until it has ended."""
        while await self._read():
            pass
        logger.warning("take_over.done process %d has ended", self.pid)

    def give_up(self) -> None:
        """It serves on as if nothing had happened."""
        self._link.close()

    async def _read(self) -> bool:
        """False at the end."""
        if self._stream is None:
            return False
        reports, orders = self._stream
        with contextlib.suppress(OSError, ValueError):
            if line := await reports.readline():
                self.figures = json.loads(line)["figures"]
                return True
        orders.close()
        return False


def predecessor(state: Path, *, take_over: bool) -> Predecessor | None:
    """The proxy that runs with this state folder; None if there is none.

    Raises CannotStart if it does not hand over, or if there is one and `take_over` is False.
    """
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(state) as folder:
            link.connect(f"{folder}/{FILE}")
    except (FileNotFoundError, ConnectionRefusedError):
        link.close()
        return None
    pid, user = _peer(link)
    if take_over and user == os.geteuid():
        return Predecessor(link)
    link.close()
    if user != os.geteuid():
        raise CannotStart(
            f"{state / FILE} belongs to another user's process ({pid})",
            hint="give each proxy a state folder of its own",
        )
    raise CannotStart(
        f"a proxy runs with the state folder {state} (process {pid})",
        hint="--take-over replaces it without losing a request",
    )


class Successor:
    """The process that has taken over, as the one before sees it."""

    def __init__(self, reports: asyncio.StreamWriter) -> None:
        self._reports = reports

    def tell(self, figures: dict[str, Any]) -> None:
        """Our counters now."""
        if not self._reports.is_closing():
            self._reports.write(_line({"figures": figures}))

    async def end(self) -> None:
        self._reports.close()
        with contextlib.suppress(OSError):
            await self._reports.wait_closed()


class ControlSocket:
    """Where a successor knocks. Use as a context manager."""

    def __init__(self, state: Path) -> None:
        """Replaces the socket of the process before. Raises CannotStart."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        try:
            with _short(state) as folder:
                # Nobody knows this name until its mode is right.
                name = f"{folder}/.{FILE}.{os.getpid()}"
                Path(name).unlink(missing_ok=True)
                self._listener.bind(name)
                os.chmod(name, 0o600)
                self._listener.listen(8)
                os.replace(name, f"{folder}/{FILE}")
        except OSError as error:
            self._listener.close()
            raise CannotStart(
                f"cannot make {state / FILE}: {error.strerror}",
                hint="the state folder must be writable",
            ) from None

    def __enter__(self) -> "ControlSocket":
        return self

    def __exit__(self, *_: object) -> None:
        """The name stays: it is refused, or belongs to the successor already."""
        self._listener.close()

    async def successor(self, offer: Callable[[], Offer], changing: asyncio.Lock) -> Successor:
        """Give the sockets to whoever asks, one at a time, until one is ready to serve alone.

        `changing` is held while somebody is about to take over, and for good by then.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                link, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                logger.warning("take_over.failed %s", error)
                await asyncio.sleep(ANSWER_WITHIN)
                continue
            await changing.acquire()
            reports = None
            try:
                reports = await _talk(link, offer)
            except (OSError, ValueError, LookupError, TypeError) as error:
                logger.warning("take_over.failed %s", str(error) or type(error).__name__)
            finally:
                if reports is None:
                    link.close()
                    changing.release()
            if reports is not None:
                return Successor(reports)


async def _talk(link: socket.socket, offer: Callable[[], Offer]) -> asyncio.StreamWriter | None:
    """From a successor's first word until it is ready; None if it is gone before."""
    loop = asyncio.get_running_loop()
    link.setblocking(False)
    pid, user = _peer(link)
    if user != os.geteuid():
        logger.warning("take_over.refused process %d is of another user", pid)
        return None
    async with asyncio.timeout(ANSWER_WITHIN):
        said = await loop.sock_recv(link, _MAX_FIRST)
    if not said:
        return None  # only looked whether somebody is here
    if json.loads(said)["format"] != FORMAT:
        await loop.sock_sendall(link, _line({"refused": "it speaks another version of this"}))
        return None
    offered = offer()
    offered.send(link)
    logger.warning("take_over.begins process %d has the listening sockets", pid)
    orders, reports = await asyncio.open_unix_connection(sock=link)
    try:
        if await orders.readline():
            return reports
    except BaseException:
        reports.close()
        raise
    reports.close()
    take_again(offered.listeners)
    logger.warning("take_over.given_up process %d has ended, serving on", pid)
    return None


def _peer(link: socket.socket) -> tuple[int, int]:
    """Process and user at the other end (unix(7))."""
    credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, user, _ = struct.unpack("3i", credentials)
    return pid, user


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name of `folder` that is short enough for the address of a socket (107 bytes)."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
