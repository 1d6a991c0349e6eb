"""What is asked of `wrk`, and what it says."""

import pytest

from bench.flags.errors import BenchError
from bench.proxy.wrk import Answered, Load, parse

LINE = '{"requests": 3000, "duration": 1500000, "p50": 410, "p99": 990, "errors": 0}'
REPORT = f"Running 1s test @ http://127.0.0.1:1\n  1 threads and 64 connections\n{LINE}\n"


def test_parse() -> None:
    answered = parse(REPORT)
    assert answered == Answered(requests=3000, duration=1.5, p50=410, p99=990, errors=0)
    assert answered.rate == 2000


@pytest.mark.parametrize(
    ("output", "said"),
    [
        pytest.param("", "nothing that can be read", id="empty"),
        pytest.param("{", "nothing that can be read", id="cut"),
        pytest.param("{}", "nothing that can be read", id="other-fields"),
        pytest.param(LINE.replace("3000", '"many"'), "nothing that can be read", id="no-number"),
        pytest.param(LINE.replace("3000", "0"), "no answer", id="no-requests"),
        pytest.param(LINE.replace('rs": 0', 'rs": 2'), "2 of 3000 requests failed", id="errors"),
    ],
)
def test_what_is_refused(output: str, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        parse(output)


@pytest.mark.parametrize(
    ("load", "end"),
    [
        pytest.param(
            Load(name="get", connections=1), ["GET", "/articles/1", "0"], id="get-without-body"
        ),
        pytest.param(
            Load(name="post", connections=64, method="POST", path="/x", body=9),
            ["POST", "/x", "9"],
            id="post",
        ),
    ],
)
def test_command(load: Load, end: list[str]) -> None:
    command = list(load.command(8080, 2))
    assert command[:7] == ["wrk", "-t", "1", "-c", str(load.connections), "-d", "2s"]
    assert command[command.index("--") - 1] == "http://127.0.0.1:8080"
    assert command[command.index("--") + 1 :] == end
