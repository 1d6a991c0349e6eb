"""Addresses of clients and the networks that they are in. Pure."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


def parse_address(text: bytes) -> IPv4Address | IPv6Address | None:
    """Without a zone; IPv4 also where it is mapped into IPv6. None if it is no address."""
    try:
        found = ip_address(text.decode("latin-1").partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


@lru_cache(maxsize=4096)
def network_of(address: bytes, v4: int, v6: int) -> bytes | None:
    """In the notation of RFC 4632, `v4` or `v6` bits long; None if `address` is not one."""
    found = parse_address(address)
    if found is None:
        return None
    return str(ip_network((found, v4 if found.version == 4 else v6), strict=False)).encode()
