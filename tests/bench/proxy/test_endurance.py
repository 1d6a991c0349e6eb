"""What is said of memory after many requests."""

from bench.proxy.endurance import Mark, memory


def mark(requests: int, private: float) -> Mark:
    return Mark(requests=requests, private=private, resident=private + 40)


def test_memory_is_compared_with_that_after_half_of_the_requests() -> None:
    marks = [mark(12_000, 80), mark(104_000, 85), mark(500_000, 90), mark(1_000_000, 99)]
    *values, growth = memory(marks)
    assert [each.value for each in values] == [80, 85, 99, 120, 125, 139]
    assert (growth.value, growth.met) == (1.1, False)
    assert memory(marks[:1])[-1].value == 1
