"""Who sees the decision on answers. Pure."""

from functools import lru_cache
from ipaddress import ip_network

from routing.config import Exposed
from routing.networks import parse_address


class Exposure:
    """By one configuration; True: everybody."""

    def __init__(self, rules: bool | Exposed) -> None:
        limited = rules if isinstance(rules, Exposed) else Exposed()
        self._everybody = rules is True
        self._overrides = limited.overrides
        self._networks = tuple(map(ip_network, limited.networks))
        self._within = lru_cache(maxsize=4096)(self._look)

    def to(self, client: bytes, *, overridden: bool) -> bool:
        """`client`: its address. `overridden`: it has a valid override."""
        return self._everybody or (overridden and self._overrides) or self._within(client)

    def _look(self, client: bytes) -> bool:
        address = parse_address(client)
        return address is not None and any(address in network for network in self._networks)
