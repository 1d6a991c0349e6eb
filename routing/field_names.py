"""Which fields of a message are whose: of one connection, of the proxy itself, of a proxy in front.

Pure. Regular expressions for names in lower case, each of which begins with a literal character. An
underscore counts as a hyphen wherever what comes later believes in a name, because CGI and WSGI
servers take one for the other.
"""

import re
from collections.abc import Iterable
from typing import Final

TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"


def _either(*names: str) -> tuple[bytes, ...]:
    """With a hyphen or an underscore."""
    return tuple(name.encode().replace(b"-", b"[-_]") for name in names)


HOP_BY_HOP: Final = (
    b"connection",
    b"http2-settings",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"upgrade",
)
"""RFC 9110, 7.6.1, and those of its predecessors."""
OURS: Final = rb"x[-_]migrator[-_]%b*+" % TOKEN
REPLACED: Final = (
    b"forwarded",
    *_either("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"),
)
"""The proxy writes them itself."""
MISREAD: Final = (*_either("proxy"), b"transfer_encoding", b"content_length")
"""Nobody means well with them. `Proxy` is the variable HTTP_PROXY to a CGI program (httpoxy,
CVE-2016-5385 and others); the rest is framing for whoever takes the underscore for a hyphen."""
VOUCHED: Final = (
    # Address, port, scheme, path prefix, certificate, user: proxies, frameworks and identity
    # proxies each have their own members of this family.
    rb"x[-_]forwarded(?:[-_]%b*+)?" % TOKEN,
    # The client's address, in the words of proxies, of content delivery networks, of Rails
    # (Client-IP) and of Java servers (WL-Proxy-Client-IP).
    *_either("x-real-ip", "x-real-port", "x-client-ip", "x-cluster-client-ip", "x-remote-ip"),
    *_either("x-remote-addr", "x-originating-ip", "x-proxyuser-ip", "client-ip", "true-client-ip"),
    *_either("cf-connecting-ip", "cf-connecting-ipv6", "fastly-client-ip", "x-azure-clientip"),
    *_either("proxy-client-ip", "wl-proxy-client-ip", "wl-proxy-ssl"),
    rb"x[-_]envoy[-_]%b*+" % TOKEN,
    # What was asked for before the proxy in front changed it: Symfony and IIS route by these.
    rb"x[-_]original[-_]%b*+" % TOKEN,
    *_either("x-rewrite-url", "x-host", "x-scheme", "x-url-scheme", "x-script-name"),
    *_either("front-end-https"),
    # The client's certificate (RFC 9440), and names from before it had one.
    *_either("client-cert", "client-cert-chain", "x-client-cert", "x-arr-clientcert"),
    rb"x[-_]ssl[-_]client[-_]%b*+" % TOKEN,
    rb"ssl[-_]client[-_]%b*+" % TOKEN,
)
"""Only a proxy in front can know what they say. From anybody else they do not arrive."""

_NOT_IN_TRAILERS: Final = (
    *HOP_BY_HOP,
    OURS,
    *REPLACED,
    *MISREAD,
    *VOUCHED,
    *(b"content-length", b"transfer-encoding", b"trailer", b"host", b"expect", b"max-forwards"),
    *(b"content-encoding", b"content-range", b"content-type"),
    *(b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"),
)


def one_of(names: Iterable[bytes]) -> bytes:
    """One expression for all of them, that decides by the first letter first."""
    rests: dict[bytes, list[bytes]] = {}
    for name in sorted(names):
        size = 2 if name.startswith(b"\\") else 1
        rests.setdefault(name[:size], []).append(name[size:])
    return b"|".join(rb"%b(?:%b)" % (first, b"|".join(each)) for first, each in rests.items())


forbidden_in_trailers = re.compile(rb"(?i)(?:%b):" % one_of(_NOT_IN_TRAILERS)).match
"""Whether a line of trailers begins with a field for framing, routing, authentication or the form
of the content (RFC 9110, 6.5.1): who merges trailers into the head would believe it."""
