"""The monolith's pages and API, and faults, in process."""

import pytest
from flask.testing import FlaskClient

from cms import media, seed
from cms.kit.identity import make_session, read_session
from cms.kit.store import Store

INTERNAL = {"X-Internal-Token": "token"}


def sign_in(client: FlaskClient, number: int = 1) -> str:
    user = client.get(f"/api/users/user-{number:03}").get_json()
    answer = client.post("/api/session", json={"name": user["name"], "password": seed.PASSWORD})
    assert answer.status_code == 200
    return str(user["id"])


@pytest.mark.parametrize(
    "path", ["/", "/articles/seed-article-001", "/sign-in", "/search?q=harbour", "/library"]
)
def test_pages(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "The Daily Build" in answer.text
    assert answer.headers["X-CMS-Origin"] == "monolith"


def test_writing_and_publishing(client: FlaskClient, store: Store) -> None:
    assert client.post("/api/articles", json={"title": "t", "body": "b"}).status_code == 401
    sign_in(client)
    draft = client.post("/api/articles", json={"title": "Zebra crossing", "body": "<b>"}).get_json()
    place = f"/api/articles/{draft['id']}"
    assert client.put(place, json={"title": "Zebra crossing", "body": "two"}).status_code == 200
    assert len(client.get(f"{place}/revisions").get_json()["revisions"]) == 2
    assert client.get("/api/search?q=zebra").get_json()["results"] == []
    assert client.post(f"{place}/publish").get_json()["state"] == "published"
    assert [r["id"] for r in client.get("/api/search?q=zebr").get_json()["results"]] == [
        draft["id"]
    ]
    assert store.find("announcement", article=draft["id"]) != []
    sign_in(client, 2)
    assert client.put(place, json={"title": "mine", "body": ""}).status_code == 403
    comment = client.post(f"{place}/comments", json={"text": "<script>"}).get_json()
    page = client.get(f"/articles/{draft['id']}").text
    assert "&lt;script&gt;" in page
    assert client.delete(f"/api/comments/{comment['id']}").status_code == 204


def test_pictures(client: FlaskClient) -> None:
    sign_in(client)
    content = seed.picture(7, 600, 400)
    item = client.post("/api/media?name=a.png", data=content).get_json()
    assert (item["width"], item["height"]) == (600, 400)
    assert client.get(f"/media/{item['id']}").data == content
    small = client.get(f"/media/{item['id']}/thumbnail")
    assert media.examine(small.data) == ("image/png", 256, 171)
    assert client.post("/api/media", data=b"not a picture").status_code == 400


def test_another_site_cannot_post(client: FlaskClient) -> None:
    sign_in(client)
    answer = client.post("/profile", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_sessions() -> None:
    session = make_session("secret", "user-1")
    assert read_session("secret", session) == "user-1"
    assert read_session("other", session) is None
    assert read_session("secret", session.replace("user-1", "user-2")) is None
    assert read_session("secret", "") is None


def test_faults(client: FlaskClient) -> None:
    assert client.get("/internal/faults").status_code == 404, "without the token there is nothing"
    bad = client.post("/internal/faults", json={"eror_rate": 1}, headers=INTERNAL)
    assert (bad.status_code, "error_rate" in bad.text) == (400, True)
    assert (
        client.post("/internal/faults", json={"error_rate": 2}, headers=INTERNAL).status_code == 400
    )
    client.post("/internal/faults", json={"error_rate": 1}, headers=INTERNAL)
    assert client.get("/api/articles").status_code == 500
    assert client.get("/healthz").status_code == 200
    client.post("/internal/faults", json={"error_rate": 0, "wrong_answers": 1}, headers=INTERNAL)
    assert client.get("/api/users/user-001").get_json()["id"] == "100-resu"
    assert "dliuB yliaD ehT" in client.get("/").text
    client.delete("/internal/faults", headers=INTERNAL)
    assert client.get("/api/users/user-001").get_json()["id"] == "user-001"


def test_no_answer_is_slow_if_none_is_to_be(client: FlaskClient) -> None:
    """Thirty seconds would end the test."""
    faults = {"latency_ms": 30_000, "slow_share": 0}
    assert client.post("/internal/faults", json=faults, headers=INTERNAL).status_code == 200
    assert client.get("/api/users/user-001").status_code == 200
