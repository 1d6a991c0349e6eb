"""The load's judgment of contents: right answers of the real monolith pass, and no wrong one."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cms.load.expected import Expected, corrected

INTERNAL = {"X-Internal-Token": "token"}
EXPECTED = Expected()
COMMENTED = "seed-article-001"

Judge = Callable[[TestResponse], str]


@pytest.mark.parametrize(
    ("path", "judge"),
    [
        pytest.param(
            "/api/users/user-007", lambda a: EXPECTED.user("user-007", a.get_json()), id="user"
        ),
        pytest.param(
            f"/api/articles/{COMMENTED}/comments",
            lambda a: EXPECTED.comments(COMMENTED, a.get_json()),
            id="comments",
        ),
        pytest.param(
            "/api/articles?page=3", lambda a: EXPECTED.titles(a.get_json()["articles"]), id="list"
        ),
        pytest.param(
            "/api/search?q=bridge",
            lambda a: EXPECTED.titles(a.get_json()["results"]),
            id="search",
        ),
        pytest.param("/search?q=garden", lambda a: EXPECTED.links(a.text), id="search-page"),
        pytest.param("/", lambda a: EXPECTED.links(a.text), id="front-page"),
        pytest.param(
            f"/articles/{COMMENTED}", lambda a: EXPECTED.article(COMMENTED, a.text), id="article"
        ),
    ],
)
def test_right_and_wrong_answers(client: FlaskClient, path: str, judge: Judge) -> None:
    assert judge(client.get(path)) == ""
    client.post("/internal/faults", json={"wrong_answers": 1}, headers=INTERNAL)
    wrong = client.get(path)
    assert wrong.status_code == 200
    assert judge(wrong) != ""


def test_what_the_load_writes_is_right() -> None:
    seeded = {"id": "seed-article-004", "title": corrected(4)}
    assert EXPECTED.titles([seeded, {"id": "01abc", "title": "News 12"}]) == ""
    assert EXPECTED.titles([{"id": "seed-article-004", "title": corrected(5)}]) != ""
    assert EXPECTED.titles([{"id": "01abc", "title": "21 sweN"}]) != ""
    assert EXPECTED.article("01abc", "<h1>News 1</h1>") == ""
    assert EXPECTED.article("01abc", "<p>News 1</p>") != ""


def test_comments(client: FlaskClient) -> None:
    seeded = client.get(f"/api/articles/{COMMENTED}/comments").get_json()["comments"]
    assert seeded, "the case is void without a comment of the start"
    own = {"id": "01abc", "text": "Seen by user-003, 77."}
    assert EXPECTED.comments(COMMENTED, {"comments": [own, *seeded]}) == ""
    assert "missing" in EXPECTED.comments(COMMENTED, {"comments": [own, *seeded[1:]]})
    strange = {"id": "01abd", "text": "Buy this."}
    assert "nobody wrote" in EXPECTED.comments(COMMENTED, {"comments": [strange, *seeded]})
