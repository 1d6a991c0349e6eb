"""API tokens and dashboard sessions: only hashes are kept, and both can be ended."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from flag_builders import ALICE
from flags.errors import Conflict, NotFound
from flags.model import Token
from flags.roles import Role
from flags.store import Store, now_ms, tokens
from flags.store.schema import METADATA

SECRET = "api-alice-0123456789abcdef"
OTHER = "api-other-0123456789abcdef"


@pytest.fixture
def carol(store: Store) -> tuple[Token, str]:
    return store.tokens.create("ci", "carol", Role.OPERATOR, ALICE)


def test_create_and_find(store: Store, carol: tuple[Token, str]) -> None:
    token, secret = carol
    assert (token.name, token.member, token.role, token.configured) == (
        "ci", "carol", Role.OPERATOR, False,
    )  # fmt: skip
    assert secret.startswith("api-")
    assert token.ending == secret[-4:]
    assert len(secret) >= 40
    assert store.tokens.find(secret) == token
    assert store.tokens.get(token.id) == token
    assert store.tokens.all() == [token]
    another, other = store.tokens.create("ci", "carol", Role.OPERATOR, ALICE)
    assert other != secret
    assert another.id != token.id


@pytest.mark.parametrize("secret", ["", "api-", "API-", "\udcff", "ß", "' OR 1=1 --"], ids=ascii)
def test_what_is_no_token(store: Store, carol: tuple[Token, str], secret: str) -> None:
    assert store.tokens.find(secret) is None
    assert store.tokens.signed_in(secret) is None
    assert store.tokens.find(carol[1].upper()) is None
    assert store.tokens.find(carol[1] + " ") is None


def test_secrets_are_nowhere_in_the_database(
    store: Store, carol: tuple[Token, str], database: str
) -> None:
    store.tokens.configure({"alice": SECRET})
    session = store.tokens.sign_in(carol[0])
    secrets = [carol[1], SECRET, session]
    with store.core.reading() as db:
        content = "".join(
            repr(row) for table in METADATA.sorted_tables for row in db.execute(select(table))
        )
    assert carol[0].id in content
    assert not [s for s in secrets if s in content or s[4:] in content]
    if "://" not in database:
        files = [f.read_bytes() for f in Path(database).parent.iterdir()]
        assert any(carol[0].id.encode() in data for data in files)
        assert not [s for s in secrets if any(s[4:].encode() in data for data in files)]


def test_change(store: Store, carol: tuple[Token, str]) -> None:
    token, secret = carol
    changed = store.tokens.change(token.id, ALICE, role=Role.ADMIN)
    assert (changed.name, changed.role) == ("ci", Role.ADMIN)
    changed = store.tokens.change(token.id, ALICE, name="deploy")
    assert (changed.name, changed.role) == ("deploy", Role.ADMIN)
    assert store.tokens.find(secret) == changed
    assert [e.title for e in store.audit(kind="token")] == [
        "changed token deploy (admin)",
        "changed token ci (admin)",
        "created token ci (operator)",
    ]


def test_revoke(store: Store, carol: tuple[Token, str]) -> None:
    token, secret = carol
    other, other_secret = store.tokens.create("other", "carol", Role.VIEWER, ALICE)
    sessions = [store.tokens.sign_in(token), store.tokens.sign_in(token)]
    kept = store.tokens.sign_in(other)
    store.tokens.revoke(token.id, ALICE)
    assert store.tokens.find(secret) is None
    assert [store.tokens.signed_in(s) for s in sessions] == [None, None]
    assert store.tokens.find(other_secret) == other
    assert store.tokens.signed_in(kept) == other
    assert store.audit()[0].title == "revoked token ci"
    with pytest.raises(NotFound, match=r"token '.*' does not exist"):
        store.tokens.revoke(token.id, ALICE)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda s: s.tokens.get("nope"), id="get"),
        pytest.param(lambda s: s.tokens.change("nope", ALICE, name="n"), id="change"),
        pytest.param(lambda s: s.tokens.revoke("nope", ALICE), id="revoke"),
    ],
)
def test_unknown(store: Store, act: Callable[[Store], object]) -> None:
    with pytest.raises(NotFound, match="token 'nope' does not exist"):
        act(store)


def test_there_is_a_limit(
    store: Store, carol: tuple[Token, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    with pytest.raises(Conflict, match="there are 1 tokens already"):
        store.tokens.create("more", "carol", Role.VIEWER, ALICE)
    assert store.tokens.all() == [carol[0]]


class TestSessions:
    def test_sign_in_and_out(self, store: Store, carol: tuple[Token, str]) -> None:
        token, _ = carol
        one, other = store.tokens.sign_in(token), store.tokens.sign_in(token)
        assert one != other
        assert store.tokens.signed_in(one) == token
        store.tokens.sign_out(one)
        assert store.tokens.signed_in(one) is None
        assert store.tokens.signed_in(other) == token
        store.tokens.sign_out(one)

    def test_a_session_has_todays_role(self, store: Store, carol: tuple[Token, str]) -> None:
        session = store.tokens.sign_in(carol[0])
        changed = store.tokens.change(carol[0].id, ALICE, role=Role.VIEWER)
        assert store.tokens.signed_in(session) == changed

    def test_they_end(
        self, store: Store, carol: tuple[Token, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = store.tokens.sign_in(carol[0])
        end = now_ms() + tokens.SESSION_AGE * 1000
        monkeypatch.setattr(tokens, "now_ms", lambda: end - 60_000)
        assert store.tokens.signed_in(session) == carol[0]
        monkeypatch.setattr(tokens, "now_ms", lambda: end + 60_000)
        assert store.tokens.signed_in(session) is None

    def test_they_outlive_a_restart(
        self, store: Store, carol: tuple[Token, str], database: str, opened: Callable[[str], Store]
    ) -> None:
        session = store.tokens.sign_in(carol[0])
        store.close()
        assert opened(database).tokens.signed_in(session) == carol[0]


class TestConfigured:
    """Those of the credentials file, which are administrators."""

    def test_they_are_there(self, store: Store) -> None:
        store.tokens.configure({"alice": SECRET, "bob": OTHER})
        found = store.tokens.find(SECRET)
        assert found is not None
        assert (found.member, found.name, found.role, found.configured) == (
            "alice", "alice", Role.ADMIN, True,
        )  # fmt: skip
        assert {t.member for t in store.tokens.all()} == {"alice", "bob"}

    def test_again_changes_nothing(self, store: Store) -> None:
        store.tokens.configure({"alice": SECRET})
        before = store.tokens.all()
        session = store.tokens.sign_in(before[0])
        store.tokens.configure({"alice": SECRET})
        assert store.tokens.all() == before
        assert store.tokens.signed_in(session) == before[0]

    def test_who_left_is_out(self, store: Store, carol: tuple[Token, str]) -> None:
        store.tokens.configure({"alice": SECRET, "bob": OTHER})
        bob = store.tokens.find(OTHER)
        assert bob is not None
        session = store.tokens.sign_in(bob)
        store.tokens.configure({"alice": SECRET})
        assert store.tokens.find(OTHER) is None
        assert store.tokens.signed_in(session) is None
        assert store.tokens.find(carol[1]) == carol[0], "it is not of the file"

    def test_another_secret(self, store: Store) -> None:
        store.tokens.configure({"alice": SECRET})
        store.tokens.configure({"alice": OTHER})
        assert store.tokens.find(SECRET) is None
        assert [t.ending for t in store.tokens.all()] == [OTHER[-4:]]

    def test_a_secret_that_changes_hands(self, store: Store) -> None:
        store.tokens.configure({"alice": SECRET})
        store.tokens.configure({"bob": SECRET})
        assert [t.member for t in store.tokens.all()] == ["bob"]

    def test_replicas_that_start_at_once(
        self, postgres: str, opened: Callable[[str], Store]
    ) -> None:
        stores = [opened(postgres) for _ in range(3)]
        start, problems = threading.Barrier(3), list[BaseException]()

        def configure(store: Store) -> None:
            try:
                for number in range(10):
                    start.wait(60)
                    store.tokens.configure({"alice": f"{SECRET}-{number}", "bob": OTHER})
            except BaseException as error:
                problems.append(error)
                start.abort()

        threads = [threading.Thread(target=configure, args=(s,)) for s in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        assert problems == []
        assert sorted(t.member for t in stores[0].tokens.all()) == ["alice", "bob"]

    def test_a_token_that_moves_into_the_file(self, store: Store, carol: tuple[Token, str]) -> None:
        store.tokens.configure({"carol": carol[1]})
        (token,) = store.tokens.all()
        assert (token.configured, token.role) == (True, Role.ADMIN)

    @pytest.mark.parametrize(
        "act",
        [
            pytest.param(lambda s, t: s.tokens.change(t, ALICE, role=Role.VIEWER), id="change"),
            pytest.param(lambda s, t: s.tokens.revoke(t, ALICE), id="revoke"),
        ],
    )
    def test_only_the_file_changes_them(
        self, store: Store, act: Callable[[Store, str], object]
    ) -> None:
        store.tokens.configure({"alice": SECRET})
        (token,) = store.tokens.all()
        with pytest.raises(Conflict, match="token 'alice' is of the credentials file: change it"):
            act(store, token.id)
        assert store.tokens.find(SECRET) == token
