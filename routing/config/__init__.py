"""The proxy's configuration document, a part in each module.

Read by the parent from a JSON file, sent to the workers as it is. Pure: reads no file.
"""

from routing.config.base import OriginUrl, address_of
from routing.config.changes import FieldChanges, Redirect, Rewrite
from routing.config.context import ContextRules, CookieSource, HeaderSource, Source
from routing.config.document import ProxyConfig, parse_config
from routing.config.limits import Limits
from routing.config.listen import Address, Listen
from routing.config.peers import ForwardedStyle, Network
from routing.config.routes import Capability, Condition, RouteRule
from routing.config.timeouts import Timeouts
from routing.config.tls import Certificate, ListenTls, OriginTls

__all__ = [
    "Address",
    "Capability",
    "Certificate",
    "Condition",
    "ContextRules",
    "CookieSource",
    "FieldChanges",
    "ForwardedStyle",
    "HeaderSource",
    "Limits",
    "Listen",
    "ListenTls",
    "Network",
    "OriginTls",
    "OriginUrl",
    "ProxyConfig",
    "Redirect",
    "Rewrite",
    "RouteRule",
    "Source",
    "Timeouts",
    "address_of",
    "parse_config",
]
