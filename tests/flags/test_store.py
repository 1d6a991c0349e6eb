"""Flags in SQLite: versions, audit, order of what listeners hear, and what survives a kill."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flags.errors import Conflict, FlagsError, NotFound, Rejected
from flags.model import Flag, Prerequisite
from flags.store import Actor, Change, Store

ALICE = Actor(member="alice", via="api")
ON, OFF = {"kind": "turnFlagOn"}, {"kind": "turnFlagOff"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flags.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with contextlib.closing(Store(path)) as store:
        yield store


def test_create_and_read(store: Store, boolean: Flag, staged: Flag) -> None:
    assert store.flags() == []
    assert store.create(staged, ALICE) == staged
    store.create(boolean, ALICE)
    assert store.flags() == [boolean, staged]
    assert store.flag(staged.key) == staged


def test_there_is_one_flag_of_a_key(store: Store, boolean: Flag) -> None:
    store.create(boolean, ALICE)
    with pytest.raises(Conflict, match="flag 'articles-service' exists already"):
        store.create(boolean.changed(name="another"), ALICE)
    assert store.flag(boolean.key).name == boolean.name
    assert len(store.audit()) == 1


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda s: s.flag("nope"), id="read"),
        pytest.param(lambda s: s.patch("nope", [ON], "", ALICE), id="patch"),
        pytest.param(lambda s: s.delete("nope", ALICE), id="delete"),
    ],
)
def test_unknown(store: Store, act: Callable[[Store], object]) -> None:
    with pytest.raises(NotFound, match="flag 'nope' does not exist"):
        act(store)
    assert store.audit() == []


def test_patch(store: Store, boolean: Flag) -> None:
    heard: list[Change] = []
    store.create(boolean, ALICE)
    store.listen(heard.append)
    flag = store.patch(boolean.key, [ON], "incident over", Actor(member="bob", via="cli"))
    assert (flag.on, flag.version) == (True, 2)
    assert flag.modified > boolean.modified
    assert store.flag(boolean.key) == flag
    assert heard == [Change(key=boolean.key, version=2, flag=flag)]
    entry = store.audit()[0]
    assert (entry.member, entry.via, entry.version) == ("bob", "cli", 2)
    assert entry.title == "turned articles-service on"
    assert (entry.comment, entry.instructions) == ("incident over", [ON])
    assert entry.date == flag.modified or entry.date > flag.modified


def test_a_patch_without_effect_is_no_new_version(store: Store, boolean: Flag) -> None:
    heard: list[Change] = []
    store.create(boolean, ALICE)
    store.listen(heard.append)
    assert store.patch(boolean.key, [OFF], "", ALICE) == boolean
    assert store.patch(boolean.key, [ON, OFF], "", ALICE) == boolean
    assert heard == []
    assert len(store.audit()) == 1


def test_a_patch_is_applied_whole_or_not_at_all(store: Store, boolean: Flag) -> None:
    heard: list[Change] = []
    store.create(boolean, ALICE)
    store.listen(heard.append)
    with pytest.raises(Rejected):
        store.patch(boolean.key, [ON, {"kind": "removeRule", "ruleId": "r"}], "", ALICE)
    assert store.flag(boolean.key) == boolean
    assert heard == []
    assert len(store.audit()) == 1


def test_delete_and_make_again(store: Store, boolean: Flag) -> None:
    """Versions go on, since SDKs ignore what is not newer than what they have."""
    heard: list[Change] = []
    store.create(boolean, ALICE)
    store.listen(heard.append)
    store.delete(boolean.key, ALICE)
    assert store.flags() == []
    with pytest.raises(NotFound):
        store.flag(boolean.key)
    assert store.create(boolean, ALICE).version == 3
    assert [(c.version, c.flag is None) for c in heard] == [(2, True), (3, False)]
    assert [e.title for e in store.audit()] == [
        "created articles-service",
        "deleted articles-service",
        "created articles-service",
    ]


def test_a_prerequisite_cannot_be_deleted(store: Store, boolean: Flag, staged: Flag) -> None:
    store.create(boolean, ALICE)
    needs = (Prerequisite(key=boolean.key, variation=0),)
    store.create(staged.changed(prerequisites=needs), ALICE)
    with pytest.raises(Conflict, match="is a prerequisite of publishing"):
        store.delete(boolean.key, ALICE)
    store.delete(staged.key, ALICE)
    store.delete(boolean.key, ALICE)
    assert store.flags() == []


def test_audit_is_newest_first_by_flag_and_page(store: Store, boolean: Flag, staged: Flag) -> None:
    store.create(boolean, ALICE)
    store.create(staged, ALICE)
    for instruction in (ON, OFF, ON):
        store.patch(boolean.key, [instruction], "", ALICE)
    assert [e.version for e in store.audit(flag=boolean.key)] == [4, 3, 2, 1]
    assert [e.flag for e in store.audit(flag=staged.key)] == [staged.key]
    assert [e.version for e in store.audit(flag=boolean.key, limit=2, offset=1)] == [3, 2]
    assert len(store.audit(limit=2)) == 2
    assert store.audit(flag="nope") == []


def test_concurrent_patches_are_all_applied_in_order(store: Store, boolean: Flag) -> None:
    heard: list[int] = []
    store.create(boolean, ALICE)
    store.listen(lambda change: heard.append(change.version))
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait(20)
        for i in range(10):
            tag = {"kind": "addTags", "values": [f"t{number}-{i}"]}
            store.patch(boolean.key, [tag], "", Actor(member=f"m{number}", via="api"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    flag = store.flag(boolean.key)
    assert flag.version == 41
    assert set(flag.tags) == {f"t{n}-{i}" for n in range(4) for i in range(10)}
    assert heard == list(range(2, 42))
    assert [e.version for e in store.audit(limit=100)] == list(range(41, 0, -1))


def test_reopen(path: Path, boolean: Flag) -> None:
    with contextlib.closing(Store(path)) as store:
        store.create(boolean, ALICE)
        flag = store.patch(boolean.key, [ON], "", ALICE)
        audit = store.audit()
    with contextlib.closing(Store(path)) as store:
        assert store.flag(boolean.key) == flag
        assert store.audit() == audit
        assert store.patch(boolean.key, [OFF], "", ALICE).version == 3


WRITER = """
import sys
from pathlib import Path
from flags.store import Actor, Store

store, key = Store(Path(sys.argv[1])), sys.argv[2]
while True:
    for kind in ("turnFlagOn", "turnFlagOff"):
        flag = store.patch(key, [{"kind": kind}], "", Actor(member="w", via="api"))
        print(flag.version, flag.on, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(path: Path, boolean: Flag) -> None:
    with contextlib.closing(Store(path)) as store:
        store.create(boolean, ALICE)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), boolean.key], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer, writer.stdout as lines:
        for _ in range(20):
            assert lines.readline()
        writer.send_signal(signal.SIGKILL)
        told = [line.split() for line in lines if line.endswith("\n")]
    with contextlib.closing(Store(path)) as store:
        flag, audit = store.flag(boolean.key), store.audit(limit=1000)
    last = int(told[-1][0]) if told else 21
    assert flag.version in {last, last + 1}  # one more may have been written, but not told
    assert flag.on == (flag.version % 2 == 0)
    assert [e.version for e in audit] == list(range(flag.version, 0, -1))


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "ä#1.db"])
def test_any_file_name(tmp_path: Path, boolean: Flag, name: str) -> None:
    with contextlib.closing(Store(tmp_path / name)) as store:
        store.create(boolean, ALICE)
    assert name in [f.name for f in tmp_path.iterdir()]


def test_the_file_is_private(store: Store, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def spoil(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 500,) for _ in range(100)])
        db.commit()
    data = bytearray(path.read_bytes())
    data[4096:12288] = b"\xff" * 8192
    path.write_bytes(data)


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda p: p.write_bytes(b"this is no database " * 500), id="other-file"),
        pytest.param(spoil, id="damaged"),
        pytest.param(lambda p: p.mkdir(), id="folder"),
    ],
)
def test_unusable_file(path: Path, prepare: Callable[[Path], object]) -> None:
    prepare(path)
    with pytest.raises(FlagsError) as caught:
        Store(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.hint == (
        "restore the file from a backup, or move it away to start with no flags"
    )


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FlagsError, match="unable to open database file"):
        Store(tmp_path / "no" / "flags.db")
