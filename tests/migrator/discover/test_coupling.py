"""Who goes from one group to another."""

import pytest

from migrator.discover.coupling import SESSION_GAP, SOON, Coupling
from migrator.discover.request import Request


def fed(*steps: tuple[str, str, float | None, int | None], remembered: int = 10) -> Coupling:
    """Steps: group, method, time, person."""
    coupling = Coupling(remembered)
    for group, method, at, who in steps:
        coupling.add(Request(method, "/", at=at, who=who), group)
    return coupling


def test_one_person() -> None:
    coupling = fed(("a", "GET", 0, 1), ("a", "GET", 1, 1), ("b", "GET", 2, 1), ("b", "GET", 3, 1))
    assert coupling.step_share("a") == pytest.approx(1 / 2)
    assert coupling.step_share("b") == pytest.approx(1 / 2)
    assert [partner[:2] for partner in coupling.partners("a")] == [("b", 1)]


@pytest.mark.parametrize(
    ("second", "crossings"),
    [
        pytest.param(("b", "GET", 5.0, 2), 0, id="another-person"),
        pytest.param(("b", "GET", 5.0, None), 0, id="nobody"),
        pytest.param(("b", "GET", SESSION_GAP + 1, 1), 0, id="another-day"),
        pytest.param(("b", "GET", SESSION_GAP, 1), 1, id="same-session"),
        pytest.param(("b", "GET", -5.0, 1), 1, id="lines-out-of-order"),
        pytest.param(("b", "GET", None, 1), 1, id="no-times"),
    ],
)
def test_sessions(second: tuple[str, str, float | None, int | None], crossings: int) -> None:
    assert fed(("a", "GET", 0, 1), second).crossings.total() == crossings


def test_writes_that_others_may_have_to_show() -> None:
    coupling = fed(
        ("a", "POST", 0, 1), ("b", "GET", 1, 1),
        ("a", "POST", 2, 1), ("a", "GET", 3, 1),
        ("a", "POST", 4, 1), ("b", "GET", 5 + SOON, 1),
    )  # fmt: skip
    assert coupling.write_share("a") == pytest.approx(1 / 2)
    assert coupling.write_share("b") == 0


def test_traces() -> None:
    coupling = Coupling()
    for trace, group in ((1, "a"), (1, "a"), (1, "b"), (1, "c"), (2, "a")):
        coupling.add(Request("GET", "/", trace=trace), group)
    assert [coupling.trace_share(group) for group in "abc"] == [1 / 2, 1, 1]
    assert coupling.share("a") == 1 / 2
    assert {partner.group for partner in coupling.partners("a")} == {"b", "c"}


def test_partners_beyond_chance_come_first() -> None:
    people = iter(range(1000))
    steps: list[tuple[str, str, float | None, int | None]] = []
    for one, other, count in (("a", "big", 20), ("a", "b", 10), ("c", "big", 60), ("b", "big", 2)):
        for _ in range(count):
            who = next(people)
            steps += [(one, "GET", 0, who), (other, "GET", 1, who)]
    partners = fed(*steps).partners("a")
    assert [partner.group for partner in partners] == ["b", "big"]
    assert partners[0].lift > 2 > partners[1].lift


def test_tables_that_several_groups_write() -> None:
    coupling = Coupling()
    for group, *tables in (("a", "orders"), ("a", "orders", "notes"), ("b", "orders"), ("c", "x")):
        coupling.add(Request("POST", "/", tables=frozenset(tables)), group)
    assert [coupling.table_share(group) for group in "abcd"] == [2 / 3, 1, 0, 0]
    assert coupling.shared_tables("a") == (("orders", ("b",)),)
    assert coupling.shared_tables("c") == ()


def test_bounded() -> None:
    coupling = fed(*(("a", "GET", 0.0, who) for who in range(100)), ("b", "GET", 1, 5))
    assert coupling.crossings.total() == 0
    assert len(coupling._people) == 10
