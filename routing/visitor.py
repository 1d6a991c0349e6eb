"""Who is at the other end of one client connection, and what is decided for each of their requests.

Context, flag, stage and lane; what the origin is told of the client; what the client is told of the
decision. One object for each connection, which says what holds for its request of the moment.
"""

import asyncio
import base64
from typing import TYPE_CHECKING

from routing.baggage import unpack
from routing.context import set_cookie
from routing.decision import Evaluation
from routing.decisions import Propagated
from routing.evaluator import Known
from routing.lanes import Routing
from routing.message import RequestHead, RequestReader
from routing.networks import network_of

if TYPE_CHECKING:
    from routing.proxy import Proxy

_VIA = b"Via: 1.1 migrator\r\n"
_VIA_1_0 = b"Via: 1.0 migrator\r\n"


class Visitor:
    """`edge`: a user, who comes in at the edge listener; otherwise a service, at the gateway.
    `source`: the client's address if the acceptor knows it already; it may come from the PROXY
    protocol. `vouches` False: a peer that is believed nothing about others, whatever its network
    is, because it has said that nobody is behind it."""

    __slots__ = (
        "_certificate",
        "_forwarded",
        "_host",
        "_peer",
        "_propagated",
        "_proxy",
        "_routing",
        "_scheme",
        "_trusted",
        "_vouches",
        "address",
        "edge",
        "evaluation",
        "exposed",
        "known",
        "lane",
        "minted",
    )

    known: Known
    _propagated: Propagated

    def __init__(
        self, proxy: "Proxy", *, edge: bool, source: bytes | None = None, vouches: bool = True
    ) -> None:
        self._proxy = proxy
        self._routing = proxy.routing
        self._peer = source or b""
        self._scheme = b"http"
        self._certificate: bytes | None = None
        """Of the client, in DER, if it has shown one."""
        self._vouches = vouches
        self._trusted = False
        self._host = b"\r"
        self._forwarded = b""
        self.edge = edge
        self.address = b""
        """Of the user, as far as trusted peers vouch for it; at the gateway, of the service."""
        self.lane = proxy.routing.unrouted
        self.evaluation: Evaluation | None = None
        self.minted = b""
        """The id that was minted for this request; empty: none was."""
        self.exposed = False
        """The answer shows the decision."""
        self._obey(proxy.routing)

    def arrive(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        name = transport.get_extra_info("peername")
        if not self._peer:
            self._peer = name[0].encode() if name else b"unknown"
        secure = transport.get_extra_info("ssl_object")
        if secure is not None:
            self._scheme = b"https"
            self._certificate = secure.getpeercert(binary_form=True)
        self._obey(self._proxy.routing)

    @property
    def countable(self) -> bytes | None:
        """What connections are counted for, if they are limited for this visitor: the address, or
        the network of IPv6 that one client has to itself (RFC 6177)."""
        return None if self._trusted else network_of(self._peer, 32, 64)

    @property
    def reader(self) -> RequestReader:
        """What is to read the next request. From then on the rules of the moment hold for it."""
        routing = self._proxy.routing
        if routing is not self._routing:
            self._obey(routing)
        return routing.believing_reader if self._trusted else routing.reader

    def scheme_of(self, head: RequestHead) -> bytes:
        """By which scheme the user asked, as far as trusted peers vouch for it; at the gateway, the
        service."""
        if self.edge and self._trusted:
            return self._routing.trusted.scheme(head.fields, self._scheme)
        return self._scheme

    def decide(self, head: RequestHead) -> None:
        """Who the request is for, and where it goes."""
        proxy = self._proxy
        routing = self._routing
        evaluator = proxy.evaluator
        propagator = proxy.propagator
        preparation = routing.contexts.preparation
        if self.edge:
            if self._trusted:
                self.address = routing.trusted.client(head.fields, self._peer)
            if preparation is not None:
                preparation.at_edge(head.fields, head.query, self.address)
            identity, self.minted = routing.contexts.at_edge(head.fields)
            known = evaluator.known(identity, routing.contexts.build)
            told = propagator.overridden(head, known) if propagator.overrides else None
        else:
            if propagator.baggage:
                unpack(head.fields)
            if preparation is not None:
                preparation.at_gateway(head.fields)
            identity = routing.contexts.at_gateway(head.fields)
            known = evaluator.known(identity, routing.contexts.build)
            told = propagator.extract(head.fields, known)
        route = routing.table.match(head.method, head.path, head)
        if route is None:
            self.evaluation = None
            self.lane = routing.unrouted
        else:
            if told is None:
                evaluation = evaluator.evaluate(route.flag, known)
            else:
                evaluation = propagator.settle(route, known, told)
            self.evaluation = evaluation
            self.lane = routing.lane(route, head.method, evaluation)
        if told is not None:
            propagated = told
        elif known.fresh_until > proxy.now:
            propagated = known.propagated
        else:
            propagated = propagator.refresh(known, proxy.now)
        if propagator.baggage:
            propagator.add_baggage(head, propagated)
        self.known = known
        self._propagated = propagated
        expose = routing.expose
        self.exposed = expose is not None and expose.to(
            self.address, overridden=told is not None and not told.carried
        )

    def request(self, head: RequestHead) -> bytes:
        """The whole head as the origin gets it."""
        forwarded = self._forwarded_lines(head)
        if not head.minor:
            forwarded = forwarded.removesuffix(_VIA) + _VIA_1_0
        return b"".join(
            (
                head.forward,
                forwarded,
                self._propagated.lines,
                self.lane.stage_line,
                b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" if head.websocket else b"\r\n",
            )
        )

    def decision_lines(
        self, head: RequestHead, evaluation: Evaluation | None, *, fell_back: bool
    ) -> bytes:
        """What the client is told along with the answer to `head`: who it is from now on, and the
        decision if it may see that."""
        lines = b""
        if self.minted:
            scheme = self._scheme
            if self._trusted:
                scheme = self._routing.trusted.scheme(head.fields, scheme)
            lines = set_cookie(self.minted, secure=scheme == b"https")
        if self.exposed:
            lines += self.lane.decision_line(evaluation, fell_back=fell_back)
        return lines

    def _obey(self, routing: Routing) -> None:
        """Look anew at what depends on the configuration alone."""
        self._routing = routing
        self._trusted = not self.edge or (self._vouches and routing.trusted.includes(self._peer))
        self._host = b"\r"
        self.address = self._peer

    def _forwarded_lines(self, head: RequestHead) -> bytes:
        """What is said of where the request comes from; Via is the last line."""
        trusted = self._routing.trusted
        if self._trusted:
            return trusted.continued(head.fields, self._peer, self._scheme, head.host) + _VIA
        if head.host != self._host:
            self._host = head.host
            self._forwarded = trusted.begun(self._peer, self._scheme, head.host)
            if self._certificate is not None and self._routing.passes_certificates:
                shown = base64.b64encode(self._certificate)
                self._forwarded += b"Client-Cert: :%b:\r\n" % shown
            self._forwarded += _VIA
        return self._forwarded
