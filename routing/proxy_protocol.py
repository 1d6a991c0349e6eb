"""The header of the PROXY protocol, versions 1 and 2 (proxy-protocol.txt by HAProxy).

Pure. It stands before the first byte of a connection and says for whom a load balancer opened it.
Nothing is guessed: bytes that are no such header are refused. Type-length-value fields are skipped.
"""

import ipaddress
import re

from routing.errors import BadProxyHeader

MAX_LINE = 107
"""Bytes of a header of version 1 with its line end (2.1)."""

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_WORD = b"PROXY "
_FIXED = 16
_PORT = rb"(?:0|[1-9][0-9]{0,4})"
_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (%b) (%b))\r\n"
    % (_PORT, _PORT)
).fullmatch
_VERSION_2 = 0x2
_LOCAL, _PROXY = 0x0, 0x1
_FAMILIES = {0x0: 0, 0x1: 12, 0x2: 36, 0x3: 216}
"""Bytes of both addresses and ports."""
_TRANSPORTS = (0x0, 0x1, 0x2)
_ADDRESS = {0x11: 4, 0x21: 16}
"""Bytes of an address for TCP over IPv4 and IPv6. Other valid combinations name no client that
could speak HTTP here, so the peer itself counts (2.2)."""


class ProxyHeader:
    """State of one header. `done` once its last byte has been fed.

    `address`: the client's, once done; None where the header says that the peer itself is meant.
    """

    __slots__ = ("_held", "address", "done")

    def __init__(self) -> None:
        self._held = b""
        self.done = False
        self.address: bytes | None = None

    def feed(self, data: bytes) -> int:
        """How many bytes of `data` belong to the header; they are taken.

        Holds at most 64 KiB, the length of the largest header. Raises BadProxyHeader.
        """
        before = len(self._held)
        held = self._held + data
        binary = _SIGNATURE.startswith(held[: len(_SIGNATURE)])
        end = self._binary(held) if binary else self._line(held)
        if end is None:
            self._held = held
            return len(data)
        self._held = b""
        self.done = True
        return end - before

    def _line(self, held: bytes) -> int | None:
        """Where a header of version 1 ends; None: not yet."""
        if not _WORD.startswith(held[: len(_WORD)]):
            raise BadProxyHeader("the connection does not begin with a header")
        end = held.find(b"\n", 0, MAX_LINE) + 1
        if not end:
            if len(held) >= MAX_LINE:
                raise BadProxyHeader(f"the line is longer than {MAX_LINE} bytes")
            return None
        match = _LINE(held[:end])
        if match is None:
            raise BadProxyHeader("the line does not follow the protocol")
        self.address = _source(match)
        return end

    def _binary(self, held: bytes) -> int | None:
        """Where a header of version 2 ends; None: not yet."""
        if len(held) < _FIXED:
            return None
        version, command = divmod(held[12], 16)
        family, transport = divmod(held[13], 16)
        end = _FIXED + int.from_bytes(held[14:_FIXED])
        if version != _VERSION_2 or command not in (_LOCAL, _PROXY):
            raise BadProxyHeader("version or command are not known")
        if command == _PROXY:
            if family not in _FAMILIES or transport not in _TRANSPORTS:
                raise BadProxyHeader("address family or transport are not known")
            if end < _FIXED + _FAMILIES[family]:
                raise BadProxyHeader("the length leaves no room for the addresses")
        if len(held) < end:
            return None
        size = _ADDRESS.get(held[13])
        if command == _PROXY and size is not None:
            self.address = _text(ipaddress.ip_address(held[_FIXED : _FIXED + size]))
        return end


def _source(match: re.Match[bytes]) -> bytes | None:
    """The source of a line, if it names one."""
    if match[1] is None:
        return None
    version = ipaddress.IPv4Address if match[1] == b"4" else ipaddress.IPv6Address
    try:
        source, _ = (version(match[group].decode()) for group in (2, 3))
    except ValueError as exc:
        raise BadProxyHeader(f"the line has no valid address: {exc}") from None
    if max(int(match[4]), int(match[5])) > 65_535:
        raise BadProxyHeader("the line has no valid port")
    return _text(source)


def _text(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    return str(getattr(address, "ipv4_mapped", None) or address).encode()
