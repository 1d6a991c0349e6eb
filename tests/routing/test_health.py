"""How many checks it takes to change what is thought of an endpoint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.config import HealthCheck
from routing.health import Health


def after(checks: str, healthy: int = 2, unhealthy: int = 3) -> str:
    """What is thought after each check: `+` healthy, `-` not."""
    rules = HealthCheck(path="/", healthy_threshold=healthy, unhealthy_threshold=unhealthy)
    health, thought = Health(), ""
    for check in checks:
        before = health.healthy
        changed = health.observe(check == "+", rules)
        assert changed == (health.healthy is not before)
        thought += "+" if health.healthy else "-"
    return thought


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        pytest.param("+---", "+++-", id="three-failures"),
        pytest.param("+--+---", "++++++-", id="in-a-row"),
        pytest.param("-", "-", id="the-first-check-decides"),
        pytest.param("-++", "--+", id="two-successes"),
        pytest.param("-+-++", "----+", id="successes-in-a-row"),
    ],
)
def test_thresholds(checks: str, expected: str) -> None:
    assert after(checks) == expected


@given(st.text("+-", max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_enough_of_the_same_settle_it(checks: str, healthy: int, unhealthy: int) -> None:
    assert after(f"{checks}{'+' * healthy}", healthy, unhealthy).endswith("+")
    assert after(f"{checks}{'-' * unhealthy}", healthy, unhealthy).endswith("-")
