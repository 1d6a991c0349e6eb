"""The whole document: what listens where, and which routes belong to whom."""

from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from routing.config.access_log import AccessLog
from routing.config.base import Model, OriginUrl
from routing.config.context import ContextRules
from routing.config.copies import Mirroring, SecondWrites
from routing.config.decisions import Decisions
from routing.config.events import Events
from routing.config.exposure import Exposed
from routing.config.limits import Limits
from routing.config.listen import Address, Listen
from routing.config.locations import EndpointStream, Located
from routing.config.overrides import Overrides
from routing.config.parity import Parity
from routing.config.peers import ForwardedStyle, Network
from routing.config.redaction import Redaction
from routing.config.routes import Capability
from routing.config.secret import redacting
from routing.config.timeouts import Timeouts
from routing.config.tls import OriginTls
from routing.config.tracing import TRACED_FIELDS, Tracing
from routing.config.upstreams import Upstream
from routing.errors import InvalidConfig


class ProxyConfig(Model):
    """The whole document."""

    migration: str
    listen: Listen
    gateway: Address
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    context: ContextRules = ContextRules()
    monolith: Upstream
    services: dict[str, Upstream] = {}
    endpoints: EndpointStream | None = None
    """Of services, as they come and go. None: those of `services`, as long as they stand there."""
    capabilities: dict[str, Capability] = {}
    expose_decision: bool | Exposed = False
    """Show `X-Migrator-Decision` on answers: to nobody, to everybody, or to some."""
    decisions: Decisions = Decisions()
    overrides: Overrides | None = None
    """None: no request can ask for a stage."""
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    events: Events = Events()
    access_log: AccessLog | None = None
    tracing: Tracing | None = None
    redact: Redaction = Redaction()

    @property
    def watched_fields(self) -> frozenset[str]:
        """Names of the fields of a request that logs and traces want to see."""
        logged = () if self.access_log is None else self.access_log.fields
        traced = () if self.tracing is None else TRACED_FIELDS
        return frozenset((*logged, *traced))

    def shown(self) -> dict[str, Any]:
        """As JSON for people: secrets are hidden, also those that `redact` names."""
        return self.model_dump(
            mode="json", context=redacting(self.redact.headers, self.redact.query)
        )

    def located(self, places: Located) -> "ProxyConfig":
        """With these endpoints of services, which need not all be known here."""
        services = {
            name: upstream.model_copy(update={"endpoints": tuple(places[name])})
            if name in places
            else upstream
            for name, upstream in self.services.items()
        }
        return self.model_copy(update={"services": services})

    mirroring: Mirroring = Mirroring()
    parity: Parity = Parity()
    second_writes: SecondWrites = SecondWrites()
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
