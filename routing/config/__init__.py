"""The proxy's configuration document, a part in each module.

Read by the parent from a JSON file, sent to the workers as it is. Pure: reads no file.
"""

from routing.config.access_log import AccessLog
from routing.config.base import address_of
from routing.config.context import ContextRules
from routing.config.copies import Mirroring, SecondWrites
from routing.config.decisions import Decisions
from routing.config.document import Address, ProxyConfig, parse_config
from routing.config.events import Events
from routing.config.exposure import Exposed
from routing.config.limits import Limits
from routing.config.overrides import Overrides
from routing.config.redaction import Redaction
from routing.config.routes import Capability, Condition, RouteRule
from routing.config.secret import REVEAL
from routing.config.sources import (
    ClaimSource,
    ClientSource,
    CookieSource,
    HeaderSource,
    QuerySource,
    Source,
)
from routing.config.timeouts import Timeouts
from routing.config.tokens import JwtRules
from routing.config.tracing import Tracing
from routing.config.upstreams import (
    CircuitBreaker,
    HealthCheck,
    Hedge,
    OutlierDetection,
    RetryBudget,
    Upstream,
)

__all__ = [
    "REVEAL",
    "AccessLog",
    "Address",
    "Capability",
    "CircuitBreaker",
    "ClaimSource",
    "ClientSource",
    "Condition",
    "ContextRules",
    "CookieSource",
    "Decisions",
    "Events",
    "Exposed",
    "HeaderSource",
    "HealthCheck",
    "Hedge",
    "JwtRules",
    "Limits",
    "Mirroring",
    "OutlierDetection",
    "Overrides",
    "ProxyConfig",
    "QuerySource",
    "Redaction",
    "RetryBudget",
    "RouteRule",
    "SecondWrites",
    "Source",
    "Timeouts",
    "Tracing",
    "Upstream",
    "address_of",
    "parse_config",
]
