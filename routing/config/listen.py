"""What is listened on, and what comes before a request there."""

from typing import Annotated

from pydantic import Field

from routing.config.base import Model
from routing.config.tls import ListenTls


class Address(Model):
    """Where to listen. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)]


class Listen(Address):
    """Where users come in."""

    proxy_protocol: bool = False
    """Every connection begins with a header of the PROXY protocol, version 1 or 2, and comes from
    a trusted peer; others are closed."""
    tls: ListenTls | None = None
    """Behind the PROXY protocol's header, if both are wanted."""
