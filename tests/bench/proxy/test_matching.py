"""Both tables are asked for the same kinds of routes, and the goal is on their ratio."""

import pytest

from bench.proxy.matching import ASKED, KINDS, SIZES, compared, prepared


@pytest.mark.parametrize("size", SIZES)
def test_each_request_has_its_route(size: int) -> None:
    routes, requests = prepared(size)
    assert len(routes.routes) == size
    found = [routes.match(b"GET", each.path, each) for each in requests]
    numbers = [int(each.capability[1:]) for each in found if each is not None]
    assert [number % KINDS for number in numbers] == [turn % KINDS for turn in range(ASKED)]
    assert len({*numbers}) == ASKED
    assert max(numbers) >= size * 0.9


@pytest.mark.parametrize(("many", "met"), [(130.0, True), (131.0, False)])
def test_goal(many: float, met: bool) -> None:
    *_, ratio = compared(100.0, many)
    assert (ratio.value, ratio.met) == (many / 100, met)
