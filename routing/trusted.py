"""Trusted peers: whose word about the client is believed, and what the origins are told.

Pure. Prepared when the configuration changes. A peer outside the trusted networks has said nothing:
whatever it wrote into the forwarding fields is replaced.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from routing import forwarded
from routing.config.peers import ForwardedStyle, network_of

MAX_KNOWN = 4096
"""Addresses of which the answer is remembered."""

_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
_X_FIELDS = frozenset((_FOR, _PROTO, _HOST))
_LINES = b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"

Fields = Mapping[bytes, bytes]


class Trusted:
    """The trusted networks, and the fields that carry what is known of the client."""

    __slots__ = ("_known", "_networks", "_rfc", "_x")

    def __init__(self, networks: Sequence[str], style: ForwardedStyle) -> None:
        self._networks = tuple(network_of(text) for text in networks)
        self._known: dict[bytes, bool] = {}
        self._x = style != "rfc7239"
        self._rfc = style != "x-forwarded"

    def includes(self, address: bytes) -> bool:
        """Whether a peer with this address is believed. What is no address never is."""
        if not self._networks:
            return False
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[address] = self._look_up(address)
        return known

    def client(self, fields: Fields, peer: bytes) -> bytes:
        """The client's address, as far as trusted peers vouch for it: from the right, the first
        one that is not trusted itself. `peer` is believed already."""
        client = peer
        for client in self._hops(fields):
            if not self.includes(client):
                break
        return client

    def scheme(self, fields: Fields, scheme: bytes) -> bytes:
        """The one that the client's connection has, as far as trusted peers say it; else `scheme`.
        The peer is believed already."""
        if self._x:
            said = fields.get(_PROTO, b"").partition(b",")[0].strip(b" \t")
        else:
            said = b""
            for each in reversed(forwarded.parse(fields.get(b"forwarded", b"")) or ()):
                said = each.get(b"proto", b"")
                found = _address(forwarded.address(each.get(b"for", b"unknown")))
                if found is None or not self.includes(str(found).encode()):
                    break  # here the client came in
        return said.lower() or scheme

    def begun(self, peer: bytes, scheme: bytes, host: bytes) -> bytes:
        """The lines for the origin when nobody before `peer` is believed."""
        lines = _LINES % (peer, scheme, host) if self._x else b""
        if self._rfc:
            lines += b"Forwarded: %b\r\n" % forwarded.element(peer, scheme, host)
        return lines

    def continued(self, fields: Fields, peer: bytes, scheme: bytes, host: bytes) -> bytes:
        """The lines for the origin when `peer` is believed: what it said, and itself."""
        lines = b""
        if self._x or not _X_FIELDS.isdisjoint(fields):
            before = fields.get(_FOR)
            lines = _LINES % (
                before + b", " + peer if before else peer,
                fields.get(_PROTO) or scheme,
                fields.get(_HOST) or host,
            )
        said = fields.get(b"forwarded")
        if self._rfc or said:
            last = forwarded.element(peer, scheme, host)
            if said and forwarded.parse(said):
                last = said + b", " + last
            lines += b"Forwarded: %b\r\n" % last
        return lines

    def _hops(self, fields: Fields) -> Iterator[bytes]:
        """Addresses from the nearest to the farthest, up to the first entry that is none."""
        if self._x:
            nodes = [node.strip(b" \t") for node in fields.get(_FOR, b"").split(b",")]
        else:
            elements = forwarded.parse(fields.get(b"forwarded", b"")) or ()
            nodes = [each.get(b"for", b"unknown") for each in elements]
        for node in reversed(nodes):
            if node:
                found = _address(forwarded.address(node))
                if found is None:
                    return
                yield str(found).encode()

    def _look_up(self, address: bytes) -> bool:
        found = _address(address)
        return found is not None and any(found in network for network in self._networks)


def _address(text: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """IPv4 also where a socket for both families shows it as IPv6 (RFC 4291, 2.5.5.2). A zone
    means nothing on another machine and is left out."""
    try:
        found = ipaddress.ip_address(text.partition(b"%")[0].decode())
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
