"""Two stores that follow one another end with the same documents."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cms.kit.store import Store

KINDS = ("article",)


def follow(store: Store, other: Store) -> None:
    """Take over everything that `other` has now."""
    feed, position = store.position(other.source)
    changes = other.changes(position if feed == other.feed_id else 0, KINDS, 1000, 0)
    if changes:
        store.apply(other.source, other.feed_id, changes[-1].seq, changes)


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["monolith", "articles", "follow"]),
        st.sampled_from(["a", "b", "c"]),
        st.none() | st.integers(0, 9),
    ),
    max_size=20,
)


@given(WRITES)
@settings(max_examples=30, deadline=None)
def test_both_sides_agree_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, str, int | None]]
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    stores = {
        "monolith": Store(folder / "cms.db", "monolith", relay=True),
        "articles": Store(folder / "articles.db", "articles"),
    }
    for side, id, value in writes:
        if side == "follow":
            follow(stores["monolith"], stores["articles"])
            continue
        with stores[side].transaction() as transaction:
            if value is None:
                transaction.delete("article", id)
            else:
                transaction.put("article", {"id": id, "value": value})
    for _ in range(2):
        follow(stores["monolith"], stores["articles"])
        follow(stores["articles"], stores["monolith"])
    for id in "abc":
        assert stores["monolith"].get("article", id) == stores["articles"].get("article", id)


def test_a_feed_made_anew_is_followed_from_its_beginning(tmp_path: Path) -> None:
    articles = Store(tmp_path / "articles.db", "articles")
    first = Store(tmp_path / "first.db", "monolith", relay=True)
    for number in range(5):
        first.put("article", {"id": str(number)})
    follow(articles, first)
    second = Store(tmp_path / "second.db", "monolith", relay=True)
    second.put("article", {"id": "new"})
    follow(articles, second)
    assert articles.get("article", "new") == {"id": "new"}


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "cms.db", "monolith")

    def fail() -> None:
        with store.transaction() as transaction:
            transaction.put("article", {"id": "a"})
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        fail()
    assert store.get("article", "a") is None
    assert store.changes(0, KINDS, 10, 0) == []


def test_what_was_committed_survives_sigkill(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from cms.kit.store import Store; "
        "store = Store(Path(sys.argv[1]), 'monolith'); store.put('article', {'id': 'a'}); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    sample = Path(__file__).parents[2] / "samples" / "cms-app"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "cms.db")], cwd=sample)
    assert done.returncode == -9
    assert Store(tmp_path / "cms.db", "monolith").get("article", "a") == {"id": "a"}
