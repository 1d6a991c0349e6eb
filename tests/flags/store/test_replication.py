"""Two servers on one PostgreSQL database: each hears of what the other commits."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flag_builders import (
    ALICE,
    CMS,
    PRODUCTION,
    Wait,
    a_boolean,
    a_segment,
    a_staged,
    an_environment,
)
from flags.model import Flag
from flags.roles import Role
from flags.store import Change, Deleted, Store, replication
from flags.store.replication import Replication
from postgres import PostgresServer

THREADS, WRITES = 4, 12
FLAGS = tuple(f"flag-{i}" for i in range(3))


@dataclass
class Replica:
    store: Store
    replication: Replication
    heard: list[Change] = field(default_factory=list)

    def has(self, item: object) -> bool:
        return item in [c.item for c in self.heard]

    def state(self) -> dict[tuple[str, str | None, str], object]:
        """What somebody who heard everything believes."""
        return {(c.project, c.environment, c.item.key): c.item for c in self.heard}


@pytest.fixture
def replicas(postgres: str, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Replica]]:
    monkeypatch.setattr(replication, "RETRY", 0.01)
    with ExitStack() as stack:
        found = []
        for _ in range(2):
            store = stack.enter_context(
                closing(Store(postgres, {"project": "cms", "environment": PRODUCTION}))
            )
            store.environments.ensure(CMS, an_environment(), ALICE)
            copy = stack.enter_context(closing(Replication(store.core)))
            replica = Replica(store, copy)
            store.core.follow(replica.heard.append)
            copy.start()
            found.append(replica)
        for replica in found:
            wait(replica.replication.connected.is_set, "a connection")
        yield found


def listeners(server: PostgresServer, replica: Replica) -> list[int]:
    """Backends of LISTEN connections to the database of `replica`."""
    name = replica.store.core.url.database
    rows = server.execute(
        f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND query LIKE 'LISTEN%'"  # noqa: S608 - a name made here
    )
    return [pid for (pid,) in rows]


def test_each_hears_the_other(replicas: list[Replica], wait: Wait) -> None:
    one, other = replicas
    flag = one.store.flags.create("cms", a_boolean(), ALICE)
    wait(lambda: other.has(flag), "the flag")
    segment = other.store.segments.create("cms", PRODUCTION, a_segment(), ALICE)
    wait(lambda: one.has(segment), "the segment")
    one.store.flags.delete("cms", flag.key, ALICE)
    gone = Deleted(kind="flag", key=flag.key, version=2)
    wait(lambda: other.has(gone), "the tombstone")
    qa = other.store.environments.create(an_environment("qa"), ALICE)
    wait(lambda: one.has(qa), "the environment")
    assert one.state() == other.state()


def test_concurrent_writers(replicas: list[Replica], wait: Wait) -> None:
    """Nothing is lost, nothing comes twice, nothing is out of order.

    A listener that hears of several commits at once is told only the newest state of each flag.
    """
    for key in FLAGS:
        replicas[0].store.flags.create("cms", a_boolean(key), ALICE)
    last = replicas[0].store.flags.get("cms", FLAGS[-1])
    wait(lambda: all(r.has(last) for r in replicas), "the flags")
    first = replicas[0].heard[-1].sequence
    for replica in replicas:
        replica.heard.clear()
    start, problems = threading.Barrier(2 * THREADS), list[BaseException]()

    def work(replica: Replica, number: int) -> None:
        try:
            start.wait(60)
            for i in range(WRITES):
                tag = {"kind": "addTags", "values": [f"t{i}"]}
                untag = {"kind": "removeTags", "values": [f"t{i}"]}
                name = {"kind": "updateName", "value": f"{number} {i}"}
                key = FLAGS[(number + i) % len(FLAGS)]
                replica.store.flags.patch("cms", key, [tag, untag, name], ALICE)
        except BaseException as error:
            problems.append(error)

    threads = [
        threading.Thread(target=work, args=(replica, n + THREADS * at))
        for at, replica in enumerate(replicas)
        for n in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert problems == []
    written = 2 * THREADS * WRITES
    flags = {key: replicas[0].store.flags.get("cms", key) for key in FLAGS}
    assert sum(f.version - 1 for f in flags.values()) == written
    wait(
        lambda: all(r.has(f) for r in replicas for f in flags.values()),
        "the last version of each flag",
    )
    for replica in replicas:
        sequences = [c.sequence for c in replica.heard]
        assert sequences == sorted(set(sequences)), "out of order, or twice"
        assert sequences[0] > first
        assert sequences[-1] == first + written, "the numbers of the commits have a gap"
        for key in FLAGS:
            versions = [
                c.item.version
                for c in replica.heard
                if isinstance(c.item, Flag) and c.item.key == key
            ]
            assert versions == sorted(set(versions))
            assert versions[-1] == flags[key].version


def test_a_lost_connection_loses_nothing(
    replicas: list[Replica], postgres_server: PostgresServer, wait: Wait
) -> None:
    one, other = replicas
    flag = one.store.flags.create("cms", a_boolean(), ALICE)
    wait(lambda: other.has(flag), "the flag")
    for number in range(3):
        lost = listeners(postgres_server, one)
        assert len(lost) == 2
        for pid in lost:
            postgres_server.execute(f"SELECT pg_terminate_backend({pid})")
        # Nobody may be listening now.
        name = {"kind": "updateName", "value": f"name {number}"}
        renamed = one.store.flags.patch("cms", flag.key, [name], ALICE)
        wait(lambda renamed=renamed: other.has(renamed), "a change")  # type: ignore[misc]
        wait(
            lambda lost=lost: len(set(listeners(postgres_server, one)) - set(lost)) == 2,  # type: ignore[misc]
            "the new connections",
        )
    again = one.store.flags.create("cms", a_staged(), ALICE)
    wait(lambda: other.has(again), "what comes after")
    sequences = [c.sequence for c in other.heard]
    assert sequences == sorted(set(sequences))


def test_pooled_connections_that_are_lost(
    replicas: list[Replica], postgres_server: PostgresServer, wait: Wait
) -> None:
    one, other = replicas
    name = one.store.core.url.database
    postgres_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - a name made here
    )
    flag = one.store.flags.create("cms", a_boolean(), ALICE)
    wait(lambda: other.has(flag), "the flag")


def test_a_change_without_effect_for_sdks_is_no_gap(replicas: list[Replica], wait: Wait) -> None:
    one, other = replicas
    one.store.environments.save_project(CMS.changed(name="Articles"), ALICE)
    token, _ = one.store.tokens.create("ci", "carol", Role.VIEWER, ALICE)
    flag = one.store.flags.create("cms", a_boolean(), ALICE)
    wait(lambda: other.has(flag), "the flag")
    assert other.store.environments.project("cms").name == "Articles"
    assert other.store.tokens.get(token.id) == token


def test_closing_ends_the_thread_and_its_connection(
    postgres_server: PostgresServer, replicas: list[Replica], wait: Wait
) -> None:
    for replica in replicas:
        replica.replication.close()
    wait(lambda: listeners(postgres_server, replicas[0]) == [], "the end of the connections")
    assert "flag-replication" not in {t.name for t in threading.enumerate()}


def test_a_file_has_no_replicas(tmp_path: Path, opened: Callable[[str], Store]) -> None:
    copy = Replication(opened(str(tmp_path / "flags.db")).core)
    copy.start()
    copy.close()
    assert not copy.connected.is_set()
