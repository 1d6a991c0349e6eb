"""Repetitions are a share of requests, and a few more."""

from hypothesis import given
from hypothesis import strategies as st

from routing.config import RetryBudget
from routing.retry_budget import TTL, WINDOWS, Budget

STEP = TTL / WINDOWS


def spent(budget: Budget, now: float) -> int:
    """Take all there is."""
    count = 0
    while budget.withdraw(now):
        count += 1
    return count


def test_a_share_of_the_requests() -> None:
    budget = Budget(RetryBudget(budget_percent=20, min_retries_per_second=0))
    assert not budget.withdraw(0.0)
    for _ in range(100):
        budget.deposit(1.0)
    assert spent(budget, 2.0) == 20


def test_a_few_without_any() -> None:
    budget = Budget(RetryBudget(budget_percent=0, min_retries_per_second=3))
    assert spent(budget, 100.0) == 30
    assert not budget.withdraw(109.0)
    assert spent(budget, 111.0) == 30, "what was taken ten seconds ago weighs no more"


def test_deposits_expire() -> None:
    budget = Budget(RetryBudget(budget_percent=100, min_retries_per_second=0))
    budget.deposit(0.0)
    assert not budget.withdraw(TTL)


@given(
    st.lists(st.tuples(st.floats(0, 25), st.booleans()), max_size=200),
    st.floats(0, 100),
    st.floats(0, 5),
)
def test_never_more_in_any_ten_seconds(
    steps: list[tuple[float, bool]], percent: float, least: float
) -> None:
    budget, now = Budget(RetryBudget(budget_percent=percent, min_retries_per_second=least)), 0.0
    requests: list[int] = []
    retries: list[int] = []
    for later, wants in steps:
        now += later
        window = int(now / STEP)
        if not wants:
            budget.deposit(now)
            requests.append(window)
        elif budget.withdraw(now):
            retries.append(window)
            asked, repeated = (
                sum(1 for each in have if each > window - WINDOWS) for have in (requests, retries)
            )
            assert repeated <= asked * percent / 100 + least * TTL + 1e-6


@given(st.floats(0, 1e9))
def test_a_clock_set_back_gives_nothing(now: float) -> None:
    budget = Budget(RetryBudget(budget_percent=0, min_retries_per_second=1))
    assert spent(budget, now) == 10
    assert not budget.withdraw(now - 5)
