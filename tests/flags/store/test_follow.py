"""What listeners hear, in what order, with several of them and after a restart."""

from collections.abc import Callable

import pytest

from flag_builders import (
    ALICE,
    CMS,
    ON,
    PRODUCTION,
    a_boolean,
    a_segment,
    a_staged,
    an_environment,
)
from flags.model import Environment, Flag, Segment
from flags.store import Change, Deleted, Store

KEY = a_boolean().key


def patch(store: Store, kind: str = "turnFlagOn") -> Flag:
    return store.flags.patch("cms", KEY, [{"kind": kind}], ALICE, environment=PRODUCTION)


def crash(store: Store) -> None:
    """While an environment is being created."""

    def halfway() -> None:
        with store.core.writing() as write:
            store.environments._save(write, an_environment("qa"))
            raise RuntimeError("a crash")

    with pytest.raises(RuntimeError, match="a crash"):
        halfway()


def everything(store: Store) -> list[Change]:
    heard: list[Change] = []
    store.core.follow(heard.append)
    return heard


def test_everything_comes_first(store: Store) -> None:
    flag = store.flags.create("cms", a_boolean(), ALICE)
    segment = store.segments.create("cms", PRODUCTION, a_segment(), ALICE)
    flag = patch(store)
    heard = everything(store)
    environments = [an_environment(PRODUCTION), an_environment("staging")]
    assert [c.item for c in heard] == [*environments, segment, flag]
    assert [(c.project, c.environment) for c in heard] == [
        ("cms", PRODUCTION), ("cms", "staging"), ("cms", PRODUCTION), ("cms", None),
    ]  # fmt: skip
    later = patch(store, "turnFlagOff")
    assert heard[-1].item == later
    assert heard[-1].sequence > heard[-2].sequence


def test_an_environment_comes_before_what_is_in_it(store: Store) -> None:
    """Also when it was changed later, since who follows keeps segments by environment."""
    store.segments.create("cms", PRODUCTION, a_segment(), ALICE)
    store.environments.save(an_environment(name="Live"), ALICE)
    kinds = [type(c.item) for c in everything(store)]
    assert kinds == [Environment, Environment, Segment]


def test_tombstones(store: Store) -> None:
    store.flags.create("cms", a_boolean(), ALICE)
    store.flags.create("cms", a_staged(), ALICE)
    store.segments.create("cms", "staging", a_segment(), ALICE)
    store.flags.delete("cms", KEY, ALICE)
    store.segments.delete("cms", "staging", "beta", ALICE)
    heard = everything(store)
    assert [c.item for c in heard if isinstance(c.item, Deleted)] == [
        Deleted(kind="flag", key=KEY, version=2),
        Deleted(kind="segment", key="beta", version=2),
    ]
    assert [c.environment for c in heard if isinstance(c.item, Deleted)] == [None, "staging"]
    store.environments.delete("cms", "staging", ALICE)
    gone = [c for c in everything(store) if isinstance(c.item, Deleted)]
    assert Deleted(kind="environment", key="staging", version=0) in [c.item for c in gone]


def test_several_listeners(store: Store) -> None:
    first = everything(store)
    flag = store.flags.create("cms", a_boolean(), ALICE)
    second = everything(store)
    assert [c.item for c in second[-1:]] == [flag]
    later = patch(store)
    assert first[-1] == second[-1]
    assert [c.item for c in first[-2:]] == [flag, later]


def test_a_listener_that_comes_later_hides_nothing_from_the_first(
    postgres: str, opened: Callable[[str], Store]
) -> None:
    """A second replica has committed something that the first has not been told of yet."""
    one, other = opened(postgres), opened(postgres)
    one.environments.ensure(CMS, an_environment(), ALICE)
    first = everything(one)
    flag = other.flags.create("cms", a_boolean(), ALICE)
    everything(one)
    one.core.catch_up()
    assert first[-1].item == flag


def test_a_write_tells_what_others_committed_before(
    postgres: str, opened: Callable[[str], Store]
) -> None:
    one, other = opened(postgres), opened(postgres)
    one.environments.ensure(CMS, an_environment(), ALICE)
    heard = everything(one)
    flag = other.flags.create("cms", a_boolean(), ALICE)
    staged = other.flags.create("cms", a_staged(), ALICE)
    segment = one.segments.create("cms", PRODUCTION, a_segment(), ALICE)
    assert [c.item for c in heard[1:]] == [flag, staged, segment]
    one.core.catch_up()
    assert len(heard) == 4, "told twice"


def test_nothing_is_told_of_what_is_rolled_back(store: Store) -> None:
    heard = everything(store)
    told = len(heard)
    crash(store)
    assert len(heard) == told
    assert [e.key for e in store.environments.of("cms")] == [PRODUCTION, "staging"]


def test_what_a_listener_failed_to_take_is_told_again(store: Store) -> None:
    store.flags.create("cms", a_boolean(), ALICE)
    heard: list[Change] = []
    failing = [False]

    def listener(change: Change) -> None:
        if failing[0]:
            raise RuntimeError("a listener")
        heard.append(change)

    store.core.follow(listener)
    heard.clear()
    failing[0] = True
    with pytest.raises(RuntimeError, match="a listener"):
        patch(store)
    failing[0] = False
    assert store.flags.get("cms", KEY).config(PRODUCTION).on, "it was committed"
    created = store.flags.create("cms", a_staged(), ALICE)
    assert [c.item for c in heard] == [store.flags.get("cms", KEY), created]


def test_sequences_go_on_after_a_restart(
    store: Store, database: str, opened: Callable[[str], Store]
) -> None:
    store.flags.create("cms", a_boolean(), ALICE)
    before = everything(store)
    store.close()
    again = opened(database)
    heard = everything(again)
    assert heard == before
    again.flags.patch("cms", KEY, [ON], ALICE, environment=PRODUCTION)
    assert heard[-1].sequence > before[-1].sequence


def test_databases_have_names_of_their_own(
    tmp_path_factory: pytest.TempPathFactory, opened: Callable[[str], Store]
) -> None:
    """A position in one's history is none in another's."""
    one, other = (opened(str(tmp_path_factory.mktemp("db") / "flags.db")) for _ in range(2))
    assert one.core.epoch != other.core.epoch
