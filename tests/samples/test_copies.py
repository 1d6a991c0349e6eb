"""A write that comes in the feed and as the proxy's copy counts once."""

from pathlib import Path
from typing import cast

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from cms.kit import copies
from cms.kit.follower import Follower
from cms.kit.store import APPLIED, Store

COPY = {"Idempotency-Key": '"k"', "X-Migrator-Mirror": "write"}


class Feed:
    """A follower of `other`; `reached`: whether that answers."""

    def __init__(self, store: Store, other: Store) -> None:
        self.store = store
        self.other = other
        self.reached = True

    def catch_up(self) -> bool:
        if self.reached:
            changes = self.other.changes(0, ("note", APPLIED), 100, 0)
            self.store.apply(self.other.source, self.other.feed_id, 0, changes)
        return self.reached


def program(store: Store, *followers: Feed) -> FlaskClient:
    """Each POST /notes makes a note of its own."""
    app = Flask("notes")
    copies.install(app, store, cast("list[Follower]", followers))

    @app.post("/notes")
    def add() -> Response:
        store.put("note", {"id": f"{store.source}-{store.count('note')}"})
        return Response("made")

    return app.test_client()


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    one, two = (
        Store(tmp_path / f"{name}.db", name, request_id=copies.request_id)
        for name in ("monolith", "notes")
    )
    return one, two


@pytest.mark.parametrize("followed", [True, False], ids=["the-feed-first", "the-copy-first"])
def test_once(stores: tuple[Store, Store], followed: bool) -> None:
    first, second = stores
    program(first).post("/notes", headers={"Idempotency-Key": '"k"'})
    feed = Feed(second, first)
    if followed:
        feed.catch_up()
    other = program(second, feed)
    for _ in range(2):
        assert other.post("/notes", headers=COPY).status_code == 200
    assert [note["id"] for note in second.find("note")] == ["monolith-0"]


def test_not_while_the_other_side_may_have_it(stores: tuple[Store, Store]) -> None:
    first, second = stores
    feed = Feed(second, first)
    feed.reached = False
    other = program(second, feed)
    assert other.post("/notes", headers=COPY).status_code == 503
    assert other.post("/notes").text == "made", "what is no copy does not ask"
    feed.reached = True
    assert other.post("/notes", headers=COPY).text == "made", "nobody else has done it"
    assert other.post("/notes", headers=COPY).status_code == 200
    assert second.count("note") == 2
