"""Where metrics of users' own are read: Prometheus, a webhook, custom events, what was pushed.

A thin shell around HTTP: one reading for each call, within a time and a size. What cannot be read
raises a MigratorError that says so. Never decides.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx

from migrator.analysis.counters import Counted
from migrator.analysis.figures import parse_figures
from migrator.analysis.metric import Counting, Reading, Values
from migrator.analysis.otlp import Received
from migrator.analysis.promql import one_value, parse_answer, query_for
from migrator.analysis.stats import Origin
from migrator.errors import MigratorError, Unavailable
from migrator.flagclient import CustomEvents, FlagClient
from migrator.plan.model import ByOrigin, Metric, Prometheus, Stage, Step, Track, Webhook
from migrator.rollout.desired import NEW_IS_ASKED
from routing.config.urls import shown_url

TIMEOUT: Final = 10.0
"""Seconds for one reading of Prometheus."""
_MAX_ANSWER: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Of what a metric is asked. `since`: Unix seconds of the window's beginning."""

    migration: str
    capability: str
    step: Step | None
    since: float


class MetricSources:
    """Reads any metric."""

    def __init__(self, flags: FlagClient, received: Received) -> None:
        self._flags = flags
        self._received = received
        self._http = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def read(self, metric: Metric, asked: Asked) -> Reading:
        """One reading. Raises MigratorError."""
        if metric.prometheus is not None:
            return await self._prometheus(metric, metric.prometheus, asked)
        if metric.webhook is not None:
            return await self._webhook(metric, metric.webhook, asked)
        if metric.track is not None:
            return await self._track(metric.track, asked)
        if metric.otlp is not None:
            return self._received.read(metric, metric.otlp, now=time.time())
        raise MigratorError(f"metric {metric.name} has no source")

    async def _prometheus(self, metric: Metric, source: Prometheus, asked: Asked) -> Reading:
        now = time.time()

        async def ask(query: str | ByOrigin | None, origin: Origin) -> dict[str, float]:
            if query is None:
                return {}
            text = query_for(query, origin, asked.capability)
            # One moment for all of them, or a counter could be ahead of the other.
            form = {"query": text, "time": f"{now:.3f}", "timeout": f"{TIMEOUT:g}s"}
            body = await self._answer(
                f"{source.url}/api/v1/query", TIMEOUT, data=form, errors=(400, 422)
            )
            with _told_by(source.url):
                return parse_answer(body)

        if metric.is_proportion:
            found = await asyncio.gather(
                ask(source.count, "old"), ask(source.total, "old"),
                ask(source.count, "new"), ask(source.total, "new"),
            )  # fmt: skip
            return Counting(old=Counted(*found[:2]), new=Counted(*found[2:]))
        old, new = await asyncio.gather(
            ask(source.value if metric.needs_old else None, "old"), ask(source.value, "new")
        )
        with _told_by(source.url):
            return Values(old=one_value(old), new=one_value(new))

    async def _webhook(self, metric: Metric, webhook: Webhook, asked: Asked) -> Reading:
        facts = {
            "migration": asked.migration,
            "capability": asked.capability,
            "metric": metric.name,
            "stage": str(asked.step.stage) if asked.step else "off",
            "share": asked.step.share / 1000 if asked.step else 0.0,
            "since": asked.since,
        }
        body = await self._answer(webhook.url, webhook.timeout, json=facts)
        with _told_by(webhook.url):
            return parse_figures(metric, body)

    async def _track(self, track: Track, asked: Asked) -> Reading:
        events = await self._flags.custom_events(asked.capability, after=int(asked.since * 1000))
        return Counting(old=_of_origin(track, events, "old"), new=_of_origin(track, events, "new"))

    async def _answer(
        self, url: str, timeout: float, *, errors: tuple[int, ...] = (), **request: Any
    ) -> bytes:
        """The body of a success, or of one of `errors`, which say in it what is wrong."""
        place, body = shown_url(url), bytearray()
        try:
            async with (
                asyncio.timeout(timeout),
                self._http.stream("POST", url, timeout=timeout, **request) as answer,
            ):
                if not answer.is_success and answer.status_code not in errors:
                    raise Unavailable(f"{place} answered {answer.status_code}")
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_ANSWER:
                        raise Unavailable(f"{place} answered more than {_MAX_ANSWER} bytes")
        except TimeoutError:
            raise Unavailable(f"{place} did not answer within {timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            detail = str(error) or type(error).__name__
            raise Unavailable(f"{place} does not answer: {detail}") from error
        return bytes(body)


@contextlib.contextmanager
def _told_by(url: str) -> Iterator[None]:
    """Say whose answer cannot be used."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(f"{shown_url(url)}: {error}", hint=error.hint) from error


def _of_origin(track: Track, events: Iterable[CustomEvents], origin: Origin) -> Counted:
    """By stage. An event that was never sent was counted 0 times."""
    stages = [stage for stage in Stage if (stage in NEW_IS_ASKED) == (origin == "new")]
    count, total = ({str(stage): 0.0 for stage in stages} for _ in range(2))
    for each in events:
        for key, series in ((track.count, count), (track.total, total)):
            if each.key == key and each.value in series:
                series[each.value] += each.count
    return Counted(count, total)
