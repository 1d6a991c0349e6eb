"""What a configuration wants to be read of each request's head. Pure."""

from routing.config import ProxyConfig
from routing.context import ContextReader
from routing.message import RequestReader
from routing.table import RouteTable

IDEMPOTENCY_KEY = "idempotency-key"
"""The field of draft-ietf-httpapi-idempotency-key-header, in lower case."""


def request_reader(
    config: ProxyConfig, contexts: ContextReader, table: RouteTable, *, believed: bool
) -> RequestReader:
    """Looks at every field that something in the proxy depends on, within the configured limits.
    `believed`: for trusted peers, see `RequestReader`."""
    wanted = {
        *contexts.wanted,
        *table.wanted,
        *config.watched_fields,
        *config.decisions.wanted,
        IDEMPOTENCY_KEY,
    }
    return RequestReader(wanted, config.limits, believed=believed)
