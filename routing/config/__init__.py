"""The proxy's configuration document, a part in each module.

Read by the parent from a JSON file, sent to the workers as it is. Pure: reads no file.
"""

from routing.config.access_log import AccessLog
from routing.config.base import OriginUrl, address_of
from routing.config.changes import FieldChanges, Redirect, Rewrite
from routing.config.context import ContextRules
from routing.config.copies import Mirroring, SecondWrites
from routing.config.decisions import Decisions
from routing.config.document import ProxyConfig, parse_config
from routing.config.events import Events
from routing.config.exposure import Exposed
from routing.config.limits import Limits
from routing.config.listen import Address, Listen
from routing.config.locations import EndpointStream, Located
from routing.config.overrides import Overrides
from routing.config.parity import Parity, ParityRule, ParityRules
from routing.config.peers import ForwardedStyle, Network
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
from routing.config.tls import Certificate, ListenTls, OriginTls
from routing.config.tokens import JwtRules
from routing.config.tracing import Tracing
from routing.config.upstreams import (
    CircuitBreaker,
    Endpoints,
    HealthCheck,
    Hedge,
    OutlierDetection,
    Percent,
    RetryBudget,
    Upstream,
)

__all__ = [
    "REVEAL",
    "AccessLog",
    "Address",
    "Capability",
    "Certificate",
    "CircuitBreaker",
    "ClaimSource",
    "ClientSource",
    "Condition",
    "ContextRules",
    "CookieSource",
    "Decisions",
    "EndpointStream",
    "Endpoints",
    "Events",
    "Exposed",
    "FieldChanges",
    "ForwardedStyle",
    "HeaderSource",
    "HealthCheck",
    "Hedge",
    "JwtRules",
    "Limits",
    "Listen",
    "ListenTls",
    "Located",
    "Mirroring",
    "Network",
    "OriginTls",
    "OriginUrl",
    "OutlierDetection",
    "Overrides",
    "Parity",
    "ParityRule",
    "ParityRules",
    "Percent",
    "ProxyConfig",
    "QuerySource",
    "Redaction",
    "Redirect",
    "RetryBudget",
    "Rewrite",
    "RouteRule",
    "SecondWrites",
    "Source",
    "Timeouts",
    "Tracing",
    "Upstream",
    "address_of",
    "parse_config",
]
