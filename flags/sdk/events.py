"""Posts of events: taken, counted by minute, and forgotten.

SDKs repeat a post when they got no answer, with the same payload id: it counts once.
"""

import asyncio
import time
from collections import Counter as Multiset
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flags.errors import Rejected
from flags.evaluation.context import Context
from flags.model import Counter, Environment, Measure, Snapshot, Sum, custom_name
from flags.sdk.access import by_client_side_id, by_mobile_key, by_sdk_key
from flags.sdk.attribution import attribute
from flags.sdk.body import limited_body
from flags.sdk.event_kinds import read
from flags.sdk.http import CORS, Endpoint, preflighted
from flags.sdk.seen import Seen
from flags.streams.hub import EnvironmentHub, Hub

MAX_EVENTS: Final = 8 * 1024 * 1024
"""Bytes of one post, after decompression."""
REMEMBERED: Final = 10_000
"""Payload ids."""
_MAX_ID: Final = 100
MAX_PENDING: Final = 50_000
"""Counters that wait to be written; beyond them new ones are dropped."""
MAX_KEYS: Final = 500
"""Keys of custom events of each environment that are counted by variation; the first ones."""
_AT_ONCE: Final = 50
"""Events after which streams get their turn."""


class Ingestion:
    """What was reported and is not written yet. Lives on the event loop's thread."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self._payloads: OrderedDict[str, None] = OrderedDict()
        self._counts: Multiset[Counter] = Multiset()
        self._measures: dict[Measure, Sum] = {}
        self._keys: dict[tuple[str, str], set[str]] = {}

    def add(self, environment: Environment, events: list[Any], world: Snapshot) -> None:
        """`world`: the environment's flags, which custom events are attributed to."""
        report = read(events)
        for (flag, variation), count in report.evaluations.items():
            self.count(environment, flag, variation, count)
        for (flag, name), measured in report.measures.items():
            self._measure(environment, flag, name, measured)
        for document in report.contexts:
            try:
                self.seen.add(environment, Context.parse(document))
            except Rejected:
                continue
        custom = [event for event in report.custom if self._is_attributed(environment, event.key)]
        for each in attribute(custom, world, partial(self.seen.find, environment)):
            name = custom_name(each.variation, each.key)
            self._measure(environment, each.flag, name, Sum(1, each.value))

    def _measure(self, environment: Environment, flag: str, name: str, measured: Sum) -> None:
        at = Measure(environment.project, environment.key, flag, now_minute(), name)
        old = self._measures.get(at, Sum(0, 0.0))
        if old.times or len(self._measures) < MAX_PENDING:
            self._measures[at] = Sum(old.times + measured.times, old.total + measured.total)

    def _is_attributed(self, environment: Environment, key: str) -> bool:
        """Browsers may send any key, and each one costs a row for every flag and minute."""
        keys = self._keys.setdefault((environment.project, environment.key), set())
        if key not in keys and len(keys) < MAX_KEYS:
            keys.add(key)
        return key in keys

    def count(self, environment: Environment, flag: str, variation: int, count: int = 1) -> None:
        at = Counter(environment.project, environment.key, flag, now_minute(), variation)
        if at in self._counts or len(self._counts) < MAX_PENDING:
            self._counts[at] += count

    def is_repeated(self, payload_id: str | None) -> bool:
        if payload_id is None:
            return False
        payload_id = payload_id[:_MAX_ID]
        if payload_id in self._payloads:
            return True
        self._payloads[payload_id] = None
        if len(self._payloads) > REMEMBERED:
            self._payloads.popitem(last=False)
        return False

    def take(self) -> tuple[dict[Counter, int], dict[Measure, Sum]]:
        """Everything that waits, once."""
        waiting = dict(self._counts), self._measures
        self._counts, self._measures = Multiset(), {}
        return waiting


def now_minute() -> int:
    return int(time.time() // 60)


def event_routes(hub: Hub, ingestion: Ingestion) -> list[Route]:
    def server(request: Request) -> EnvironmentHub:
        return by_sdk_key(hub, request.headers)

    def mobile(request: Request) -> EnvironmentHub:
        return by_mobile_key(hub, request.headers)

    def browser(request: Request) -> EnvironmentHub:
        return by_client_side_id(hub, request.path_params["env"])

    def taking(find: Callable[[Request], EnvironmentHub], *, counted: bool) -> Endpoint:
        async def take(request: Request) -> Response:
            state = find(request).state
            body = await limited_body(request, MAX_EVENTS)
            if counted:
                events = _events(body)  # first: a post that is refused may be repeated
                payload_id = request.headers.get("x-launchdarkly-payload-id")
                if not ingestion.is_repeated(payload_id):
                    for start in range(0, len(events), _AT_ONCE):
                        part = events[start : start + _AT_ONCE]
                        ingestion.add(state.environment, part, state.snapshot)
                        await asyncio.sleep(0)
            return Response(status_code=202, headers=CORS)

        return take

    return [
        Route(path, preflighted(taking(find, counted=counted)), methods=["POST", "OPTIONS"])
        for path, find, counted in (
            ("/bulk", server, True),
            ("/diagnostic", server, False),
            ("/events/bulk/{env}", browser, True),
            ("/events/diagnostic/{env}", browser, False),
            ("/mobile", mobile, True),
            ("/mobile/events", mobile, True),
            ("/mobile/events/bulk", mobile, True),
            ("/mobile/events/diagnostic", mobile, False),
        )
    ]


def _events(body: bytes) -> list[Any]:
    """Raises `Rejected`."""
    try:
        events = from_json(body)
    except ValueError:
        raise Rejected("body: expected a JSON array of events") from None
    if not isinstance(events, list):
        raise Rejected("body: expected a JSON array of events")
    return events
