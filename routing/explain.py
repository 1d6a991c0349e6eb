"""Why one request goes where it goes: route, context, flag, stage, origin.

Pure: the evaluation of the flag comes in as a function. Asks the same table, trusted peers, context
reader and stage table as the proxy itself, so that what it says is what the proxy does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from routing.baggage import unpack
from routing.config import Located, ProxyConfig, Upstream
from routing.context import ContextReader, RequestContext
from routing.decision import Decision, Evaluation, decide
from routing.decisions import DECISIONS_HEADER, read, settle
from routing.overrides import find_token, read_override
from routing.reading import request_reader
from routing.signing import Keyrings
from routing.stages import Access, Side, Stage, access_of
from routing.table import Route, RouteTable
from routing.trust import Trust
from routing.trusted import Trusted

Evaluate = Callable[[str, RequestContext], Evaluation]
"""What the SDK says of a flag for a context."""
NOWHERE_ELSE: Located = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`route`, `evaluation` and `access` are None where no route matches."""

    method: str
    path: str
    client: str
    """Address of the user, as far as trusted peers vouch for it; at the gateway, of the service."""
    context: Mapping[str, Any]
    minted: bool
    """The request names nobody: the proxy would mint an id, and a fresh one stands in `context`."""
    route: Route | None
    access: Access | None
    evaluation: Evaluation | None
    decision: Decision
    origin: Upstream
    """The origin that answers."""
    source: str
    """Where its endpoints come from: `kept`, what the stream of endpoints said last, or
    `configuration`."""
    fallback: Upstream | None
    """The monolith where it may answer if the service fails."""
    target: str
    """Path and query as the origin gets them; with `redirect`: nobody does."""
    redirect: str | None
    """Where the client is sent instead."""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        route, evaluation = self.route, self.evaluation
        return {
            "request": {"method": self.method, "path": self.path, "client": self.client},
            "context": dict(self.context),
            "minted": self.minted,
            "route": None
            if route is None
            else {
                "capability": route.capability,
                "path": route.path,
                "methods": route.methods,
                "service": route.service,
                "access": self.access,
            },
            "flag": None
            if route is None or evaluation is None
            else {
                "key": route.flag,
                "version": evaluation.version,
                "stage": evaluation.stage,
                "reason": evaluation.reason,
            },
            "origin": {
                "side": self.decision.origin,
                "endpoints": self.origin.endpoints,
                "source": self.source,
            },
            "also": self.decision.also,
            "fallback": None if self.fallback is None else self.fallback.endpoints,
            "target": self.target,
            "redirect": self.redirect,
        }


def explain(
    config: ProxyConfig,
    head: bytes,
    evaluate: Evaluate,
    trust: Trust,
    now: float,
    *,
    peer: str,
    edge: bool,
    located: Located = NOWHERE_ELSE,
) -> Explanation:
    """What a proxy with `config` does with the request that begins with `head`.

    `now`: seconds since 1970. `peer`: the address that it comes from. `edge`: it comes in where
    users do, otherwise at the gateway. `located`: endpoints other than the configured ones. Raises
    InvalidConfig, and BadMessage where the proxy would refuse the head.
    """
    table = RouteTable(config.capabilities)
    contexts = ContextReader(config.context, trust.tokens)
    trusted = Trusted(config.trusted, config.forwarded)
    client = peer.encode()
    believed = not edge or trusted.includes(client)
    request = request_reader(config, contexts, table, believed=believed).read(head)
    if request is None:
        raise ValueError("the head is not complete")
    minted = b""
    preparation = contexts.preparation
    if edge:
        if believed:
            client = trusted.client(request.fields, client)
        if preparation is not None:
            preparation.at_edge(request.fields, request.query, client)
        identity, minted = contexts.at_edge(request.fields)
    else:
        if config.decisions.baggage:
            unpack(request.fields)
        if preparation is not None:
            preparation.at_gateway(request.fields)
        identity = contexts.at_gateway(request.fields)
    context = contexts.build(identity)
    told = _told(request.fields, context, trust.keyrings, now, edge=edge)
    route = table.match(request.method, request.path, request)
    evaluation = None if route is None else evaluate(route.flag, context)
    if route is not None and evaluation is not None and route.capability in told:
        evaluation = settle(evaluation, told[route.capability])
    access = None if route is None else access_of(request.method, route.access)
    stage = Stage.OFF if evaluation is None else evaluation.stage
    off = None if evaluation is None else evaluation.prerequisite
    switched_off = route is not None and off in route.switches
    decision = decide(route, access or Access.READ, stage, switched_off=switched_off)
    new = route is not None and decision.origin is Side.NEW
    target = request.path + b"?" + request.query if request.query else request.path
    redirect = b""
    if route is not None and new and route.changes is not None:
        target = route.changes.target(request)
        redirect = route.changes.location(request)
    service = route.service if route is not None and new else None
    origins = config.located(located)
    return Explanation(
        method=request.method.decode(),
        path=request.path.decode(),
        client=client.decode(),
        context=context.document,
        minted=bool(minted),
        route=route,
        access=access,
        evaluation=evaluation,
        decision=decision,
        origin=origins.monolith if service is None else origins.services[service],
        source="kept" if service in located else "configuration",
        fallback=config.monolith if new else None,
        target=target.decode("latin-1"),
        redirect=redirect.decode() or None,
    )


def _told(
    fields: Mapping[bytes, bytes],
    context: RequestContext,
    keyrings: Keyrings,
    now: float,
    *,
    edge: bool,
) -> Mapping[str, Evaluation]:
    """By capability, evaluations that the request brings along: an override, carried decisions."""
    token = find_token(fields) if edge else fields.get(DECISIONS_HEADER)
    if token is not None and edge and keyrings.overrides is not None:
        override = read_override(token, keyrings.overrides)
        if override is not None and now < override.until:
            return override.evaluations
    if token is not None and not edge and keyrings.decisions is not None:
        carried = read(token, keyrings.decisions, context.header)
        if carried is not None and carried.honoured(now):
            return carried.evaluations
    return {}
