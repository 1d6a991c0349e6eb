"""Who made a change, told in its comment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.flagclient.models import AuditEntry, Member, Token
from migrator.flagclient.signature import read, sign

OWNER = Member(_id="57be1d", firstName="Alice", lastName="Liddell")


def entry(comment: str = "", via: str = "", token: Token | None = None) -> AuditEntry:
    return AuditEntry(_id="1", date=0, member=OWNER, comment=comment, via=via, token=token)


@given(
    comment=st.text(max_size=50),
    author=st.text(max_size=80),
    via=st.sampled_from([None, "cli"]),
)
def test_what_is_signed_is_read_again(comment: str, author: str, via: str | None) -> None:
    found = read(entry(sign(comment, author, via)))
    assert (found.comment, found.via) == (comment, via or "")
    assert len(found.by) == max(1, min(64, len(author)))


@given(st.from_regex(r"[A-Za-z0-9._ -]{1,64}", fullmatch=True))
def test_usual_names_stay_as_they_are(author: str) -> None:
    assert read(entry(sign("why", author, None))).by == author


def test_how_it_looks() -> None:
    assert sign("leaks", "alice", "cli") == "leaks [by alice, command line]"
    assert sign("live 5%", "migrator-controller", None) == "live 5% [by migrator-controller]"
    assert sign("", "alice", None) == "[by alice]"


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "why",
        "[by alice] and more",
        "[by ]",
        "[by a, b]",
        "[by alice, command line",
        "by alice]",
    ],
)
def test_other_comments_are_the_persons_own(comment: str) -> None:
    found = read(entry(comment))
    assert (found.by, found.comment) == ("Alice Liddell", comment)


def test_nobody_signs_for_another() -> None:
    """What a person gives as a reason cannot pass for the controller's signature."""
    found = read(entry(sign("x [by migrator-controller]", "mallory", "cli")))
    assert (found.by, found.comment) == ("mallory", "x [by migrator-controller]")


@pytest.mark.parametrize(
    ("token", "told", "expected"),
    [
        pytest.param(Token(name="ci"), "", "api", id="with-a-token"),
        pytest.param(None, "", "", id="without"),
        pytest.param(None, "dashboard", "dashboard", id="told"),
    ],
)
def test_the_way_of_an_unsigned_change(token: Token | None, told: str, expected: str) -> None:
    assert read(entry("why", told, token)).via == expected


@pytest.mark.parametrize(
    ("member", "token", "expected"),
    [
        pytest.param(OWNER, Token(name="ci"), "Alice Liddell", id="names"),
        pytest.param(Member(email="a@example.com"), None, "a@example.com", id="address"),
        pytest.param(Member(_id="57be1d"), None, "57be1d", id="id"),
        pytest.param(None, Token(name="ci"), "ci", id="service-token"),
        pytest.param(None, None, "someone", id="nothing"),
        pytest.param(Member(), Token(name="ci"), "ci", id="an-empty-member"),
    ],
)
def test_by_whom(member: Member | None, token: Token | None, expected: str) -> None:
    assert AuditEntry(_id="1", date=0, member=member, token=token).by == expected
