"""What a client may send."""

from typing import Annotated

from pydantic import Field, model_validator

from routing.config.base import Model


class Limits(Model):
    """What a client may send."""

    request_line: Annotated[int, Field(ge=64, le=1024 * 1024)] = 8 * 1024
    """Bytes of a request line (RFC 9112, 3); beyond: 414."""
    head: Annotated[int, Field(ge=256, le=1024 * 1024)] = 64 * 1024
    """Bytes of a whole request head; beyond: 431 (RFC 6585, 5)."""
    fields: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Fields of a request head; beyond: 431."""
    body: Annotated[int, Field(ge=0)] | None = None
    """Bytes of a request body's content; beyond: 413 (RFC 9110, 15.5.14). None: no limit."""
    connections_per_client: Annotated[int, Field(ge=0)] = 0
    """Open connections of one address, or one /64 network of IPv6, to the edge listener, counted by
    each worker on its own, TLS handshakes included; beyond: 429 (RFC 6585, 4), or with TLS the end
    of the connection before a handshake. 0: no limit."""

    @model_validator(mode="after")
    def _line_fits(self) -> "Limits":
        if self.request_line > self.head:
            raise ValueError(
                f"request_line ({self.request_line}) must not exceed head ({self.head})"
            )
        return self
