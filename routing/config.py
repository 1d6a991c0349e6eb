"""The proxy's configuration document: what listens where, and which routes belong to whom.

Read by the parent from a JSON file, sent to the workers as it is. Pure: reads no file.
"""

import re
from collections.abc import Callable
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)

from routing.errors import InvalidConfig

ORIGIN: Final = re.compile(r"http://(?:\[([0-9A-Fa-f:.]+)\]|([^/\s?#@:\[\]]+))(?::(\d{1,5}))?/?")
"""IPv6 address, or host; port."""

Token = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=64)]
"""A field or cookie name (RFC 9110, 5.6.2)."""
OriginUrl = Annotated[str, Field(pattern=f"^{ORIGIN.pattern}$")]
"""`http://host[:port]`."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=64)]
FlagKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=256)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _not_reserved(*names: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value in names:
            raise ValueError(f"{value!r} is reserved by LaunchDarkly")
        return value

    return check


def _only_true(value: bool) -> bool:
    if not value:
        raise ValueError("the absence of a name is no condition, expected a value or true")
    return value


Condition = str | Annotated[StrictBool, AfterValidator(_only_true)]
"""This very value; True: any value. A number is neither."""


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Address(Model):
    """Where to listen. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)]


class CookieSource(Model):
    cookie: Token


class HeaderSource(Model):
    header: Token


Source = CookieSource | HeaderSource


class ContextRules(Model):
    """How a request's LaunchDarkly evaluation context is built; the first key present wins."""

    kind: Annotated[Name, AfterValidator(_not_reserved("kind", "multi"))] = "user"
    key: tuple[Source, ...] = ()
    attributes: dict[
        Annotated[Name, AfterValidator(_not_reserved("kind", "key", "anonymous", "_meta"))], Source
    ] = {}


class RouteRule(Model):
    """Requests of one path template and the service that takes them over."""

    path: str
    methods: tuple[str, ...] | None = None
    """None: every method."""
    service: str
    access: Literal["read", "write"] | None = None
    """None: safe methods (RFC 9110, 9.2.1) are reads, all others writes."""
    host: str | None = None
    """Exact, or `*.` and a domain for every host below it. Case and port do not matter."""
    headers: dict[Token, Condition] = {}
    """Fields the request must have. Repeated ones are joined with ", " (RFC 9110, 5.3)."""
    query: dict[str, Condition] = {}
    """Query parameters the request must have; of repeated ones the first counts."""


class Capability(Model):
    flag: FlagKey
    routes: tuple[RouteRule, ...] = ()


class Timeouts(Model):
    """All in seconds."""

    header: Seconds = 15.0
    """From the first byte of a request head to its end; then 408."""
    idle: Seconds = 75.0
    """A client connection without a request is closed."""
    connect: Seconds = 2.0
    """To an origin; then the origin counts as not reached."""
    response: Seconds = 60.0
    """From the request's end to the head of the origin's response; then 504 or the fallback."""
    stall: Seconds = 60.0
    """Without any progress of a body in either direction; then the connection is cut."""
    retry: Seconds = 10.0
    """How long an origin that refuses connections is tried again; then 503."""
    drain: Seconds = 10.0
    """How long requests in flight may still run at a stop."""
    total: Seconds | None = None
    """From the end of a request head to the end of its answer; then 504, or, once an answer has
    begun, the connection is cut. None: no such limit. Tunnels (WebSocket) are exempt."""


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
    """Open connections of one address to the edge listener, counted by each worker on its own;
    beyond: 429 (RFC 6585, 4). 0: no limit."""

    @model_validator(mode="after")
    def _line_fits(self) -> "Limits":
        if self.request_line > self.head:
            raise ValueError(
                f"request_line ({self.request_line}) must not exceed head ({self.head})"
            )
        return self


class ProxyConfig(Model):
    """The whole document."""

    migration: str
    listen: Address
    gateway: Address
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    context: ContextRules = ContextRules()
    monolith: OriginUrl
    services: dict[str, OriginUrl] = {}
    capabilities: dict[str, Capability] = {}
    expose_decision: bool = False
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _services_exist(self) -> "ProxyConfig":
        for name, capability in self.capabilities.items():
            for route in capability.routes:
                if route.service not in self.services:
                    known = ", ".join(sorted(self.services)) or "none"
                    raise ValueError(
                        f"capabilities.{name}: route {route.path} names the service "
                        f"{route.service!r}, expected one of: {known}"
                    )
        return self


def parse_config(text: str, place: str) -> ProxyConfig:
    """The document in `text`. Raises InvalidConfig that names `place` and every wrong field."""
    try:
        return ProxyConfig.model_validate_json(text)
    except ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in error['loc']) or 'document'}: {error['msg']}"
            for error in exc.errors(include_url=False, include_input=False)
        )
        raise InvalidConfig(
            f"{place}: {problems}", hint="correct the file; the proxy keeps what it had until then"
        ) from exc


def address_of(origin: str) -> tuple[str, int]:
    """Host and port of an `OriginUrl`."""
    match = ORIGIN.fullmatch(origin)
    if match is None:
        raise InvalidConfig(f"{origin!r} is not an origin such as http://127.0.0.1:8000")
    return match[1] or match[2], int(match[3] or 80)
