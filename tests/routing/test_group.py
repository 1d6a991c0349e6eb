"""One origin's endpoints by a virtual clock and without connections."""

from random import Random
from typing import Any
from unittest.mock import Mock

import pytest

from routing.account import Account
from routing.config import CircuitBreaker, ProxyConfig, RetryBudget, Timeouts, Upstream
from routing.group import Group
from routing.outbox import Outbox
from routing.outcomes import Outcomes
from routing.pool import Endpoint
from routing.upstreams import Upstreams


class Clock:
    now = 1000.0


def group(clock: Clock, count: int = 4, **options: Any) -> Group:
    addresses = [f"http://127.0.0.1:{number + 1}" for number in range(count)]
    upstream = Upstream(endpoints=tuple(addresses), **options)
    draw = Random(7).random  # noqa: S311 - the same numbers in each run are meant
    endpoints = [Endpoint(each, clock, Timeouts(), Mock(), Outbox(Mock())) for each in addresses]
    made = Group("articles", upstream, endpoints, Account(), clock, draw)
    made.account.limit(upstream.retry_budget)
    made.refresh()
    return made


def chosen(made: Group) -> set[int]:
    """Numbers of the endpoints that get requests."""
    return {made.endpoints.index(made.choose()) for _ in range(100)}


def fail(made: Group, *numbers: int, times: int = 5) -> None:
    for number in numbers:
        for _ in range(times):
            made.failed(made.endpoints[number])


def test_ejection_and_return() -> None:
    clock = Clock()
    made = group(clock)
    assert chosen(made) == {0, 1, 2, 3}
    fail(made, 0, times=4)
    assert chosen(made) == {0, 1, 2, 3}
    fail(made, 0, times=1)
    assert chosen(made) == {1, 2, 3}
    fail(made, 1, 2, 3)
    assert len(chosen(made)) == 2, "no more than half of them are ejected"
    clock.now += 30
    made.refresh()
    assert chosen(made) == {0, 1, 2, 3}


def test_panic() -> None:
    clock = Clock()
    made = group(clock, healthy_panic_threshold=50, health_check={"path": "/"})
    for endpoint in made.endpoints[:2]:
        made.checked(endpoint, good=False)
    assert chosen(made) == {2, 3}
    made.checked(made.endpoints[2], good=False)
    assert chosen(made) == {0, 1, 2, 3}, "one of four cannot carry the load of all"
    assert made.another(made.endpoints[3:]) is None, "but nothing is repeated at an ill one"


def test_who_is_healthy_again_is_cold() -> None:
    clock = Clock()
    made = group(clock, slow_start_window=10.0, health_check={"path": "/"})
    first = made.endpoints[0]
    for good, expected in ((False, 1.0), (True, 1.0), (True, 0.1)):
        made.checked(first, good=good)
        assert first.warmth == expected
    clock.now += 4
    made.refresh()
    assert first.warmth == pytest.approx(0.4)


def test_an_ejected_endpoint_is_cold_when_it_is_back() -> None:
    clock = Clock()
    made = group(clock, slow_start_window=10.0)
    fail(made, 0)
    clock.now += 35
    made.refresh()
    assert made.endpoints[0].warmth == pytest.approx(0.5)


def test_the_budget() -> None:
    made = group(Clock(), retry_budget=RetryBudget(budget_percent=50, min_retries_per_second=0))
    assert not made.spend()
    made.choose()
    made.choose()
    assert (made.spend(), made.spend()) == (True, False)
    assert (made.account.retries, made.account.over_budget) == (1, 2)


def test_a_url_has_one_endpoint_without_options() -> None:
    made = group(Clock(), 1)
    assert made.only is made.endpoints[0]
    assert group(Clock(), 1, health_check={"path": "/"}).only is None
    assert group(Clock(), 2).only is None


def config(service: object, **changes: object) -> ProxyConfig:
    return ProxyConfig.model_validate(
        {
            "migration": "test",
            "listen": {"port": 0},
            "gateway": {"port": 0},
            "monolith": "http://127.0.0.1:1",
            "services": {"articles": service},
            **changes,
        }
    )


def test_a_change_keeps_what_stays() -> None:
    clock, loop = Clock(), Mock()
    upstreams = Upstreams(clock, loop, Outbox(loop), Outcomes())

    def apply(*numbers: int, **options: object) -> tuple[Group, tuple[Endpoint, ...]]:
        addresses = [f"http://127.0.0.1:{number}" for number in numbers]
        wanted = config({"endpoints": addresses, **options})
        groups = upstreams.prepare(wanted)
        upstreams.adopt(groups, wanted)
        return groups["articles"], groups["articles"].endpoints

    before, (two, three) = apply(2, 3)
    fail(before, 0)
    assert before.spend()
    after, (four, again) = apply(4, 2, slow_start_window=10, circuit_breaker={"max_connections": 1})
    assert again is two
    assert after.account is before.account
    assert after.account.retries == 1
    assert chosen(after) == {0}, "it stays ejected"
    assert (four.warmth, three.closed) == (0.1, True)
    assert not two.closed
    assert before.another([two]) is None, "requests in flight do not go to what has left"
    assert upstreams.document()[1]["endpoints"][1]["address"] == "http://127.0.0.1:2"


def test_a_wrong_change_changes_nothing() -> None:
    clock, loop = Clock(), Mock()
    upstreams = Upstreams(clock, loop, Outbox(loop), Outcomes())
    good = config("http://127.0.0.1:2")
    upstreams.adopt(upstreams.prepare(good), good)
    before = upstreams.document()
    upstreams.prepare(config({"endpoints": ["http://127.0.0.1:3"]}))
    assert upstreams.document() == before


def test_more_connections_for_those_who_wait() -> None:
    """A limit that is raised lets them in; one who gives up is not told anything."""
    clock = Clock()
    loop = Mock()
    loop.create_task.side_effect = lambda coroutine: (coroutine.close(), Mock())[1]
    endpoint = Endpoint("http://127.0.0.1:1", clock, Timeouts(), loop, Outbox(loop))
    endpoint.configure(Timeouts(), CircuitBreaker(max_connections=1))
    askers = [Mock(overflowed=Mock(return_value=None)) for _ in range(4)]
    calls: list[Any] = [endpoint.connect(asker) for asker in askers]
    assert (loop.create_task.call_count, endpoint.load) == (1, 4)
    calls[1]()
    endpoint.configure(Timeouts(), CircuitBreaker(max_connections=2))
    assert (loop.create_task.call_count, endpoint.load) == (2, 3)
    clock.now += 60
    endpoint.tick()
    assert [asker.overflowed.call_count for asker in askers] == [0, 0, 0, 1]
    assert endpoint.overflows == 1
