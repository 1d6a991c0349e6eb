"""Ejections: how long, how often, and never too many at once."""

from hypothesis import given
from hypothesis import strategies as st

from routing.config import OutlierDetection
from routing.outlier import Ejection, eject

RULES = OutlierDetection(base_ejection_time=10, max_ejection_time=60, max_ejection_percent=50)


def test_each_one_soon_after_another_is_twice_as_long() -> None:
    group = [Ejection(), Ejection()]
    one, now, lengths = group[0], 0.0, []
    for _ in range(5):
        assert eject(one, group, RULES, now)
        lengths.append(one.seconds)
        now = one.until + 1
    assert lengths == [10, 20, 40, 60, 60]
    assert one.count == 5
    assert eject(one, group, RULES, one.until + 60)
    assert one.seconds == 10, "it was good for as long as it was out"


def test_a_single_endpoint_stays() -> None:
    only = Ejection()
    assert not eject(only, [only], RULES, 0.0)
    assert not only.active(0.0)


def test_who_is_out_is_not_ejected_again() -> None:
    group = [Ejection() for _ in range(4)]
    assert eject(group[0], group, RULES, 0.0)
    assert not eject(group[0], group, RULES, 9.9)
    assert group[0].until == 10


@given(
    st.integers(1, 12),
    st.floats(0, 100),
    st.lists(st.tuples(st.integers(0, 11), st.floats(0, 30)), max_size=60),
)
def test_never_more_than_the_share(
    count: int, percent: float, failures: list[tuple[int, float]]
) -> None:
    rules = RULES.model_copy(update={"max_ejection_percent": percent})
    group, now = [Ejection() for _ in range(count)], 0.0
    for number, later in failures:
        now += later
        ejection = group[number % count]
        if eject(ejection, group, rules, now):
            assert ejection.active(now)
            assert 10 <= ejection.seconds <= 60
        out = sum(1 for each in group if each.active(now))
        assert out * 100 <= percent * count
