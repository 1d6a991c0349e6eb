"""The monolith's pages and API, and faults, in process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cms import accounts, articles, comments, media, publishing, search, seed
from cms.kit import app as web
from cms.kit.gateway import Gateway
from cms.kit.identity import make_session, read_session
from cms.kit.program import Program
from cms.kit.settings import Settings
from cms.kit.store import Store
from cms.peers import Inside

INTERNAL = {"X-Internal-Token": "token"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("cms") / "cms.db", "monolith", index=search.index)
    seed.fill(store)
    return store


@pytest.fixture
def client(store: Store, tmp_path: Path) -> Iterator[FlaskClient]:
    settings = Settings(
        name="monolith", port=0, data=tmp_path, session_secret="secret", internal_token="token",
        fault_injection=True, gateway="", monolith="", services={}, social="",
        sdk_key="", base_uri="", stream_uri="", events_uri="",
    )  # fmt: skip
    program = Program(settings, store, Gateway("http://127.0.0.1:9"), None)
    peers = Inside(store)
    app = web.create(settings, store, lambda: "")
    for blueprint in (
        articles.home(program, peers),
        accounts.routes(program),
        articles.routes(program, peers, articles.Announcer(program, peers)),
        comments.routes(program, peers),
        media.routes(program),
        search.routes(program),
        publishing.routes(program, lambda: None),
    ):
        app.register_blueprint(blueprint)
    with app.test_client() as client:
        yield client


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
    client.delete("/internal/faults", headers=INTERNAL)
    assert client.get("/api/users/user-001").get_json()["id"] == "user-001"
