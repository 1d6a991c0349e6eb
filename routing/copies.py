"""What an exchange knows of the copy of its request for the other origin.

A lane whose requests are copied has a `Copier`; lanes without one cost a request one test.
"""

import re
from collections.abc import Callable
from typing import Protocol

from routing.errors import NoRoom
from routing.message import RequestHead, ResponseHead
from routing.record import Tell
from routing.upstream_side import UpstreamConnection

MIRROR = b"X-Migrator-Mirror"
"""Field that tells an origin that it sees a copy, `read` or `write`, or a `probe` of what a write
has left. Clients cannot set it."""

_EXPECT = re.compile(rb"(?im)^expect:[^\r]*+\r\n")


class Sender(Protocol):
    """The exchange, as the copy of its request sees it."""

    def go_on(self, copy: "Copy") -> None:
        """`copy` is not full any more."""

    def call_off(self, copy: "Copy", why: NoRoom) -> None:
        """The request's body cannot be copied: do not send the rest of it to anybody."""


class Copy(Protocol):
    """The copy of one request, as its exchange sees it."""

    head: bytes
    """The request head for the origin that answers."""

    @property
    def full(self) -> bool:
        """The client should send no more of the body before `Sender.go_on`."""

    def dispatched(self, sender: Sender) -> None:
        """The request was handed to the origin that answers."""

    def add(self, data: bytes, *, complete: bool) -> None:
        """More of the request's body, as it is on the wire. Raises NoRoom: nobody is to get it."""

    def answered(
        self, head: ResponseHead, *, fell_back: bool, release: Callable[["Copy"], None]
    ) -> bool:
        """The client is about to get this answer. True: not before `release` is called, which
        happens later on the event loop."""

    def content(self, data: bytes, *, complete: bool) -> None:
        """More of that answer's body, as it is on the wire."""

    def failed(self, *, seen: bool, fell_back: bool) -> None:
        """There is no answer. `seen`: the origin may have acted on the request all the same."""

    def abandoned(self, connection: UpstreamConnection | None, *, fell_back: bool) -> bool:
        """The client is gone. `connection`: where its request is being answered; None: nowhere.
        True: the copy has taken the connection over."""

    def tell(self, tell: Tell) -> bool:
        """See `routing.record.Copied`."""


class Copier(Protocol):
    """Copies the requests of one lane."""

    def copy(self, request: RequestHead, context: bytes, out: bytes) -> Copy | None:
        """`context`: value of the context header; `out`: the whole head as the origin is to get
        it. None: no copy of this request. Raises NoRoom: it must not be served without one."""


def copied_head(out: bytes, kind: bytes) -> bytes:
    """The head of a copy: of the same request, marked, and waiting for nothing."""
    return b"%b%b: %b\r\n\r\n" % (_EXPECT.sub(b"", out[:-2]), MIRROR, kind)


class Room:
    """Bytes that may be held."""

    __slots__ = ("left",)

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, size: int) -> bool:
        """Reserve; False if there is not enough."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def give(self, size: int) -> None:
        self.left += size
