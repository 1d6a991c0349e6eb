"""Who sees the decision on answers."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator

from routing.config.base import Model


def _network(text: str) -> str:
    ip_network(text)
    return text


class Exposed(Model):
    """To clients of any of these kinds."""

    overrides: bool = False
    """Those with a valid override."""
    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Those with an address in one of these, such as 10.0.0.0/8 (RFC 4632)."""
