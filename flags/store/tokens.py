"""API tokens and dashboard sessions: only their hashes are kept.

Both are random and long, so that one SHA-256 keeps them (OWASP Password Storage: slow hashes are
for what people choose). Looking one up by its hash leaks no timing of the secret itself.
"""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from flags.errors import Conflict, NotFound
from flags.model import Actor, Token
from flags.roles import Role
from flags.store import audit
from flags.store.core import Core
from flags.store.database import new_id, now_ms
from flags.store.schema import REVISION, SESSIONS, TOKENS

SESSION_AGE: Final = 12 * 3600
"""Seconds that a dashboard session lasts."""
MAX_TOKENS: Final = 1000
_BY_HASH: Final = select(TOKENS).where(TOKENS.c.hash == bindparam("hash"))


class Tokens:
    def __init__(self, core: Core) -> None:
        self._core = core

    def find(self, secret: str) -> Token | None:
        """The token that `secret` is, if it is one that has not been revoked."""
        with self._core.reading() as db:
            row = db.execute(_BY_HASH, {"hash": _hash(secret)}).one_or_none()
            return None if row is None else _token(row)

    def all(self) -> list[Token]:
        with self._core.reading() as db:
            return [_token(row) for row in db.execute(select(TOKENS).order_by(TOKENS.c.created))]

    def get(self, token_id: str) -> Token:
        """Raises `NotFound`."""
        with self._core.reading() as db:
            return _get(db, token_id)

    def create(self, name: str, member: str, role: Role, actor: Actor) -> tuple[Token, str]:
        """A new token and its secret, which is not kept."""
        secret = f"api-{secrets.token_hex(20)}"
        with self._core.unnumbered() as db:
            if len(db.execute(select(TOKENS.c.id)).all()) >= MAX_TOKENS:
                raise Conflict(f"there are {MAX_TOKENS} tokens already, the most there may be")
            token = _insert(db, secret, name, member, role, configured=False)
            _log(db, token, actor, f"created token {name} ({role.label})")
        return token, secret

    def change(
        self, token_id: str, actor: Actor, *, name: str | None = None, role: Role | None = None
    ) -> Token:
        """Raises `NotFound`, or `Conflict` for one from the credentials file."""
        with self._core.unnumbered() as db:
            token = _changeable(db, token_id)
            values = {"name": name or token.name, "role": role or token.role}
            db.execute(update(TOKENS).where(TOKENS.c.id == token_id).values(**values))
            token = _get(db, token_id)
            _log(db, token, actor, f"changed token {token.name} ({token.role.label})")
        return token

    def revoke(self, token_id: str, actor: Actor) -> None:
        """With its sessions. Raises `NotFound` or `Conflict`."""
        with self._core.unnumbered() as db:
            token = _changeable(db, token_id)
            _forget(db, token_id)
            _log(db, token, actor, f"revoked token {token.name}")

    def configure(self, tokens: Mapping[str, str]) -> None:
        """Let exactly these secrets, by member, be the administrators of the credentials file."""
        with self._core.unnumbered() as db:
            db.execute(select(REVISION.c.sequence).with_for_update())  # one replica at a time
            wanted = {_hash(secret): (member, secret) for member, secret in tokens.items()}
            for row in db.execute(select(TOKENS)).all():
                member, _ = wanted.get(row.hash, (None, None))
                if member == row.member and row.configured:
                    del wanted[row.hash]
                elif row.configured or member is not None:
                    _forget(db, row.id)
            for member, secret in wanted.values():
                _insert(db, secret, member, member, Role.ADMIN, configured=True)

    def sign_in(self, token: Token) -> str:
        """The secret of a new session."""
        secret = secrets.token_urlsafe(32)
        with self._core.unnumbered() as db:
            db.execute(delete(SESSIONS).where(SESSIONS.c.expires < now_ms()))
            expires = now_ms() + SESSION_AGE * 1000
            db.execute(insert(SESSIONS).values(hash=_hash(secret), token=token.id, expires=expires))
        return secret

    def signed_in(self, session: str) -> Token | None:
        """Whose session it is, unless it ended, expired, or its token was revoked."""
        query = (
            select(TOKENS)
            .join(SESSIONS, SESSIONS.c.token == TOKENS.c.id)
            .where(SESSIONS.c.hash == _hash(session), SESSIONS.c.expires > now_ms())
        )
        with self._core.reading() as db:
            row = db.execute(query).one_or_none()
            return None if row is None else _token(row)

    def sign_out(self, session: str) -> None:
        with self._core.unnumbered() as db:
            db.execute(delete(SESSIONS).where(SESSIONS.c.hash == _hash(session)))


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        member=row.member,
        role=Role(row.role),
        ending=row.ending,
        created=row.created,
        configured=row.configured,
    )


def _get(db: Connection, token_id: str) -> Token:
    row = db.execute(select(TOKENS).where(TOKENS.c.id == token_id)).one_or_none()
    if row is None:
        raise NotFound(f"token {token_id!r} does not exist")
    return _token(row)


def _changeable(db: Connection, token_id: str) -> Token:
    token = _get(db, token_id)
    if token.configured:
        raise Conflict(f"token {token.name!r} is of the credentials file: change it there")
    return token


def _insert(
    db: Connection, secret: str, name: str, member: str, role: Role, *, configured: bool
) -> Token:
    token = Token(
        id=new_id(),
        name=name,
        member=member,
        role=role,
        ending=secret[-4:],
        created=now_ms(),
        configured=configured,
    )
    db.execute(
        insert(TOKENS).values(
            id=token.id,
            hash=_hash(secret),
            ending=token.ending,
            name=name,
            member=member,
            role=role,
            configured=configured,
            created=token.created,
        )
    )
    return token


def _forget(db: Connection, token_id: str) -> None:
    db.execute(delete(SESSIONS).where(SESSIONS.c.token == token_id))
    db.execute(delete(TOKENS).where(TOKENS.c.id == token_id))


def _log(db: Connection, token: Token, actor: Actor, title: str) -> None:
    audit.log(db, actor, project="", environment=None, kind="token", key=token.id, title=title)
