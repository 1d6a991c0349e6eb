"""How the server is, for people, orchestrators and Prometheus. No secrets: keys are masked."""

import time
from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flags.rest.representation import masked
from flags.streams.hub import EnvironmentHub, Hub

_LISTED: Final = 100
"""Streams of one environment that are listed, the most stale first."""


def status_routes(hub: Hub) -> list[Route]:
    started = time.monotonic()
    registry = CollectorRegistry()
    registry.register(_Streams(hub))

    async def healthy(_: Request) -> Response:
        sdks = sum(len(channel.connections) for channel in hub.channels())
        return JSONResponse({"status": "ok", "sdks": sdks})

    async def status(_: Request) -> Response:
        environments = {
            f"{e.state.environment.project} {e.state.environment.key}": _environment(e)
            for e in hub.environments()
        }
        return JSONResponse(
            {
                "status": "healthy",
                "uptime_seconds": round(time.monotonic() - started, 1),
                "environments": environments,
            }
        )

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/healthz", healthy),
        Route("/readyz", healthy),
        Route("/status", status),
        Route("/metrics", metrics),
    ]


class _Streams(Collector):
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        labels = ["project", "environment", "kind"]
        streams = GaugeMetricFamily("flags_streams", "Open SDK streams.", labels=labels)
        behind = GaugeMetricFamily(
            "flags_stream_behind_seconds",
            "For how long the most stale lacks a change.",
            labels=labels,
        )
        for environment in self._hub.environments():
            model = environment.state.environment
            now = list(environment.streams())
            for kind, channel in environment.channels:
                values = [model.project, model.key, kind]
                streams.add_metric(values, len(channel.connections))
                most = max((s.behind for s in now if s.kind == kind), default=0.0)
                behind.add_metric(values, most)
        yield streams
        yield behind


def _environment(hub: EnvironmentHub) -> dict[str, Any]:
    streams = sorted(hub.streams(), key=lambda s: (-s.behind, -s.connected))
    environment = hub.state.environment
    return {
        "sdk_key": masked(environment.sdk_key),
        "mobile_key": masked(environment.mobile_key),
        "client_side_id": environment.client_side_id,
        "sequence": hub.state.sequence,
        "flags": len(hub.state.snapshot.flags),
        "sdks": len(streams),
        "most_behind_seconds": round(streams[0].behind, 3) if streams else 0.0,
        "streams": [
            {
                "sdk": s.agent,
                "kind": s.kind,
                "connected_seconds": round(s.connected, 1),
                "behind_seconds": round(s.behind, 3),
            }
            for s in streams[:_LISTED]
        ],
    }
