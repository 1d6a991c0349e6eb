"""Errors that routing raises on purpose, named by what the catcher does next."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routing.table import Route


class RoutingError(Exception):
    """Root of everything routing raises on purpose. `hint` says what a person can do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InvalidConfig(RoutingError):
    """The configuration document is wrong; trying again unchanged cannot help."""


class RouteConflict(InvalidConfig):
    """Two routes cannot be in the same table; `first` was there before."""

    def __init__(self, first: "Route", second: "Route") -> None:
        super().__init__(
            f"two routes match the same requests: {first} and {second}",
            hint="remove one of them, or give them different methods, paths, hosts or conditions",
        )
        self.first = first


class CannotStart(RoutingError):
    """A port, the SDK key or the state folder cannot be used; a person must act."""


class BadMessage(RoutingError):
    """The peer's bytes are not acceptable HTTP/1.1; `status` is what a client is answered."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class LastHop(BadMessage):
    """A request may not be forwarded once more (Max-Forwards): `status` is what the proxy answers
    in its recipient's place."""


class NoRoom(RoutingError):
    """A write cannot be kept for the other side, and no side is to have it whole; `status` is what
    its client is answered."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class BadProxyHeader(RoutingError):
    """A connection does not begin as the PROXY protocol demands; it is closed without an answer."""
