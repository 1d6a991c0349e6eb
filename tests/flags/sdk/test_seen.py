"""Contexts that were seen lately."""

import pytest

from flag_builders import an_environment
from flags.evaluation.context import Context
from flags.sdk import seen as module
from flags.sdk.seen import Seen

PRODUCTION, STAGING = an_environment("production"), an_environment("staging")


def a_context(key: str, **attributes: object) -> Context:
    return Context.parse({"kind": "user", "key": key, **attributes})


def test_nobody() -> None:
    assert Seen().recent("cms", "production") == ()


def test_environments_have_their_own() -> None:
    seen = Seen()
    seen.add(PRODUCTION, a_context("alice"))
    seen.add(STAGING, a_context("bob"))
    assert seen.recent("cms", "production") == (a_context("alice"),)
    assert seen.recent("cms", "staging") == (a_context("bob"),)
    assert seen.recent("shop", "production") == ()


def test_the_newest_of_one_key_counts() -> None:
    seen = Seen()
    for context in (a_context("alice", plan="a"), a_context("bob"), a_context("alice", plan="b")):
        seen.add(PRODUCTION, context)
    assert seen.recent("cms", "production") == (a_context("bob"), a_context("alice", plan="b"))


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    seen = Seen()
    for key in ("a", "b", "c", "a", "d"):
        seen.add(PRODUCTION, a_context(key))
    assert [c.canonical_key for c in seen.recent("cms", "production")] == ["c", "a", "d"]
