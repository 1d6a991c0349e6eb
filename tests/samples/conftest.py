"""The monolith, in process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cms import accounts, articles, comments, media, publishing, search, seed
from cms.kit import app as web
from cms.kit.gateway import Gateway
from cms.kit.program import Program
from cms.kit.settings import Settings
from cms.kit.store import Store
from cms.peers import Inside


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
