"""A proxy's cumulative counters, written by hand."""

from collections.abc import Callable

import pytest

from migrator.analysis.sample import NOTHING, Histogram, Sample
from migrator.analysis.stats import Counters, Key, Origin
from migrator.plan.model import Stage

BOUNDS = (1.0, 10.0, 100.0, 1000.0)


class HandProxy:
    """Counts what tests say happened; `read()` is what its /stats would tell."""

    def __init__(self) -> None:
        self.instance = "first"
        self.cells: dict[Key, Sample] = {}

    def serve(
        self,
        origin: Origin,
        requests: int,
        errors: int = 0,
        *,
        ms: float = 5.0,
        stage: Stage = Stage.LIVE,
    ) -> None:
        counts = [0] * (len(BOUNDS) + 1)
        counts[next((i for i, bound in enumerate(BOUNDS) if ms <= bound), len(BOUNDS))] = requests
        key = Key(stage, origin)
        self.cells[key] = self.cells.get(key, NOTHING) + Sample(
            requests=requests,
            errors=errors,
            latency=Histogram(bounds_ms=BOUNDS, counts=tuple(counts)),
        )

    def restart(self, instance: str) -> None:
        self.instance, self.cells = instance, {}

    def read(self) -> Counters:
        return Counters(instance=self.instance, cells=dict(self.cells))


@pytest.fixture
def proxy() -> HandProxy:
    return HandProxy()


@pytest.fixture
def make_sample() -> Callable[..., Sample]:
    """A sample with all latencies in the bucket of `ms`."""

    def make(requests: int, errors: int = 0, *, ms: float = 5.0) -> Sample:
        hand = HandProxy()
        hand.serve("new", requests, errors, ms=ms)
        return hand.cells[Key(Stage.LIVE, "new")]

    return make
