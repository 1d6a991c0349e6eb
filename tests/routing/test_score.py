"""One request is counted once."""

from hypothesis import given
from hypothesis import strategies as st

from routing.account import Account
from routing.score import Score
from routing.stats import Cell

SAID = st.one_of(
    st.tuples(st.just("answered"), st.sampled_from([101, 200, 404, 500, 503]), st.booleans()),
    st.tuples(st.just("failed"), st.just(0), st.just(False)),
)


@given(st.lists(st.lists(SAID, max_size=3), max_size=4))
def test_no_request_is_more_than_one_error(requests: list[list[tuple[str, int, bool]]]) -> None:
    score, cell, account = Score(), Cell(), Account()
    for number, said in enumerate(requests, 1):
        score.begin(cell, account)
        for what, status, fell_back in said:
            if what == "failed":
                score.failed()
            else:
                score.answered(status, fell_back=fell_back)
        assert cell.requests == number
        assert cell.errors == account.failed <= account.asked <= number
        assert sum(cell.counts) <= number


def test_an_answer_that_breaks_off() -> None:
    """Is an error unless it was one, or another origin's."""
    for status, fell_back, errors in ((200, False, 1), (500, False, 1), (200, True, 0)):
        score, cell, account = Score(), Cell(), Account()
        score.begin(cell, account)
        score.answered(status, fell_back=fell_back)
        score.broke(fell_back=fell_back)
        assert cell.errors == account.failed == errors
        assert cell.fallbacks == fell_back


def test_a_redirect_is_a_request_that_costs_nothing() -> None:
    score, cell, account = Score(), Cell(), Account()
    score.begin(cell, account)
    score.redirected()
    assert account.asked == 0, "no origin was asked"
    assert (cell.requests, cell.errors, cell.counts[0]) == (1, 0, 1)
