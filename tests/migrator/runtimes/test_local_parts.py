"""The supervisor's parts: back-off, ports, log files, and who is the same process."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import InvalidInput
from migrator.runtimes.local import record
from migrator.runtimes.local.backoff import LONGEST, STEADY, Backoff
from migrator.runtimes.local.endpoints import ready_endpoints
from migrator.runtimes.local.logfile import open_log, rotate, tail
from migrator.runtimes.local.ports import choose, is_free
from migrator.runtimes.local.spec import ProcessSpec
from migrator.runtimes.local.supervisor import check_commands
from migrator.state import StateDir


@given(st.lists(st.floats(0, STEADY - 0.1), max_size=50))
def test_pauses_double_up_to_a_limit(runs: list[float]) -> None:
    backoff, before = Backoff(), 0.0
    for ran in runs:
        backoff = backoff.ended(ran)
        assert backoff.delay == min(LONGEST, max(0.1, before * 2))
        before = backoff.delay
    assert backoff.ended(STEADY).delay == 0.1, "a long life makes the next end a first one"


def test_a_used_port_is_named_with_its_holder() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        with pytest.raises(
            InvalidInput, match=f"proxy needs port {port}, which process {os.getpid()}"
        ):
            choose({"proxy": port}, {}, ())
        assert choose({"proxy": port}, {}, [port]) == {"proxy": port}, "its own, to be taken over"


@given(st.integers(1, 12))
def test_free_ports_differ_and_are_kept(count: int) -> None:
    wanted = {f"p{number}": 0 for number in range(count)}
    first = choose(wanted, {}, ())
    assert len(set(first.values())) == count
    assert choose(wanted, first, first.values()) == first


def test_logs_are_kept_small(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with open_log(path) as log:
        log.write(b"".join(b"line %d\n" % number for number in range(100)))
        assert tail(path, 2) == ["line 98", "line 99"]
        assert tail(path, 0) == []
        assert rotate(path, limit=10)
        log.write(b"after\n")
    assert tail(path, 5) == ["after"]
    assert tail(tmp_path / "a.log.1", 1) == ["line 99"]
    assert not rotate(path, limit=10)
    assert tail(tmp_path / "missing.log", 5) == []


def test_a_recycled_pid_is_a_stranger() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = record.start_time(child.pid)
    assert started is not None
    process = record.Process(
        name="a", state="ready", pid=child.pid, started=started, digest="d", port=1, restarts=0
    )
    assert record.is_alive(process)
    assert not record.is_alive(process.model_copy(update={"started": started - 60}))
    child.kill()
    child.communicate()
    assert not record.is_alive(process)
    assert not record.is_alive(process.model_copy(update={"pid": None, "started": None}))


def test_ready_endpoints(tmp_path: Path) -> None:
    """Of services alone, in their order, and only of processes that live."""
    state = StateDir(tmp_path)
    pid = os.getpid()
    lives = {"pid": pid, "started": record.start_time(pid), "digest": "d", "restarts": 0}
    ended = {**lives, "started": 1.0}
    assert ready_endpoints(state) == {}
    record.save(
        state,
        [
            record.Process.model_validate({"name": f"p{port}", "port": port, **each})
            for port, each in enumerate(
                (
                    {"service": "cart", "state": "ready", **lives},
                    {"service": "cart", "state": "starting", **lives},
                    {"service": "cart", "state": "ready", **lives},
                    {"service": "cart", "state": "ready", **ended},
                    {"service": "stock", "state": "backoff", **lives, "pid": None},
                    {"state": "ready", **lives},
                ),
                start=1,
            )
        ],
    )
    assert ready_endpoints(state) == {
        "cart": ("http://127.0.0.1:1", "http://127.0.0.1:3"),
        "stock": (),
    }


def test_a_record_of_the_version_before(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    record.save(
        state,
        [
            record.Process(
                name="a", state="ready", pid=None, started=None, digest="d", port=1, restarts=0
            )
        ],
    )
    old = json.loads(state.processes.read_text())
    del old["processes"][0]["service"]
    state.processes.write_text(json.dumps(old))
    assert record.load(state).processes[0].service is None


def test_what_is_missing_is_named_once(tmp_path: Path) -> None:
    """However many replicas would run it."""
    specs = [
        ProcessSpec(
            name=name,
            command=("no-such-program",),
            cwd=tmp_path,
            env={"PATH": ""},
            port=1,
            ready="",
            level=0,
            place="spec.services.cart",
        )
        for name in ("cart", "cart.2")
    ]
    with pytest.raises(InvalidInput) as raised:
        check_commands(specs)
    assert str(raised.value).count("spec.services.cart.command: 'no-such-program'") == 1
