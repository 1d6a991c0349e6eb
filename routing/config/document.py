"""The whole document: what listens where, and which routes belong to whom."""

from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from routing.config.base import Model, OriginUrl
from routing.config.context import ContextRules
from routing.config.limits import Limits
from routing.config.listen import Address, Listen
from routing.config.peers import ForwardedStyle, Network
from routing.config.routes import Capability
from routing.config.timeouts import Timeouts
from routing.config.tls import OriginTls
from routing.errors import InvalidConfig


class ProxyConfig(Model):
    """The whole document."""

    migration: str
    listen: Listen
    gateway: Address
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    context: ContextRules = ContextRules()
    monolith: OriginUrl
    services: dict[str, OriginUrl] = {}
    capabilities: dict[str, Capability] = {}
    expose_decision: bool = False
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    trusted: tuple[Network, ...] = ()
    """Peers at the edge whose forwarding fields are believed. None by default."""
    forwarded: ForwardedStyle = "x-forwarded"
    origin_tls: dict[OriginUrl, OriginTls] = {}
    """By origin, for `https` ones that need more than the defaults."""

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

    @model_validator(mode="after")
    def _somebody_speaks_the_proxy_protocol(self) -> "ProxyConfig":
        if self.listen.proxy_protocol and not self.trusted:
            raise ValueError(
                "listen.proxy_protocol believes trusted peers alone, expected their networks in "
                "trusted"
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
