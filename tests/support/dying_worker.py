"""A worker that dies at every point of a second write's way, on a real journal.

Run as a program: `dying_worker.py FOLDER`. For each line of the journal's code and of the worker's
own that a life executes, a process dies right before that line, and the next one lives on; after
some of them another one has died in between. What both sides then have is printed as JSON, one line
for each point.
"""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from routing import journal
from routing.journal import Journal, State, Write
from routing.journal_order import LONGEST_PAUSE, Order, Verdict, verdict
from routing.journal_reader import JournalReader
from routing.stages import Side

KILLED: Final = 137
WRITES: Final = (("k1", "/a"), ("k2", "/a"))
"""Idempotency key and path, in the order in which one client sends them."""
TWICE: Final = 8
"""At each so many-th point the next worker dies, too."""


class Origin:
    """One side's store: knows what it applied, in order, and honours keys. Survives workers."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def applied(self) -> list[list[str]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else ()
        return [json.loads(line) for line in lines]

    def apply(self, key: str, path: str) -> None:
        if [key, path] not in self.applied():
            with self._file.open("a") as file:
                file.write(json.dumps([key, path]) + "\n")


class Client:
    """Sends each write again, with its key, until it has an answer."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def unanswered(self) -> list[tuple[str, str]]:
        answered = self._file.read_text().split() if self._file.exists() else ()
        return [write for write in WRITES if write[0] not in answered]

    def answer(self, key: str) -> None:
        with self._file.open("a") as file:
            file.write(f"{key}\n")


def live(folder: Path) -> None:
    """Take the client's writes, then send what is in the journal; the first attempt fails."""
    old, new, client = Origin(folder / "old"), Origin(folder / "new"), Client(folder / "client")
    with contextlib.closing(Journal(folder, fsync=False)) as opened:
        for key, path in client.unanswered():
            old.apply(key, path)
            with opened.transaction():
                opened.append(write(key, path))
            client.answer(key)
        reader, order, now, failing = JournalReader(opened), Order(2), 0.0, True
        # A connection does not see that it has changed something itself.
        with contextlib.closing(Journal(folder, fsync=False)) as writer:
            while opened.summary():
                now += LONGEST_PAUSE
                entries = reader.read(now, room=True)
                if entries is not None:
                    order.sync(entries)
                for each in order.due(now):
                    content = opened.contents([each.id])[each.id]
                    if not failing:
                        new.apply(content.body.decode(), each.path)
                    status = 503 if failing else 201
                    failing = False
                    with writer.transaction():
                        if verdict(status, content.method, 1) is Verdict.DONE:
                            writer.remove(each.id)
                            order.done(each.id)
                        else:
                            writer.tried(each.id, now, status, None, State.PENDING)
                            order.failed(each.id, now)


def write(key: str, path: str) -> Write:
    return Write(
        at=0.0,
        state=State.PENDING,
        capability="c",
        service="s",
        side=Side.NEW,
        stage="dualwrite",
        method="POST",
        target=path,
        path=path,
        idempotency_key=key,
        context=b"",
        head=b"",
        body=key.encode(),
    )


def dying(lines: int) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that ends the process before line number `lines`."""
    left = lines

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        code = frame.f_code
        if code.co_filename != journal.__file__ and code is not live.__code__:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os._exit(KILLED)
        return trace

    return trace


def one_life(folder: Path, lines: int | None) -> bool:
    """In a process of its own. Whether it ended by itself."""
    child = os.fork()
    if not child:
        if lines is not None:
            sys.settrace(dying(lines))
        live(folder)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, KILLED):
        raise SystemExit(f"a worker ended with {code}")
    return code == 0


def main(folder: Path) -> None:
    lines, lived = 0, False
    while not lived:
        place = folder / "life"
        place.mkdir()
        lived = one_life(place, lines)
        if lines % TWICE == 0:
            one_life(place, lines * 7 % 211)
        one_life(place, None)
        with contextlib.closing(Journal(place)) as opened:
            left = len(opened.entries(limit=100))
        sides = {name: Origin(place / name).applied() for name in ("old", "new")}
        print(json.dumps({"lines": lines, "left": left, **sides}))  # noqa: T201 - the report
        shutil.rmtree(place)
        lines += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
