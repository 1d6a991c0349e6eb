"""The whole document: what listens where, and which routes belong to whom."""

from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from routing.config.access_log import AccessLog
from routing.config.base import Model
from routing.config.context import ContextRules
from routing.config.copies import Mirroring, SecondWrites
from routing.config.decisions import Decisions
from routing.config.events import Events
from routing.config.exposure import Exposed
from routing.config.limits import Limits
from routing.config.overrides import Overrides
from routing.config.redaction import Redaction
from routing.config.routes import Capability
from routing.config.timeouts import Timeouts
from routing.config.tracing import TRACED_FIELDS, Tracing
from routing.config.upstreams import Upstream
from routing.errors import InvalidConfig


class Address(Model):
    """Where to listen. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)]


class ProxyConfig(Model):
    """The whole document."""

    migration: str
    listen: Address
    gateway: Address
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    context: ContextRules = ContextRules()
    monolith: Upstream
    services: dict[str, Upstream] = {}
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

    mirroring: Mirroring = Mirroring()
    second_writes: SecondWrites = SecondWrites()

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
