"""Metrics from a real Prometheus that scrapes real counters of both sides."""

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from migrator.analysis.metric import Counting, MetricWindow, Reading, Values
from migrator.analysis.otlp import Received
from migrator.analysis.proportion import Counts
from migrator.controller.metric_sources import Asked, MetricSources
from migrator.errors import Unavailable
from migrator.flagclient import FlagClient, Target
from migrator.plan.model import Metric

Serve = Callable[[ASGIApp], AbstractAsyncContextManager[str]]
CONFIG = """\
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["{target}"]}}]
"""
LONG = 60.0
"""Seconds that scrapes may take on a loaded machine."""
NOWHERE = Target(address="http://127.0.0.1:1", token="", project="cms", environment="production")
ASKED = Asked(migration="cms", capability="shop", step=None, since=0.0)


class Services:
    """Two pods of each side, with the counters of their checkouts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["side", "pod"]
        self.all = Counter("checkouts", "All.", labels, registry=self.registry)
        self.failed = Counter("failed", "Failed checkouts.", labels, registry=self.registry)
        self.queue = Gauge("queue", "Waiting.", ["side"], registry=self.registry)
        self.serve("old", 500, 5)
        self.serve("new", 20, 0)

    def serve(self, side: str, total: int, failed: int) -> None:
        for pod in ("a", "b"):
            self.all.labels(side, pod).inc(total)
            self.failed.labels(side, pod).inc(failed)

    async def metrics(self, _: Request) -> Response:
        return Response(generate_latest(self.registry), media_type="text/plain")


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[str]:
    program = shutil.which("prometheus")
    assert program, "Debian's package prometheus is missing: make test installs it"
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(target=target.removeprefix("http://")))
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        address = ""
        async with asyncio.timeout(LONG):
            async for line in process.stderr:
                if found := re.search(rb'"Listening on" address=(127\.0\.0\.1:\d+)', line):
                    address = found[1].decode()
                if b"ready to receive web requests" in line:
                    break
        assert address, "prometheus ended before it was ready"
        draining = asyncio.create_task(process.stderr.read())
        yield f"http://{address}"
        process.terminate()
        await draining
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def a_metric(url: str, *, limits: dict[str, Any], **queries: Any) -> Metric:
    source = {"url": url, **queries}
    return Metric.model_validate({"name": "a", "prometheus": source, **limits})


def test_counters_and_values_are_read(serve: Serve, tmp_path: Path) -> None:
    async def run() -> None:
        services = Services()
        app = Starlette(routes=[Route("/metrics", services.metrics)])
        async with (
            serve(app) as target,
            prometheus(tmp_path, target) as url,
            FlagClient(NOWHERE) as flags,
            contextlib.aclosing(MetricSources(flags, Received((), began=0.0))) as sources,
        ):
            failures = a_metric(
                url,
                count='failed_total{side="${origin}"}',
                total='checkouts_total{side="${origin}"}',
                limits={"max_increase": "1%"},
            )

            async def until(metric: Metric, done: Callable[[Reading], bool]) -> Reading:
                async with asyncio.timeout(LONG):
                    while not done(reading := await sources.read(metric, ASKED)):
                        await asyncio.sleep(0.05)
                return reading

            def series(reading: Reading) -> int:
                assert isinstance(reading, Counting)
                return len(reading.new.total) + len(reading.old.count)

            base = await until(failures, lambda reading: series(reading) == 4)
            window = MetricWindow(metric=failures).read(base)
            services.serve("old", 100, 1)
            services.serve("new", 50, 25)

            def grown(reading: Reading) -> bool:
                read = window.read(reading)
                return read.old.counts.total + read.new.counts.total == 300

            window = window.read(await until(failures, grown))
            assert window.old.counts == Counts(2, 200)
            assert window.new.counts == Counts(50, 100)

            services.queue.labels("new").set(7)
            queue = a_metric(url, value='queue{side="${origin}"}', limits={"max_ratio": 2})
            reading = await until(queue, lambda reading: reading != Values(old=None, new=None))
            assert reading == Values(old=None, new=7.0)

            two = 'vector(1) or label_replace(vector(2), "side", "new", "", "")'
            several = a_metric(url, value=two, limits={"max": 2})
            with pytest.raises(Unavailable, match="2 series where one value is expected"):
                await sources.read(several, ASKED)
            wrong = a_metric(url, value="checkouts_total{", limits={"max": 2})
            with pytest.raises(Unavailable, match=f"{url}: bad_data: .*parse error"):
                await sources.read(wrong, ASKED)
            nobody = a_metric("http://127.0.0.1:1", value="up", limits={"max": 2})
            with pytest.raises(Unavailable, match=r"http://127.0.0.1:1.* does not answer"):
                await sources.read(nobody, ASKED)

    asyncio.run(run())
