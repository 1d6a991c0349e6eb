"""Context and decisions on their way: what a request brings along, and what its origin gets.

Called on the event loop for each request. "Inject" and "extract" in the sense of OpenTelemetry's
propagators. What is injected is prepared for each context and signed again every few seconds; what
is extracted is verified once for the same bytes.
"""

from collections.abc import Mapping
from time import time

from routing import baggage
from routing.config import ProxyConfig
from routing.decision import Evaluation
from routing.decisions import DECISIONS_HEADER, Decisions, Propagated, read, settle, write
from routing.evaluator import Evaluator, Known
from routing.message import RequestHead
from routing.outcomes import Outcomes
from routing.overrides import find_token, read_override, without_cookie
from routing.recent import Recent
from routing.signing import Keyrings
from routing.table import Route

SIGN_EVERY = 10.0
"""Seconds: little beside the 30 that decisions are honoured for, and signing costs CPU time."""
NOTHING: Mapping[str, Evaluation] = {}
CAPACITY = 1024
"""Tokens that are kept with what they say, twice at most."""


class Propagator:
    """By one configuration."""

    def __init__(
        self, config: ProxyConfig, keyrings: Keyrings, evaluator: Evaluator, outcomes: Outcomes
    ) -> None:
        self.baggage = config.decisions.baggage
        self.overrides = keyrings.overrides is not None
        self._overrides = keyrings.overrides
        self._keyring = keyrings.decisions
        self._flags = {name: each.flag for name, each in config.capabilities.items()}
        self._evaluator = evaluator
        self._outcomes = outcomes
        self._read: Recent[bytes, tuple[Decisions, Propagated]] = Recent(CAPACITY)

    def extract(self, fields: Mapping[bytes, bytes], known: Known) -> Propagated | None:
        """At the gateway: the decisions that a request carries; None unless they are ours, of
        this context and not late."""
        token = fields.get(DECISIONS_HEADER)
        if token is None or self._keyring is None:
            return None
        key = b"%b %b" % (known.header, token)
        found = self._read.get(key)
        if found is None:
            decisions = read(token, self._keyring, known.header)
            if decisions is None:
                self._outcomes.count("carried_decisions", "forged")
                return None
            told = decisions.evaluations
            found = decisions, self._propagated(known.header, token, told, carried=True)
            self._read.put(key, found)
        decisions, propagated = found
        if not decisions.honoured(time()):
            self._outcomes.count("carried_decisions", "late")
            return None
        return propagated

    def overridden(self, head: RequestHead, known: Known) -> Propagated | None:
        """At the edge: what goes along where a tester asks for stages; None where nobody does."""
        token = find_token(head.fields)
        if token is None or self._overrides is None:
            return None
        head.forward = without_cookie(head.forward)
        now = time()
        override = read_override(token, self._overrides)
        if override is None or now >= override.until:
            self._outcomes.count("overrides", "forged" if override is None else "late")
            return None
        self._outcomes.count("overrides", "valid")
        told, own = override.evaluations, self._own(known)
        evaluations = {
            name: settle(each, told[name]) if name in told else each for name, each in own.items()
        }
        signed = self._signed(evaluations, known.header, now)
        return self._propagated(known.header, signed, told)

    def settle(self, route: Route, known: Known, told: Propagated) -> Evaluation:
        """The evaluation for a request with decisions that count beside our own."""
        evaluation = told.evaluations.get(route.capability)
        if evaluation is None:
            settled = self._evaluator.evaluate(route.flag, known)
            outcome = "unknown"
        else:
            settled = self._evaluator.settle(route.flag, known, evaluation)
            outcome = "honoured" if settled is evaluation else "flag_off"
        if told.carried:
            self._outcomes.count("carried_decisions", outcome)
        return settled

    def add_baggage(self, head: RequestHead, propagated: Propagated) -> None:
        """Give the origin the field with what others put in it and, where it fits, with ours."""
        before = head.fields.get(baggage.FIELD)
        if before is not None:
            head.forward = baggage.without_field(head.forward)
        value = baggage.replace(before or b"", propagated.members)
        if value:
            head.forward += b"baggage: %b\r\n" % value

    def refresh(self, known: Known, now: float) -> Propagated:
        """Prepare what goes along with requests of this context. `now` is monotonic."""
        known.fresh_until = now + SIGN_EVERY
        signed = self._signed(self._own(known), known.header, time())
        known.propagated = self._propagated(known.header, signed)
        return known.propagated

    def _signed(
        self, evaluations: Mapping[str, Evaluation], context: bytes, now: float
    ) -> bytes | None:
        if self._keyring is None:
            return None
        return write(Decisions(now, evaluations), self._keyring, context)

    def _own(self, known: Known) -> dict[str, Evaluation]:
        """Of all capabilities whose flags are known here; the next hop decides about the others.
        Nothing where nobody is told."""
        if self._keyring is None:
            return {}
        own = {name: self._evaluator.peek(flag, known) for name, flag in self._flags.items()}
        return {name: each for name, each in own.items() if each.version is not None}

    def _propagated(
        self,
        context: bytes,
        token: bytes | None,
        evaluations: Mapping[str, Evaluation] = NOTHING,
        *,
        carried: bool = False,
    ) -> Propagated:
        lines, members = b"X-Migrator-Context: %b\r\n" % context, b""
        if token is not None:
            lines += b"X-Migrator-Decisions: %b\r\n" % token
            if self.baggage:
                members = baggage.members(context, token)
        return Propagated(lines, members, evaluations, carried)
