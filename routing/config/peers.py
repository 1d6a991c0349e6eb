"""Whose word about the client is believed, and how it is passed on."""

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def network_of(text: str) -> IPNetwork:
    """The network that `text` names. Raises ValueError."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a network, expected an address or a prefix such as 10.0.0.0/8, "
            "with no bit set behind the prefix"
        ) from None


def _checked(text: str) -> str:
    network_of(text)
    return text


Network = Annotated[str, AfterValidator(_checked)]
"""An address or prefix of IPv4 or IPv6 (RFC 4632, RFC 4291)."""

ForwardedStyle = Literal["x-forwarded", "rfc7239", "both"]
"""The fields that name the client to the origins: X-Forwarded-For, -Proto and -Host, or Forwarded
of RFC 7239. A trusted peer is believed in the same ones; with `both`, in X-Forwarded-For."""
