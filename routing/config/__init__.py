"""The proxy's configuration document, a part in each module.

Read by the parent from a JSON file, sent to the workers as it is. Pure: reads no file.
"""

from routing.config.access_log import AccessLog
from routing.config.base import address_of
from routing.config.context import ContextRules, CookieSource, HeaderSource, Source
from routing.config.document import Address, ProxyConfig, parse_config
from routing.config.events import Events
from routing.config.limits import Limits
from routing.config.redaction import Redaction
from routing.config.routes import Capability, Condition, RouteRule
from routing.config.secret import REVEAL
from routing.config.timeouts import Timeouts
from routing.config.tracing import Tracing

__all__ = [
    "REVEAL",
    "AccessLog",
    "Address",
    "Capability",
    "Condition",
    "ContextRules",
    "CookieSource",
    "Events",
    "HeaderSource",
    "Limits",
    "ProxyConfig",
    "Redaction",
    "RouteRule",
    "Source",
    "Timeouts",
    "Tracing",
    "address_of",
    "parse_config",
]
