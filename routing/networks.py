"""The network that an address is in. Pure."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network


@lru_cache(maxsize=4096)
def network_of(address: bytes, v4: int, v6: int) -> bytes | None:
    """In the notation of RFC 4632, `v4` or `v6` bits long; None if `address` is not one."""
    try:
        found = ip_address(address.decode("latin-1").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    return str(ip_network((found, v4 if found.version == 4 else v6), strict=False)).encode()
