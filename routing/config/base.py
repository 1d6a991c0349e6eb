"""What all parts of the configuration are made of."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from routing.errors import InvalidConfig

ORIGIN: Final = re.compile(
    r"(https?)://(?:\[([0-9A-Fa-f:.]+)\]|([^/\s?#@:\[\]]+))(?::(\d{1,5}))?/?"
)
"""Scheme; IPv6 address, or host; port."""

Token = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=64)]
"""A field or cookie name (RFC 9110, 5.6.2)."""


def _has_port(origin: str) -> str:
    _, port = address_of(origin)
    if not 0 < port < 65536:
        raise ValueError(f"{origin}: expected a port from 1 to 65535")
    return origin


OriginUrl = Annotated[str, Field(pattern=f"^{ORIGIN.pattern}$"), AfterValidator(_has_port)]
"""`http://host[:port]` or `https://host[:port]`."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=64)]
FlagKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=256)]


@dataclass(frozen=True, slots=True)
class Unit:
    """Marks a number as one of this unit. In the proxy's own document it is a bare number; where
    people write, it stands with its unit."""

    name: str


IN_SECONDS: Final = Unit("s")
Seconds = Annotated[float, Field(gt=0, le=86_400), IN_SECONDS]


class Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


def address_of(origin: str) -> tuple[str, int]:
    """Host and port of an `OriginUrl`."""
    match = ORIGIN.fullmatch(origin)
    if match is None:
        raise InvalidConfig(f"{origin!r} is not an origin such as http://127.0.0.1:8000")
    return match[2] or match[3], int(match[4] or (443 if match[1] == "https" else 80))
