"""Where the proxy learns which endpoints services have now, beside this document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from routing.config.base import Model
from routing.config.tokens import REMOTE

Located = Mapping[str, Sequence[str]]
"""Endpoints as they are now, by the service's name."""


def _keeps_secrets(url: str) -> str:
    if not REMOTE(url):
        raise ValueError(f"{url!r}: expected an https address, or http on loopback")
    return url


class EndpointStream(Model):
    """A stream of server-sent events from whoever runs the services."""

    url: Annotated[
        str,
        Field(pattern=r"^https?://[^\s/?#@]+(/[!-~]*)?$", max_length=512),
        AfterValidator(_keeps_secrets),
    ]
    token_file: Path
    """Holds the bearer token (RFC 6750); read at each connection."""
