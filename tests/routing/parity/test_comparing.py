"""Comparing in slices, beside a loop whose time a test makes pass."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from routing.config import ParityRules, ProxyConfig
from routing.delivery import Outcome
from routing.parity import comparing
from routing.parity.compare import compare
from routing.parity.comparing import MAX_WAITING, PAUSE, Comparing
from routing.parity.observing import Pair
from routing.parity.report import merge_parity, parity_report
from routing.recovery import Failure
from routing.stages import Access

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Region: %b\r\n"


class Loop:
    """Keeps what is to be called later."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.pauses: list[float] = []

    def call_later(self, delay: float, call: Callable[[], None]) -> "Loop":
        self.due.append(call)
        self.pauses.append(delay)
        return self

    def cancel(self) -> None:
        self.due.clear()

    def run(self) -> None:
        while self.due:
            self.due.pop()()


class Bench:
    """`parity`: of the configuration."""

    def __init__(self, rules: dict[str, Any] | None = None, **parity: object) -> None:
        self.loop = Loop()
        self.told: list[bool | None] = []
        self.config = ProxyConfig.model_validate(
            {
                "migration": "test",
                "listen": {"port": 0},
                "gateway": {"port": 0},
                "monolith": "http://127.0.0.1:1",
                "services": {"carts": "http://127.0.0.1:2"},
                "capabilities": {"shop": {"flag": "shop", "parity": rules or {}}},
                "parity": {"noise_share": 0, **parity},
            }
        )
        self.comparing = Comparing(self.config, cast(asyncio.AbstractEventLoop, self.loop))

    def observe(self, old: object, new: object, again: object = None, **more: Any) -> None:
        pair = Pair(
            capability="shop",
            access=more.get("access", Access.READ),
            rules=more.get("rules", self.config.capabilities["shop"].parity),
            method=b"GET",
            target=b"/cart?token=abc&x=1",
            old=more.get("monolith") or outcome(old, region=more.get("region", b"eu")),
            new=more.get("service") or outcome(new),
            again=None if again is None else outcome(again),
            agreed=self.told.append,
        )
        self.comparing.observe(pair)

    def tally(self) -> dict[str, Any]:
        self.loop.run()
        document = self.comparing.document(last=True)
        assert document is not None
        (tally,) = document
        return tally


def outcome(body: object, status: int = 200, region: bytes = b"eu") -> Outcome:
    data = json.dumps(body).encode()
    return Outcome(status, None, 0.1, data, True, HEAD % region)


def test_pairs_are_compared_and_told_of() -> None:
    bench = Bench()
    bench.observe({"a": 1}, {"a": 1})
    bench.observe({"a": 1}, {"a": 2})
    assert bench.told == [], "not at once"
    tally = bench.tally()
    assert bench.told == [True, False]
    assert (tally["compared"], tally["equal"], tally["different"]) == (2, 1, 1)
    (group,) = tally["groups"]
    (sample,) = group["samples"]
    assert sample["target"] == "/cart?token=REDACTED&x=1"
    assert sample["status"] == [200, 200]


def test_what_writes_leave_is_counted_apart() -> None:
    bench = Bench()
    bench.observe({"a": 1}, {"a": 1})
    bench.observe({"a": 1}, {"a": 2}, access=Access.WRITE)
    bench.loop.run()
    read, write = bench.comparing.document(last=True) or []
    assert [(each["access"], each["equal"], each["different"]) for each in (read, write)] == [
        ("read", 1, 0),
        ("write", 0, 1),
    ]
    assert read["groups"] == []
    ids = [
        parity_report(merge_parity([{**write, "access": access}]))[0]["groups"][0]["id"]
        for access in Access
    ]
    assert ids[0] != ids[1], "the same path is another difference"


def test_each_pair_has_the_rules_of_its_route() -> None:
    bench = Bench({"show": ["body.a"]})
    own = ParityRules(ignore=("body.b",)).before(bench.config.capabilities["shop"].parity)
    bench.observe({"a": 1, "b": 1}, {"a": 1, "b": 2}, rules=own)
    bench.observe({"a": 1}, {"a": 2}, rules=own)
    tally = bench.tally()
    assert (tally["equal"], tally["different"]) == (1, 1)
    (sample,) = tally["groups"][0]["samples"]
    assert (sample["old"], sample["new"]) == ("1", "2"), "and those of its capability"


def test_the_monolith_asked_twice() -> None:
    bench = Bench(noise_share=0.5)
    for number in range(9):
        bench.observe({"at": number}, {"at": -number - 1}, {"at": number + 100})
    tally = bench.tally()
    assert (tally["repeated"], tally["noise"], tally["different"]) == (9, 9, 0)


def test_further_fields() -> None:
    bench = Bench(headers=["X-Region"])
    bench.observe(1, 1, region=b"us")
    assert [group["path"] for group in bench.tally()["groups"]] == ["headers.x-region"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param(
            {"service": Outcome(None, Failure.RESET, 0.1, b"", False, b"")}, "unanswered", id="none"
        ),
        pytest.param({"monolith": outcome(1, 503)}, "unanswered", id="the-monolith-failed"),
        pytest.param({"service": outcome("x" * 2000)}, "too_large", id="long"),
    ],
)
def test_what_is_not_compared(more: dict[str, Any], why: str) -> None:
    bench = Bench(body=1000)
    bench.observe(1, 2, **more)
    tally = bench.tally()
    assert (tally["compared"], tally["not_compared"]) == (0, {why: 1})
    assert bench.told == [None]


def test_the_rate_is_bounded() -> None:
    bench = Bench(per_second=3, probes_per_second=1)
    admits = bench.comparing.admits
    assert [admits("shop", Access.READ) for _ in range(5)] == [True] * 3 + [False] * 2
    assert bench.tally()["not_compared"] == {"busy": 2}
    assert [admits("shop", Access.WRITE) for _ in range(2)] == [True, False]


def test_what_waits_is_bounded() -> None:
    bench = Bench()
    for _ in range(MAX_WAITING + 2):
        bench.observe(1, 1)
    assert bench.told == [None, None]
    tally = bench.tally()
    assert (tally["equal"], tally["not_compared"]) == (MAX_WAITING, {"busy": 2})


def test_work_is_done_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that ends each slice after one step, a long document takes many of them."""
    times = iter(range(10_000_000))
    monkeypatch.setattr(comparing, "monotonic", lambda: next(times) * comparing.SLICE * 0.7)
    bench = Bench()
    bench.observe(list(range(5000)), list(range(5000))[::-1])
    assert bench.tally()["different"] == 1
    assert len(bench.loop.pauses) > 20
    assert set(bench.loop.pauses) == {PAUSE}


def test_whatever_goes_wrong_the_next_pair_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    broken = iter((True, False))

    def breaks(*arguments: Any) -> Any:
        if next(broken):
            raise ZeroDivisionError
        return compare(*arguments)

    monkeypatch.setattr(comparing, "compare", breaks)
    bench.observe(1, 2)
    bench.observe(1, 1)
    tally = bench.tally()
    assert (tally["equal"], tally["not_compared"]) == (1, {"unreadable": 1})
    assert bench.told == [None, True]


def test_only_news_is_reported() -> None:
    bench = Bench()
    assert bench.comparing.document() is None
    bench.observe(1, 1)
    assert bench.tally()["compared"] == 1
    assert bench.comparing.document(last=True) is None


def test_new_rules_count_from_now_on() -> None:
    bench = Bench()
    bench.observe({"a": 1}, {"a": 2})
    assert bench.tally()["different"] == 1
    document = bench.config.model_dump(mode="json")
    document["capabilities"]["shop"]["parity"] = {"ignore": ["body.a"]}
    bench.config = ProxyConfig.model_validate(document)
    bench.comparing.apply(bench.config)
    bench.observe({"a": 1}, {"a": 2})
    tally = bench.tally()
    assert (tally["compared"], tally["different"], tally["equal"]) == (2, 1, 1)


def test_stopped() -> None:
    bench = Bench()
    bench.observe(1, 1)
    bench.comparing.stop()
    bench.loop.run()
    assert bench.told == [None], "whoever waits for it is told"


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        pytest.param({"kind": "tolerance"}, "without one", id="no-tolerance"),
        pytest.param({"kind": "id", "tolerance": 1}, "means nothing", id="tolerance-of-ids"),
        pytest.param({"kind": "regex"}, "belongs to kind regex", id="no-pattern"),
        pytest.param({"kind": "id", "pattern": "a"}, "belongs to kind regex", id="pattern"),
        pytest.param({"kind": "regex", "pattern": "("}, "unterminated", id="bad-pattern"),
    ],
)
def test_rules_that_make_no_sense(rule: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Bench({"rules": [{"path": "body.a", **rule}]})
